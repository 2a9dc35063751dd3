//! Reading files whole, with a bound.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::dns::problem::{Place, Problem};

/// The largest certificate or key file that is read.
const LIMIT: u64 = 1 << 20;

/// The octets of a certificate or key file, wiped when dropped.
pub fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(Vec::new());
    let read = std::fs::File::open(path)?.take(LIMIT + 1).read_to_end(&mut octets)?;
    if read as u64 > LIMIT {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(octets)
}

/// The text of a file that nobody but its owner may read, wiped when dropped.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, Problem> {
    let place = || Place::file(path.display().to_string());
    let metadata = std::fs::metadata(path).map_err(|error| Problem::error(place(), error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Problem::error(
            place(),
            format_args!(
                "mode {mode:04o} lets others read the secret, expected 0600: chmod 600 {}",
                path.display()
            ),
        ));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| Problem::error(place(), error))
}
