//! Reading files whole, with a bound.

use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

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
