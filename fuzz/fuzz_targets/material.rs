//! Certificates, keys and requests, SSH host keys and OpenPGP keys: whatever a file holds, it is refused; or what was
//! read of it is kept and put together again, and so are its records.

#![no_main]

use danelaw::dns::rtype::Rtype;
use danelaw::tlsa::material::Kind;
use danelaw::tlsa::{Association, Material, Params};
use libfuzzer_sys::fuzz_target;

const ADDRESS: &str = "mail@example.test";

fuzz_target!(|data: &[u8]| {
    let Some((choice, file)) = data.split_first() else { return };
    let read = match choice % 4 {
        0 => Material::parse(file),
        1 => Material::ssh_host_key(file),
        2 => Material::openpgp_key(file, &[ADDRESS]),
        _ => Material::presented(&[file]),
    };
    let Ok(material) = read else { return };
    let chain: Vec<&[u8]> = material.chain().iter().map(|certificate| certificate.der()).collect();
    let again = Material::restore(&chain, material.key(), material.kind());
    assert_eq!(again.as_ref(), Ok(&material), "what was kept is something else");
    if let Some(leaf) = material.leaf() {
        let _ = (leaf.dns_names(), leaf.issuer_organization(), leaf.key_bits(), material.issuer());
    }
    let (params, rtype) = match material.kind() {
        Kind::SshHostKey => (Params::Sshfp, Rtype::SSHFP),
        Kind::OpenPgpKey => (Params::OpenPgpKey, Rtype::OPENPGPKEY),
        _ => (Params::DEFAULT, Rtype::TLSA),
    };
    if let Ok(association) = Association::new(params, &material) {
        assert_eq!(Association::from_rdata(rtype, &association.rdata()), Ok(association), "another record");
    }
});
