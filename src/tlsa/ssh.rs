//! SSH host keys, as `ssh_host_*_key.pub` files hold them, and the algorithms that SSHFP records know.

use data_encoding::BASE64;

/// Why a file is not used as an SSH host key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SshKeyError {
    /// A file of another kind.
    #[error(
        "no SSH public key found; expected one line such as `ssh-ed25519 AAAA…`, as ssh_host_ed25519_key.pub has it"
    )]
    NotFound,
    /// The private half.
    #[error("the file is a private key; give the file beside it that ends in .pub")]
    Private,
    /// More than one.
    #[error("there is more than one key; expected one host key a file")]
    Several,
    /// A line that ends too early, or that was never a key.
    #[error("the SSH public key is cut off or malformed")]
    Malformed,
    /// A key that no SSHFP record can speak of, or that none should.
    #[error(
        "SSHFP records know RSA, ECDSA, Ed25519 and Ed448 host keys (RFC 4255, 6594, 7479, 8709); this is another"
    )]
    Algorithm,
}

/// The octets of the key in a file, as the server sends them (RFC 4253 §6.6).
pub(super) fn parse(input: &[u8]) -> Result<Vec<u8>, SshKeyError> {
    let text = std::str::from_utf8(input).map_err(|_| SshKeyError::NotFound)?;
    if text.contains("PRIVATE KEY-----") {
        return Err(SshKeyError::Private);
    }
    let mut keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let key = keys.next().ok_or(SshKeyError::NotFound)?;
    if keys.next().is_some() {
        return Err(SshKeyError::Several);
    }
    let mut words = key.split_ascii_whitespace();
    let (Some(name), Some(blob)) = (words.next(), words.next()) else { return Err(SshKeyError::NotFound) };
    let blob = BASE64.decode(blob.as_bytes()).map_err(|_| SshKeyError::Malformed)?;
    let (own, _) = string(&blob).ok_or(SshKeyError::Malformed)?;
    if own != name.as_bytes() {
        return Err(SshKeyError::Malformed);
    }
    check(&blob)?;
    Ok(blob)
}

/// The number that SSHFP records have for the key's algorithm.
pub(super) fn algorithm(blob: &[u8]) -> Result<u8, SshKeyError> {
    let (name, mut rest) = string(blob).ok_or(SshKeyError::Malformed)?;
    // DSA (2) is gone from OpenSSH; certificates and keys on tokens are no host keys.
    let (number, length) = match name {
        b"ssh-rsa" => (1, 2),
        b"ecdsa-sha2-nistp256" | b"ecdsa-sha2-nistp384" | b"ecdsa-sha2-nistp521" => (3, 2),
        b"ssh-ed25519" => (4, 1),
        b"ssh-ed448" => (6, 1),
        _ => return Err(SshKeyError::Algorithm),
    };
    for _ in 0..length {
        (_, rest) = string(rest).filter(|(string, _)| !string.is_empty()).ok_or(SshKeyError::Malformed)?;
    }
    if rest.is_empty() { Ok(number) } else { Err(SshKeyError::Malformed) }
}

/// Whether the octets are a key.
pub(super) fn check(blob: &[u8]) -> Result<(), SshKeyError> {
    algorithm(blob).map(|_| ())
}

/// SSH's name of the key's algorithm.
pub(super) fn name(blob: &[u8]) -> Option<&[u8]> {
    string(blob).map(|(name, _)| name)
}

/// A string with its length in front (RFC 4251 §5), and what follows it.
fn string(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f root@host\n";

    #[test]
    fn a_host_key_is_one_line() {
        let blob = parse(KEY.as_bytes()).unwrap();
        assert_eq!((blob.len(), algorithm(&blob)), (51, Ok(4)));
        assert_eq!(parse(format!("# host\n\n{KEY}").as_bytes()), Ok(blob));
    }

    #[test]
    fn whatever_is_half_written_or_no_host_key_is_refused() {
        for end in 1..KEY.len() - " root@host\n".len() {
            assert!(parse(&KEY.as_bytes()[..end]).is_err(), "{end}");
        }
        assert_eq!(parse(b""), Err(SshKeyError::NotFound));
        assert_eq!(parse(format!("{KEY}{KEY}").as_bytes()), Err(SshKeyError::Several));
        assert_eq!(parse(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAA\n"), Err(SshKeyError::Private));
        assert_eq!(parse(KEY.replace("ssh-ed25519", "ssh-rsa").as_bytes()), Err(SshKeyError::Malformed));
        let named = |name: &str| {
            let blob = [&(name.len() as u32).to_be_bytes(), name.as_bytes(), &[0, 0, 0, 1, 7]].concat();
            parse(format!("{name} {}", BASE64.encode(&blob)).as_bytes())
        };
        assert_eq!(named("ssh-dss"), Err(SshKeyError::Algorithm));
        assert_eq!(named("ssh-ed25519-cert-v01@openssh.com"), Err(SshKeyError::Algorithm));
        assert!(named("ssh-ed25519").is_ok());
    }
}
