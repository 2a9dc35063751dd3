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
        Self::with(name, &[])
    }

    /// [`new`](Self::new) with the name where TLS clients look for it.
    pub(crate) fn for_host(name: &str) -> Self {
        // A certificate that signs itself is trusted as an authority's, but must not be one itself.
        let extensions =
            [format!("subjectAltName=DNS:{name}"), "basicConstraints=critical,CA:FALSE".to_owned()];
        Self::with(name, &extensions.each_ref().map(|extension| &extension[..]))
    }

    fn with(name: &str, extensions: &[&str]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (certificate, key) = (scratch.path().join("certificate"), scratch.path().join("key"));
        stdout(
            command("openssl")
                .args(["req", "-x509", "-nodes", "-days", "30", "-subj", &format!("/CN={name}"), "-newkey"])
                .args(["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .args(extensions.iter().flat_map(|extension| ["-addext", *extension]))
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&certificate),
        );
        let tlsa = format!("3 1 1 {}", key_digest(&certificate, scratch.path()));
        Self { chain: fs::read_to_string(certificate).unwrap(), key: fs::read_to_string(key).unwrap(), tlsa }
    }
}

/// The same key in a certificate that was valid in January 2020 alone.
pub(crate) fn expired(certificate: &Certificate) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(scratch.path().join(name), text).unwrap();
    file("key", &certificate.key);
    file("index", "");
    file("serial", "01\n");
    file(
        "conf",
        "[ca]\ndefault_ca = it\n[it]\ndatabase = index\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\n\
         policy = any\nx509_extensions = v3\n[any]\ncommonName = supplied\n[v3]\n\
         subjectAltName = DNS:ns1.example.test\n",
    );
    let run = |arguments: &str| {
        stdout(command("openssl").current_dir(&scratch).args(arguments.split(' ')));
    };
    run("req -new -key key -subj /CN=ns1.example.test -out request");
    run(
        "ca -config conf -batch -notext -selfsign -keyfile key -in request -out chain -startdate 20200101000000Z \
         -enddate 20200201000000Z",
    );
    fs::read_to_string(scratch.path().join("chain")).unwrap()
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

/// Who certifies others.
pub(crate) struct Authority(Certificate);

impl Authority {
    pub(crate) fn new() -> Self {
        Self(Certificate::new("an authority"))
    }

    /// Its own certificate in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.0.chain
    }

    /// A certificate and its key in PEM, for a server or a client with this name.
    pub(crate) fn certify(&self, name: &str) -> (String, String) {
        let scratch = tempfile::tempdir().unwrap();
        let file = |file: &str| scratch.path().join(file);
        fs::write(file("ca"), &self.0.chain).unwrap();
        fs::write(file("ca.key"), &self.0.key).unwrap();
        let mut run = command("openssl");
        run.current_dir(&scratch)
            .args(["req", "-x509", "-nodes", "-days", "30", "-CA", "ca", "-CAkey", "ca.key"]);
        run.args([
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-keyout",
            "key",
            "-out",
            "certificate",
        ]);
        run.args(["-subj", &format!("/CN={name}"), "-addext", "basicConstraints=critical,CA:FALSE"]);
        stdout(run.args(["-addext", &format!("subjectAltName=DNS:{name}")]));
        (fs::read_to_string(file("certificate")).unwrap(), fs::read_to_string(file("key")).unwrap())
    }
}
