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
        Self::with(name, P_256, &[])
    }

    /// A self-signed certificate with a fresh RSA key of 2048 bits.
    pub(crate) fn rsa(name: &str) -> Self {
        Self::with(name, &["rsa:2048"], &[])
    }

    /// [`new`](Self::new) in X.509's first version, which knows no extensions.
    pub(crate) fn version_1(name: &str) -> Self {
        let Self { key, .. } = Self::new(name);
        let scratch = tempfile::tempdir().unwrap();
        let file = |file: &str| scratch.path().join(file);
        fs::write(file("key"), &key).unwrap();
        let run = |arguments: &str| {
            stdout(command("openssl").current_dir(&scratch).args(arguments.split(' ')));
        };
        run(&format!("req -new -key key -subj /CN={name} -out request"));
        run("x509 -req -in request -signkey key -days 30 -out certificate");
        let text =
            stdout(command("openssl").args(["x509", "-noout", "-text", "-in"]).arg(file("certificate")));
        assert!(text.contains("Version: 1 "), "{text}");
        let tlsa = tlsa_of_certificate(&file("certificate"));
        Self { chain: fs::read_to_string(file("certificate")).unwrap(), key, tlsa }
    }

    /// [`new`](Self::new) with the name where TLS clients look for it.
    pub(crate) fn for_host(name: &str) -> Self {
        // A certificate that signs itself is trusted as an authority's, but must not be one itself.
        let extensions =
            [format!("subjectAltName=DNS:{name}"), "basicConstraints=critical,CA:FALSE".to_owned()];
        Self::with(name, P_256, &extensions.each_ref().map(|extension| &extension[..]))
    }

    fn with(name: &str, key_kind: &[&str], extensions: &[&str]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (certificate, key) = (scratch.path().join("certificate"), scratch.path().join("key"));
        stdout(
            command("openssl")
                .args(["req", "-x509", "-nodes", "-days", "30", "-subj", &format!("/CN={name}"), "-newkey"])
                .args(key_kind)
                .args(extensions.iter().flat_map(|extension| ["-addext", *extension]))
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&certificate),
        );
        let tlsa = tlsa_of_certificate(&certificate);
        Self { chain: fs::read_to_string(certificate).unwrap(), key: fs::read_to_string(key).unwrap(), tlsa }
    }
}

/// How `openssl req -newkey` is told of such a key.
const P_256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

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

/// `3 1 1` of the first certificate in a file, as dig prints it.
pub(crate) fn tlsa_of_certificate(file: &Path) -> String {
    digest_of(&stdout(command("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(file)))
}

/// `3 1 1` of a private key, as dig prints it.
pub(crate) fn tlsa_of_key(file: &Path) -> String {
    digest_of(&stdout(command("openssl").args(["pkey", "-pubout", "-in"]).arg(file)))
}

/// `3 1 1` of a public key in PEM.
fn digest_of(public: &str) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let (pem, der) = (scratch.path().join("pem"), scratch.path().join("der"));
    fs::write(&pem, public).unwrap();
    stdout(
        command("openssl").args(["pkey", "-pubin", "-outform", "DER", "-in"]).arg(&pem).arg("-out").arg(&der),
    );
    let digest = stdout(command("openssl").args(["dgst", "-sha256", "-r"]).arg(&der));
    format!("3 1 1 {}", digest.split_whitespace().next().unwrap().to_ascii_uppercase())
}

/// Who certifies others.
pub(crate) struct Authority(Certificate);

impl Authority {
    pub(crate) fn new() -> Self {
        Self(Certificate::new("an authority"))
    }

    /// The authority of an organization.
    pub(crate) fn of(organization: &str) -> Self {
        Self(Certificate::new(&format!("an authority/O={organization}")))
    }

    /// Its own certificate in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.0.chain
    }

    /// Its private key in PEM.
    pub(crate) fn key(&self) -> &str {
        &self.0.key
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

    /// The certificate that a request asks for, in PEM.
    pub(crate) fn grant(&self, request: &Path) -> String {
        let scratch = tempfile::tempdir().unwrap();
        let file = |file: &str| scratch.path().join(file);
        fs::write(file("ca"), &self.0.chain).unwrap();
        fs::write(file("ca.key"), &self.0.key).unwrap();
        let mut run = command("openssl");
        run.args(["x509", "-req", "-days", "30", "-copy_extensions", "copy", "-CAcreateserial", "-CA"]);
        run.arg(file("ca")).arg("-CAkey").arg(file("ca.key")).arg("-in").arg(request);
        stdout(&mut run)
    }
}
