//! Dynamic updates: no octets break their reader, and what comes of one is a zone that a file could hold, by way of the
//! file as well.

#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use danelaw::dns::message::MAX_MESSAGE;
use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::Ttl;
use danelaw::zone::overlay::{Edited, Overlay, Overrides};
use danelaw::zone::update::{Protected, Update, Updated};
use danelaw::zone::{Contents, ManagedRrsets, Presigned};
use danelaw_fuzz::{ORIGIN, ZONES, draft, lines};
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<Contents> =
    LazyLock::new(|| draft(ZONES[0].as_bytes(), Presigned::Drop).expect("the zone is sound").contents);

fuzz_target!(|data: &[u8]| {
    // Two updates, one after the other.
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let (first, second) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
    let origin = Name::parse(ORIGIN).expect("a name");
    let managed = ManagedRrsets::from_iter([(origin.child(b"www").expect("a name"), Rtype::TLSA)]);
    let protected = Protected { managed: &managed, largest_ttl: Ttl(86_400), presigned: Presigned::Drop };
    let mut overlay = Overlay::default();
    let mut updated = Updated { contents: FILE.clone(), dirty: BTreeSet::new() };
    for message in [first, second] {
        if message.len() > MAX_MESSAGE {
            return;
        }
        let Ok(update) = Update::read(message, origin.as_ref()) else { continue };
        let mut edited = Edited::new(&overlay, Overrides::new());
        let outcome = update.apply(&mut updated, &mut edited, &protected);
        let changes = edited.finish();
        assert!(outcome.is_ok() || changes.is_empty(), "what is refused leaves a trace");
        overlay.change(changes);
    }
    let text = lines(&updated.contents);
    let again = draft(text.as_bytes(), Presigned::Drop);
    let again = again.unwrap_or_else(|problems| panic!("no file could hold this: {problems}\n{text}"));
    assert_eq!(lines(&again.contents), text);
    let (merged, _) = overlay.merge(&FILE).expect("what was done once can be done again");
    assert_eq!(without_ttls(&lines(&merged)), without_ttls(&text), "by way of the file it is another zone");
});

/// What is left of a file's RRset has the file's TTL again when the file is read, and a name has the case in which it
/// was written first.
fn without_ttls(text: &str) -> Vec<String> {
    let fields = text.lines().map(|line| {
        let mut fields: Vec<&str> = line.splitn(3, ' ').collect();
        if fields.len() == 3 {
            fields.remove(1);
        }
        fields.join(" ").to_ascii_lowercase()
    });
    fields.collect()
}
