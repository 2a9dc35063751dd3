use super::*;
use crate::dns::time::Timestamp;
use crate::dnssec::lifecycle::KeyId;
use ring::rand::SystemRandom;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp(1_795_314_347);

fn zone() -> Name {
    Name::parse("example.test").unwrap()
}

fn timing() -> Timing {
    Timing { created: Some(NOW), publish: Some(NOW), activate: Some(NOW), ..Timing::default() }
}

fn generated(role: Role) -> (TempDir, StoredKey) {
    let directory = tempfile::tempdir().unwrap();
    let algorithm = Algorithm::EcdsaP256Sha256;
    let key =
        generate(directory.path(), &zone(), role, algorithm, &[], timing(), &SystemRandom::new()).unwrap();
    (directory, key)
}

fn load_all(directory: &TempDir) -> Result<Vec<StoredKey>, Vec<String>> {
    load(directory.path(), zone().as_ref(), &SystemRandom::new())
        .map_err(|errors| errors.iter().map(|error| error.reason.to_string()).collect())
}

/// What `program` printed; it must succeed.
fn run(directory: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_key_that_was_stored_is_loaded_and_only_its_owner_may_read_it() {
    let (directory, stored) = generated(Role::Csk);
    let loaded = load_all(&directory).unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].key.public(), stored.key.public());
    assert_eq!(loaded[0].timing, timing());
    assert_eq!(fs::metadata(&stored.path).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn what_is_over_says_so_in_its_files_and_is_the_same_key() {
    let (directory, stored) = generated(Role::Csk);
    let public = stored.path.with_extension("key");
    fs::set_permissions(&public, Permissions::from_mode(0o640)).unwrap();
    // A link to where the files are stays one.
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("private");
    fs::rename(&stored.path, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &stored.path).unwrap();

    end(directory.path(), &zone(), &[KeyId::of(stored.key.public())], NOW).unwrap();
    let loaded = load_all(&directory).unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].key.public(), stored.key.public());
    assert_eq!(loaded[0].timing, Timing { delete: Some(NOW), ..timing() });
    assert!(fs::symlink_metadata(&stored.path).unwrap().is_symlink());
    assert_eq!(fs::metadata(&moved).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(&public).unwrap().mode() & 0o7777, 0o640);
    let text = fs::read_to_string(&public).unwrap();
    assert_eq!(keyfile::deleted_public(&text), Some(NOW), "{text}");
    // BIND reads it, too.
    let path = public.to_str().unwrap();
    let said = run(directory.path(), "dnssec-settime", &["-p", "D", path]);
    assert!(said.contains("Delete: Sun Nov 22"), "{said}");
    // Files that somebody has removed meanwhile are no error.
    fs::remove_file(&public).unwrap();
    fs::remove_file(&stored.path).unwrap();
    end(directory.path(), &zone(), &[KeyId::of(stored.key.public())], NOW).unwrap();
    assert!(load_all(&directory).unwrap().is_empty());
}

#[test]
fn half_a_key_is_never_left_behind() {
    let (directory, stored) = generated(Role::Csk);
    let elsewhere = tempfile::tempdir().unwrap();
    let public = stored.path.with_extension("key");
    fs::write(elsewhere.path().join(public.file_name().unwrap()), "taken").unwrap();
    let (private, timing) = keyfile::parse_private(&fs::read_to_string(&stored.path).unwrap()).unwrap();
    let error = store(elsewhere.path(), &stored.key, &private, &timing).unwrap_err();
    assert!(matches!(&error.reason, Reason::Io(error) if error.kind() == io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "what was there, and nothing else");
    // Nor is a key replaced.
    store(directory.path(), &stored.key, &private, &timing).unwrap_err();
    assert_eq!(load_all(&directory).unwrap().len(), 1);
}

#[test]
fn a_directory_without_keys_has_none_and_other_zones_keys_are_not_ours() {
    let directory = tempfile::tempdir().unwrap();
    assert!(load_all(&directory).unwrap().is_empty());
    assert!(load(&directory.path().join("none"), zone().as_ref(), &SystemRandom::new()).unwrap().is_empty());
    let other = Name::parse("sub.example.test").unwrap();
    generate(
        directory.path(),
        &other,
        Role::Csk,
        Algorithm::EcdsaP256Sha256,
        &[],
        timing(),
        &SystemRandom::new(),
    )
    .unwrap();
    fs::write(directory.path().join("Kexample.test.+013+1.key"), "x").unwrap();
    assert!(load_all(&directory).unwrap().is_empty());
}

/// PEERS.md, Cascade 238: key files that others may read.
#[test]
fn a_looser_mode_is_an_error() {
    let (directory, stored) = generated(Role::Csk);
    fs::set_permissions(&stored.path, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        load_all(&directory).err(),
        Some(vec!["mode is 0640, expected 0600; run `chmod 600` on it".into()])
    );
    fs::set_permissions(&stored.path, Permissions::from_mode(0o400)).unwrap();
    assert!(load_all(&directory).is_ok());
}

#[test]
fn a_missing_half_is_reported_and_not_replaced() {
    for suffix in ["private", "key"] {
        let (directory, stored) = generated(Role::Csk);
        let path = stored.path.with_extension(suffix);
        fs::remove_file(&path).unwrap();
        let errors = load(directory.path(), zone().as_ref(), &SystemRandom::new()).unwrap_err();
        assert_eq!(errors[0].path, path);
        assert!(matches!(errors[0].reason, Reason::Missing));
        assert!(!path.exists());
    }
}

#[test]
fn files_of_two_keys_mixed_up_are_reported() {
    let (directory, first) = generated(Role::Ksk);
    let second = generate(
        directory.path(),
        &zone(),
        Role::Zsk,
        Algorithm::Ed25519,
        std::slice::from_ref(&first),
        timing(),
        &SystemRandom::new(),
    )
    .unwrap();
    assert_eq!(load_all(&directory).unwrap().len(), 2);
    fs::copy(&first.path, &second.path).unwrap();
    assert_eq!(load_all(&directory).err(), Some(vec![KeyError::Mismatch.to_string()]));
    fs::copy(first.path.with_extension("key"), second.path.with_extension("key")).unwrap();
    assert!(load_all(&directory).unwrap_err()[0].contains("expected the one that the file is named after"));
}

#[test]
fn an_import_that_did_not_come_to_its_end_can_be_done_again() {
    let (elsewhere, first) = generated(Role::Ksk);
    let second = generate(
        elsewhere.path(),
        &zone(),
        Role::Zsk,
        Algorithm::EcdsaP256Sha256,
        std::slice::from_ref(&first),
        timing(),
        &SystemRandom::new(),
    )
    .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let import = |files: &[&PathBuf]| {
        let files = files.iter().copied().cloned().collect();
        let order = Import { zone: zone(), files, dnskeys: vec![], list: None, role: None };
        import(directory.path(), &order).unwrap().keys.len()
    };
    assert_eq!(import(&[&first.path]), 1);
    let before = fs::read(directory.path().join(first.path.file_name().unwrap())).unwrap();
    assert_eq!(import(&[&first.path, &second.path]), 2);
    assert_eq!(fs::read(directory.path().join(first.path.file_name().unwrap())).unwrap(), before);
    assert_eq!(load_all(&directory).unwrap().len(), 2);
}

#[test]
fn storing_a_key_again_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let random = SystemRandom::new();
    let (key, private) =
        SigningKey::generate(&zone(), Role::Csk, Algorithm::EcdsaP256Sha256, &[], &random).unwrap();
    let path = store(directory.path(), &key, &private, &timing()).unwrap();
    let before = fs::read(&path).unwrap();
    let error = store(directory.path(), &key, &private, &Timing::default()).unwrap_err();
    assert!(matches!(&error.reason, Reason::Io(error) if error.kind() == io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn keys_made_by_dnssec_keygen_are_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let keygen = |algorithm, extra: &[&str]| {
        let arguments = [&["-q", "-a", algorithm, "-K", "."], extra, &["example.test"]].concat();
        run(directory.path(), "dnssec-keygen", &arguments).trim().to_owned()
    };
    let stems: BTreeSet<_> = [
        keygen("ECDSAP256SHA256", &["-f", "KSK", "-L", "3600"]),
        keygen("ECDSAP256SHA256", &["-I", "+1y", "-D", "+2y"]),
        keygen("ECDSAP384SHA384", &[]),
        keygen("ED25519", &[]),
        keygen("RSASHA256", &["-b", "2048"]),
        keygen("RSASHA512", &["-b", "3072", "-f", "KSK"]),
    ]
    .into();
    let loaded = load_all(&directory).unwrap();
    let found: BTreeSet<_> =
        loaded.iter().map(|k| k.path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(found, stems);
    assert!(loaded.iter().all(|k| k.timing.activate.is_some()));
    assert_eq!(loaded.iter().filter(|k| k.timing.inactive.is_some() && k.timing.delete.is_some()).count(), 1);
    for StoredKey { key, .. } in loaded {
        let mut signature = Vec::new();
        key.sign(b"message", &SystemRandom::new(), &mut signature).unwrap();
        assert_eq!(signature.len(), key.public().signature_length());
        assert!(key.public().verifies(b"message", &signature), "{key:?}");
    }
}

#[test]
fn an_rsa_key_that_is_too_short_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), "dnssec-keygen", &["-q", "-a", "RSASHA256", "-b", "1024", "example.test"]);
    assert_eq!(load_all(&directory).err(), Some(vec![KeyError::RsaBits(1_024).to_string()]));
}

#[test]
fn dnssec_dsfromkey_and_dnssec_signzone_take_our_keys() {
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384, Algorithm::Ed25519] {
        dnssec_signzone_takes_our_keys(algorithm);
    }
}

fn dnssec_signzone_takes_our_keys(algorithm: Algorithm) {
    use crate::dnssec::key::DigestType;
    use data_encoding::HEXUPPER;
    let directory = tempfile::tempdir().unwrap();
    let random = SystemRandom::new();
    let ksk = generate(directory.path(), &zone(), Role::Ksk, algorithm, &[], timing(), &random).unwrap();
    let stored = std::slice::from_ref(&ksk);
    generate(directory.path(), &zone(), Role::Zsk, algorithm, stored, timing(), &random).unwrap();
    let key_file = ksk.path.with_extension("key");
    for digest in [DigestType::Sha256, DigestType::Sha384] {
        let hash = if digest == DigestType::Sha256 { "SHA-256" } else { "SHA-384" };
        let printed = run(directory.path(), "dnssec-dsfromkey", &["-a", hash, key_file.to_str().unwrap()]);
        let ours = HEXUPPER.encode(&ksk.key.public().ds(zone().as_ref(), digest)[4..]);
        assert!(printed.contains(&ours), "{printed}");
        assert!(printed.contains(&format!(
            "DS {} {} {}",
            ksk.key.public().tag(),
            algorithm.number(),
            digest.number()
        )));
    }
    let text = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n";
    fs::write(directory.path().join("zone"), text).unwrap();
    run(directory.path(), "dnssec-signzone", &["-S", "-z", "-o", "example.test", "zone"]);
    run(directory.path(), "dnssec-verify", &["-z", "-o", "example.test", "zone.signed"]);
}
