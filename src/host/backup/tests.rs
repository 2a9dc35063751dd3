use super::*;

const STATE_OCTETS: &[u8] = b"not a database, which the archive does not know";

fn keys() -> Vec<KeyFile> {
    [("Kexample.test.+013+00257.key", "public"), ("Kexample.test.+013+00257.private", "secret")]
        .map(|(name, text)| (name.to_owned(), Zeroizing::new(text.as_bytes().to_vec())))
        .into()
}

/// What an archive is, with files under other names if so wanted.
fn archive(rename: impl Fn(&str) -> String) -> Vec<u8> {
    let mut state = tempfile::tempfile().unwrap();
    state.write_all(STATE_OCTETS).unwrap();
    let keys: Vec<KeyFile> = keys().into_iter().map(|(name, octets)| (rename(&name), octets)).collect();
    let manifest = Manifest {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        made: Timestamp(1_800_000_000),
        zones: BTreeMap::from([("example.test.".to_owned(), 7)]),
        files: entries(&mut state, &keys).unwrap(),
    };
    let mut out = Vec::new();
    write(&manifest, &mut state, &keys, &mut out).unwrap();
    out
}

fn read(octets: &[u8]) -> Result<Archive, BackupError> {
    Archive::read(&mut &octets[..], &std::env::temp_dir())
}

/// Why it is refused, if it is for what it holds.
fn fault(octets: &[u8]) -> Option<Fault> {
    match read(octets) {
        Err(BackupError::NotWhole(fault)) => Some(fault),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    }
}

#[test]
fn what_was_saved_is_read_back() {
    let Archive { manifest, mut state, keys: read } = read(&archive(str::to_owned)).unwrap();
    assert_eq!(read, keys());
    let mut octets = Vec::new();
    state.rewind().unwrap();
    state.read_to_end(&mut octets).unwrap();
    assert_eq!(octets, STATE_OCTETS);
    assert_eq!((manifest.made, manifest.zones["example.test."]), (Timestamp(1_800_000_000), 7));
}

#[test]
fn signatures_made_ahead_for_years_are_saved_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let batch = "Kexample.test.+013+00257.batch";
    std::fs::write(directory.path().join(batch), vec![b'x'; 3 << 20]).unwrap();
    let keys = keys_in(directory.path()).unwrap();
    let mut state = tempfile::tempfile().unwrap();
    let manifest = Manifest {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        made: Timestamp(1_800_000_000),
        zones: BTreeMap::new(),
        files: entries(&mut state, &keys).unwrap(),
    };
    let mut out = Vec::new();
    write(&manifest, &mut state, &keys, &mut out).unwrap();
    assert_eq!(read(&out).unwrap().keys, keys);
    std::fs::rename(directory.path().join(batch), directory.path().join("other.key")).unwrap();
    assert!(matches!(keys_in(directory.path()), Err(BackupError::Path { .. })));
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_refused() {
    let whole = archive(str::to_owned);
    let end = whole.iter().rposition(|&octet| octet != 0).unwrap() + 1;
    for length in (0..end).step_by(100) {
        assert!(fault(&whole[..length]).is_some(), "{length} of {end}");
    }
    assert_eq!(fault(&[]), Some(Fault::NoManifest));
}

#[test]
fn a_key_is_made_with_its_mode_for_the_owner_of_the_directory_and_no_symlink_is_followed() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    let directory = tempfile::tempdir().unwrap();
    // Nobody but root can give it away; then what is made is ours.
    let _ = chown(directory.path(), Some(4_711), Some(4_711));
    let owner = directory.path().metadata().unwrap().uid();
    for (name, mode) in [("a.key", 0o644), ("a.private", 0o600)] {
        let path = directory.path().join(name);
        create_key(&path, b"half").unwrap();
        let made = path.metadata().unwrap();
        assert_eq!((made.permissions().mode() & 0o7777, made.uid()), (mode, owner), "{name}");
    }
    let there = directory.path().join("b.key");
    symlink(directory.path().join("elsewhere"), &there).unwrap();
    assert_eq!(create_key(&there, b"half").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert!(!directory.path().join("elsewhere").exists());
}

#[test]
fn an_octet_that_has_changed_is_found() {
    let whole = archive(str::to_owned);
    for (text, path) in [
        ("secret", "keys/Kexample.test.+013+00257.private"),
        ("public", "keys/Kexample.test.+013+00257.key"),
        ("not a database", STATE),
    ] {
        let at = whole.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert_eq!(fault(&changed), Some(Fault::Changed(path.to_owned())));
    }
    assert!(matches!(fault(b"minutes of the last meeting"), Some(Fault::Unreadable(_) | Fault::NoManifest)));
}

#[test]
fn a_key_has_its_place_in_the_directory_and_nowhere_else() {
    let renamed = archive(|name| format!("below/{name}"));
    assert!(matches!(fault(&renamed), Some(Fault::Stranger(path)) if path.starts_with("keys/below/")));
    for name in ["..", ".", "", "../x", "a/b", "/etc/passwd", "a/"] {
        assert!(!is_file_name(name), "{name}");
    }
    assert!(is_file_name("Kexample.test.+013+00257.private"));
}

#[test]
fn a_backup_of_a_later_danelaw_is_told_apart_from_a_damaged_one() {
    let later = serde_json::json!({"format": 2, "more": true});
    assert!(matches!(Value(later).known(), Err(BackupError::NotWhole(Fault::Format(2)))));
}
