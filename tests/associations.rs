//! Every association that danelaw computes is the one that OpenSSL computes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "tests make the files that OpenSSL reads")]

use std::path::PathBuf;
use std::process::Command;

use danelaw::dns::rtype::Rtype;
use danelaw::tlsa::material::{Kind, Part};
use danelaw::tlsa::params::{Matching, Selector};
use danelaw::tlsa::{Association, AssociationError, Combination, Material, MaterialError, Params};
use tempfile::TempDir;

/// What `openssl` is told to make each kind of key with.
const KEYS: [(&str, &str); 8] = [
    ("rsa2048", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    ("rsa1024", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
    ("rsa-pss", "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048"),
    ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    ("p521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
    ("brainpool", "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1"),
    ("ed25519", "-algorithm ED25519"),
];

struct Pki {
    scratch: TempDir,
}

impl Pki {
    /// A root, an intermediate below it and a server's certificate below that, for a key of `algorithm`.
    fn new(algorithm: &str) -> Self {
        let pki = Self { scratch: tempfile::tempdir().unwrap() };
        pki.openssl(&format!("genpkey {algorithm} -out leaf.key"));
        for name in ["root", "inter"] {
            pki.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        }
        let ca = "-addext basicConstraints=critical,CA:TRUE";
        pki.openssl(&format!("req -x509 -new -key root.key -subj /CN=Root -days 30 {ca} -out root.pem"));
        pki.openssl(&format!("req -new -key inter.key -subj /CN=Intermediate {ca} -out inter.csr"));
        pki.openssl("req -new -key leaf.key -subj /CN=mail.example.test -out leaf.csr");
        let sign = "x509 -req -days 30 -copy_extensions copyall";
        pki.openssl(&format!("{sign} -in inter.csr -CA root.pem -CAkey root.key -out inter.pem"));
        pki.openssl(&format!("{sign} -in leaf.csr -CA inter.pem -CAkey inter.key -out leaf.pem"));
        pki
    }

    fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Runs openssl in the scratch directory and returns what it prints.
    fn openssl(&self, arguments: &str) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments.split_ascii_whitespace())
            .current_dir(self.scratch.path())
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "openssl {arguments}: {message}");
        output.stdout
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap()
    }

    fn parse(&self, names: &[&str]) -> Material {
        let octets: Vec<u8> = names.iter().flat_map(|name| self.read(name)).collect();
        Material::parse(&octets).unwrap_or_else(|error| panic!("{names:?}: {error}"))
    }

    /// The association data that OpenSSL computes for `certificate`, whichever usage it is for.
    fn expected(&self, params: Combination, certificate: &str) -> Vec<u8> {
        let file = format!("{certificate}.{}.der", params.octets()[1]);
        if !self.at(&file).exists() {
            match params.selector {
                Selector::Certificate => {
                    self.openssl(&format!("x509 -in {certificate} -outform DER -out {file}"));
                }
                Selector::PublicKey => {
                    self.openssl(&format!("x509 -in {certificate} -noout -pubkey -out {file}.pem"));
                    self.openssl(&format!("pkey -pubin -in {file}.pem -outform DER -out {file}"));
                }
            }
        }
        match params.matching {
            Matching::Full => self.read(&file),
            Matching::Sha256 => self.openssl(&format!("dgst -sha256 -binary {file}")),
            Matching::Sha512 => self.openssl(&format!("dgst -sha512 -binary {file}")),
        }
    }
}

#[test]
fn every_usage_selector_and_matching_type_of_every_kind_of_key_equals_openssls() {
    for (name, algorithm) in KEYS {
        let pki = Pki::new(algorithm);
        let chain = pki.parse(&["leaf.pem", "inter.pem"]);
        for params in Combination::all() {
            let subject = if params.usage.is_issuer() { "inter.pem" } else { "leaf.pem" };
            let association = Association::new(params.into(), &chain).unwrap();
            assert_eq!(association.data(), pki.expected(params, subject), "{params} of {name}");
            assert_eq!(Association::from_rdata(Rtype::TLSA, &association.rdata()), Ok(association));
        }
        let with_root = pki.parse(&["leaf.pem", "inter.pem", "root.pem"]);
        let params: Combination = "2 1 1".parse().unwrap();
        assert_eq!(
            Association::new(params.into(), &with_root).unwrap().data(),
            pki.expected(params, "root.pem")
        );
    }
}

#[test]
fn every_form_of_a_key_vouches_for_the_certificate_it_will_have() {
    for (name, algorithm) in KEYS {
        let pki = Pki::new(algorithm);
        let expected = pki.expected("3 1 1".parse().unwrap(), "leaf.pem");
        let mut forms = vec![
            ("leaf.key", Kind::PrivateKey),
            ("leaf.csr", Kind::Request),
            ("leaf.pem", Kind::Certificate),
        ];
        pki.openssl("pkey -in leaf.key -outform DER -out key.der");
        pki.openssl("pkey -in leaf.key -pubout -out public.pem");
        pki.openssl("pkey -in leaf.key -pubout -outform DER -out public.der");
        pki.openssl("req -in leaf.csr -outform DER -out csr.der");
        pki.openssl("x509 -in leaf.pem -outform DER -out leaf.der");
        forms.extend([("key.der", Kind::PrivateKey), ("public.pem", Kind::PublicKey)]);
        forms.extend([("public.der", Kind::PublicKey), ("csr.der", Kind::Request)]);
        forms.push(("leaf.der", Kind::Certificate));
        match name {
            "rsa2048" | "rsa1024" => {
                pki.openssl("rsa -in leaf.key -traditional -out traditional.pem");
                pki.openssl("rsa -in leaf.key -traditional -outform DER -out traditional.der");
                pki.openssl("rsa -in leaf.key -RSAPublicKey_out -out rsapublic.pem");
                pki.openssl("rsa -in leaf.key -RSAPublicKey_out -outform DER -out rsapublic.der");
                forms.extend([("traditional.pem", Kind::PrivateKey), ("traditional.der", Kind::PrivateKey)]);
                forms.extend([("rsapublic.pem", Kind::PublicKey), ("rsapublic.der", Kind::PublicKey)]);
            }
            "p256" | "p384" | "p521" | "brainpool" => {
                pki.openssl("ec -in leaf.key -out sec1.pem");
                pki.openssl("ec -in leaf.key -outform DER -out sec1.der");
                pki.openssl("ec -in leaf.key -param_out -out parameters.pem");
                let both = [pki.read("parameters.pem"), pki.read("sec1.pem")].concat();
                assert!(both.starts_with(b"-----BEGIN EC PARAMETERS-----"));
                std::fs::write(pki.at("both.pem"), both).unwrap();
                forms.extend([("sec1.pem", Kind::PrivateKey), ("sec1.der", Kind::PrivateKey)]);
                forms.push(("both.pem", Kind::PrivateKey));
            }
            _ => {}
        }
        for (form, kind) in forms {
            let material = pki.parse(&[form]);
            assert_eq!(material.kind(), kind, "{form} of {name}");
            let association = Association::new(Params::DEFAULT, &material).unwrap();
            assert_eq!(association.data(), expected, "{form} of {name}");
            assert!(material.matches(&pki.parse(&["leaf.pem", "inter.pem"])));
        }
    }
}

#[test]
fn a_combined_file_is_read_when_its_parts_agree() {
    let pki = Pki::new(KEYS[3].1);
    let combined = pki.parse(&["leaf.key", "leaf.pem", "inter.pem"]);
    assert_eq!(combined, pki.parse(&["leaf.pem", "inter.pem"]));
    assert_eq!(combined, pki.parse(&["leaf.pem", "leaf.key", "inter.pem"]));
    let mismatched = [pki.read("inter.key"), pki.read("leaf.pem"), pki.read("inter.pem")].concat();
    assert_eq!(Material::parse(&mismatched), Err(MaterialError::Mismatch(Kind::PrivateKey)));
    let two_keys = [pki.read("inter.key"), pki.read("leaf.key")].concat();
    assert_eq!(Material::parse(&two_keys), Err(MaterialError::TwoKeys));
}

#[test]
fn a_key_cannot_stand_for_a_certificate_or_a_leaf_for_its_issuer() {
    let pki = Pki::new(KEYS[3].1);
    let key = pki.parse(&["leaf.key"]);
    for params in Combination::all() {
        let result = Association::new(params.into(), &key);
        if params.needs_only_the_key() {
            assert!(result.is_ok());
        } else {
            assert_eq!(
                result,
                Err(AssociationError::NeedsCertificate { params: params.into(), kind: Kind::PrivateKey })
            );
        }
    }
    let params = "2 1 1".parse().unwrap();
    let alone = Association::new(params, &pki.parse(&["leaf.pem"]));
    assert_eq!(alone, Err(AssociationError::NoIssuer(params)));
    let error = Association::new("3 0 1".parse().unwrap(), &key).unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 0 1 is made of a certificate, and a private key holds none; give the certificate, or use 3 1 1"
    );
}

#[test]
fn encrypted_keys_and_containers_are_named_for_what_they_are() {
    let pki = Pki::new(KEYS[3].1);
    pki.openssl("pkey -in leaf.key -aes256 -passout pass:secret -out encrypted.pem");
    pki.openssl("ec -in leaf.key -aes256 -passout pass:secret -out old.pem");
    pki.openssl("pkcs8 -topk8 -in leaf.key -passout pass:secret -outform DER -out encrypted.der");
    for name in ["encrypted.pem", "old.pem", "encrypted.der"] {
        assert_eq!(Material::parse(&pki.read(name)), Err(MaterialError::Encrypted), "{name}");
    }
    pki.openssl("pkcs12 -export -inkey leaf.key -in leaf.pem -passout pass:secret -out leaf.p12");
    assert_eq!(Material::parse(&pki.read("leaf.p12")), Err(MaterialError::Pkcs12));
    pki.openssl("ec -in leaf.key -no_public -out nopublic.pem");
    assert_eq!(Material::parse(&pki.read("nopublic.pem")), Err(MaterialError::NoPublicKey));
}

#[test]
fn der_cut_anywhere_is_refused() {
    let pki = Pki::new(KEYS[3].1);
    pki.openssl("x509 -in leaf.pem -outform DER -out leaf.der");
    pki.openssl("pkey -in leaf.key -outform DER -out key.der");
    for name in ["leaf.der", "key.der"] {
        let whole = pki.read(name);
        assert_eq!(Material::parse(&[]), Err(MaterialError::Empty));
        for cut in 1..whole.len() {
            assert_eq!(
                Material::parse(&whole[..cut]),
                Err(MaterialError::CutOff(Part::Der)),
                "{name} at {cut}"
            );
        }
    }
}

#[test]
fn no_private_octet_shows_in_debug_or_errors() {
    let pki = Pki::new(KEYS[7].1);
    pki.openssl("pkey -in leaf.key -outform DER -out key.der");
    let der = pki.read("key.der");
    let seed = &der[der.len() - 32..];
    let material = Material::parse(&der).unwrap();
    assert!(!material.key().windows(32).any(|window| window == seed));
    let mut broken = der.clone();
    broken.push(0);
    let shown = format!("{material:?} {:?}", Material::parse(&broken));
    let hex = data_encoding::HEXLOWER.encode(&seed[..4]);
    assert!(!shown.contains(&hex), "{shown}");
}
