//! Every SSHFP record is the one that `ssh-keygen -r` prints, every OPENPGPKEY record the one that `gpg` exports.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "tests make the files that other programs read")]

use std::path::Path;
use std::process::Command;

use danelaw::dns::rtype::Rtype;
use danelaw::tlsa::material::Kind;
use danelaw::tlsa::openpgp::OpenPgpError;
use danelaw::tlsa::ssh::SshKeyError;
use danelaw::tlsa::{Association, AssociationError, Material, MaterialError, Params};

/// What ssh-keygen is told to make each kind of host key with.
const HOST_KEYS: [(&str, &[&str]); 5] = [
    ("rsa", &["-t", "rsa", "-b", "2048"]),
    ("p256", &["-t", "ecdsa", "-b", "256"]),
    ("p384", &["-t", "ecdsa", "-b", "384"]),
    ("p521", &["-t", "ecdsa", "-b", "521"]),
    ("ed25519", &["-t", "ed25519"]),
];

fn run(directory: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program);
    let command = command.args(arguments).current_dir(directory).env("GNUPGHOME", directory);
    let output =
        command.output().unwrap_or_else(|error| panic!("{program} (see scripts/install-peers): {error}"));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {message}");
    output.stdout
}

#[test]
fn every_kind_of_host_key_has_the_fingerprint_that_ssh_keygen_prints() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(scratch.path(), "ssh-keygen", arguments);
    for (name, how) in HOST_KEYS {
        run(&[&["-q", "-N", "", "-f", name], how].concat());
        let file = format!("{name}.pub");
        let printed = String::from_utf8(run(&["-r", "host.example.test.", "-f", &file])).unwrap();
        let material = Material::ssh_host_key(&std::fs::read(scratch.path().join(&file)).unwrap()).unwrap();
        let association = Association::new(Params::Sshfp, &material).unwrap();
        let expected = format!("host.example.test. IN SSHFP {association}");
        assert!(printed.lines().any(|line| line == expected), "{expected}\nis not in\n{printed}");
        assert_eq!(Association::from_rdata(Rtype::SSHFP, &association.rdata()), Ok(association));

        let private = std::fs::read(scratch.path().join(name)).unwrap();
        assert_eq!(Material::ssh_host_key(&private), Err(MaterialError::Ssh(SshKeyError::Private)));
        let other = AssociationError::OtherKind { params: Params::DEFAULT, kind: Kind::SshHostKey };
        assert_eq!(Association::new(Params::DEFAULT, &material), Err(other));
        assert_eq!(Material::restore::<&[u8]>(&[], material.key(), Kind::SshHostKey), Ok(material));
    }
    // A certificate of a host key is not the key.
    run(&["-q", "-s", "rsa", "-h", "-I", "host", "ed25519.pub"]);
    let certificate = std::fs::read(scratch.path().join("ed25519-cert.pub")).unwrap();
    assert_eq!(Material::ssh_host_key(&certificate), Err(MaterialError::Ssh(SshKeyError::Algorithm)));
}

/// GnuPG starts an agent, which has to end with the test.
struct Agent<'a>(&'a Path);

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        run(self.0, "gpgconf", &["--kill", "all"]);
    }
}

#[test]
fn every_exported_key_is_the_record_that_gpg_exports() {
    const ADDRESS: &str = "hugh@example.test";
    let scratch = tempfile::tempdir().unwrap();
    let _agent = Agent(scratch.path());
    let gpg = |arguments: &[&str]| {
        run(scratch.path(), "gpg", &[&["--batch", "--quiet", "--passphrase", ""], arguments].concat())
    };
    gpg(&["--quick-gen-key", "Hugh Example <hugh@example.test>", "ed25519", "sign", "never"]);
    let listed = String::from_utf8(gpg(&["--list-keys", "--with-colons"])).unwrap();
    let fingerprint = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
    let fingerprint = fingerprint.split(':').nth(9).unwrap();
    gpg(&["--quick-add-key", fingerprint, "cv25519", "encr", "never"]);

    // As `TYPE61 \# LENGTH ( HEX … )`.
    let dane = String::from_utf8(gpg(&["--export-options", "export-dane", "--export", ADDRESS])).unwrap();
    let (_, hex) = dane.split_once("TYPE61 \\# ").unwrap();
    let hex: String = hex.split_ascii_whitespace().skip(2).take_while(|word| *word != ")").collect();
    let expected = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();

    for arguments in [&["--export", ADDRESS][..], &["--armor", "--export", ADDRESS]] {
        let material = Material::openpgp_key(&gpg(arguments), &[ADDRESS]).unwrap();
        let association = Association::new(Params::OpenPgpKey, &material).unwrap();
        assert_eq!(association.rdata(), expected, "{arguments:?}");
        assert_eq!(Association::from_rdata(Rtype::OPENPGPKEY, &expected), Ok(association));
        assert_eq!(Material::restore::<&[u8]>(&[], material.key(), Kind::OpenPgpKey), Ok(material));
    }
    for arguments in [&["--export-secret-keys", ADDRESS][..], &["--armor", "--export-secret-keys", ADDRESS]] {
        let refused = Material::openpgp_key(&gpg(arguments), &[ADDRESS]);
        assert_eq!(refused, Err(MaterialError::OpenPgp(OpenPgpError::Secret)), "{arguments:?}");
    }
    let other = Material::openpgp_key(&gpg(&["--export", ADDRESS]), &["other@example.test"]);
    assert_eq!(other, Err(MaterialError::OpenPgp(OpenPgpError::OtherAddress("other@example.test".into()))));
}
