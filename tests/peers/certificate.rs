//! Certificates and keys, made and digested by OpenSSL.

use std::fs;
use std::path::Path;

use super::program::{command, stdout};

/// A certificate with its key.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// PEM, as `fullchain.pem` has it.
    pub(crate) chain: String,
    /// PEM, PKCS#8.
    pub(crate) key: String,
    /// `3 1 1` as dig prints it, without spaces in the digest.
    pub(crate) tlsa: String,
}

impl Certificate {
    /// A self-signed certificate with a fresh P-256 key.
    pub(crate) fn new(name: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (certificate, key) = (scratch.path().join("certificate"), scratch.path().join("key"));
        stdout(
            command("openssl")
                .args(["req", "-x509", "-nodes", "-days", "30", "-subj", &format!("/CN={name}"), "-newkey"])
                .args(["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&certificate),
        );
        let tlsa = format!("3 1 1 {}", key_digest(&certificate, scratch.path()));
        Self { chain: fs::read_to_string(certificate).unwrap(), key: fs::read_to_string(key).unwrap(), tlsa }
    }
}

/// SHA-256 of the certificate's SubjectPublicKeyInfo in hex, upper case.
fn key_digest(certificate: &Path, scratch: &Path) -> String {
    let (pem, der) = (scratch.join("public.pem"), scratch.join("public.der"));
    let pem_text = stdout(command("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(certificate));
    fs::write(&pem, pem_text).unwrap();
    stdout(
        command("openssl").args(["pkey", "-pubin", "-outform", "DER", "-in"]).arg(&pem).arg("-out").arg(&der),
    );
    let digest = stdout(command("openssl").args(["dgst", "-sha256", "-r"]).arg(&der));
    digest.split_whitespace().next().unwrap().to_ascii_uppercase()
}
