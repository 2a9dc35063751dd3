//! What is written into the files of a key whose life is over.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::super::files::replace;
use super::{StoreError, read};
use crate::dns::name::Name;
use crate::dns::time::Timestamp;
use crate::dnssec::keyfile;
use crate::dnssec::lifecycle::KeyId;

/// Writes into the files of these keys of `zone` that they are not published any more since `at`, and leaves all else in
/// them as it is. The public half is written first: of a key that is elsewhere there is no other.
pub fn end(directory: &Path, zone: &Name, keys: &[KeyId], at: Timestamp) -> Result<(), StoreError> {
    for key in keys {
        let stem = keyfile::stem(zone.as_ref(), key.algorithm, key.tag);
        let public = directory.join(format!("{stem}.key"));
        edit(&public, |text| keyfile::delete_public(text, at))?;
        let private = directory.join(format!("{stem}.private"));
        edit(&private, |text| keyfile::delete_private(text, at))?;
    }
    Ok(())
}

/// Replaces the file, if there is one, by what `edit` makes of it.
fn edit(path: &Path, edit: impl FnOnce(&str) -> Zeroizing<String>) -> Result<(), StoreError> {
    // A link stays one.
    let target = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        target => target.map_err(|error| StoreError::new(path, error))?,
    };
    let text = read(&target, None).map_err(|reason| StoreError::new(path, reason))?;
    let replaced = target
        .metadata()
        .and_then(|metadata| replace(&target, edit(&text).as_bytes(), metadata.mode() & 0o777));
    replaced.map_err(|error| StoreError::new(path, error))
}
