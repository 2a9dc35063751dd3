//! Updates as `nsupdate` writes them, against a small zone.

use super::*;
use crate::dns::zonefile::{self, NoFiles};
use crate::zone::node::encode_record;
use crate::zone::overlay::{Contradiction, Overlay, Overrides};
use crate::zone::{DraftBuilder, ManagedRrsets};

const ZONE: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n\
    www A 192.0.2.80\nwww A 192.0.2.81\nwww TXT hello\nalias CNAME www\n_443._tcp.www TLSA 3 1 0 00\n\
    child NS ns.child\nchild DS 1 13 250 aa\nns.child A 192.0.2.99\nold DNAME new\nx.empty A 192.0.2.3\n";

pub(in crate::zone) fn zone(text: &str) -> Contents {
    let origin = name("@");
    let mut builder = DraftBuilder::new(origin.clone(), Presigned::Drop);
    let outcome = zonefile::read("zone", text.as_bytes(), origin.as_ref(), &mut NoFiles, &mut builder);
    assert!(outcome.problems.is_empty(), "{}", outcome.problems);
    builder.build(&ManagedRrsets::default(), |at| outcome.files.place(at)).unwrap().0.contents
}

fn name(text: &str) -> Name {
    match text {
        "@" => Name::parse("example.test").unwrap(),
        text if text.ends_with('.') => Name::parse(text).unwrap(),
        text => Name::parse(&format!("{text}.example.test")).unwrap(),
    }
}

/// A message of lines such as `yxdomain NAME`, `nxrrset NAME TYPE`, `yxrrset NAME TYPE RDATA`, `add NAME TTL TYPE
/// RDATA`, `delete NAME [TYPE [RDATA]]`.
fn message(lines: &str) -> Vec<u8> {
    let origin = name("@");
    let mut sections = [Vec::new(), Vec::new()];
    let mut counts = [0_u16; 2];
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (verb, owner) = (words.next().unwrap(), name(words.next().unwrap()));
        let rest = words.next().unwrap_or("");
        let (ttl, rest) = if verb == "add" { rest.split_once(' ').unwrap() } else { ("0", rest) };
        let (rtype, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let rtype = if rtype.is_empty() { Rtype::ANY } else { rtype.parse().unwrap() };
        let rdata = match text {
            "" => Vec::new(),
            text => rdata::from_text(rtype, text, origin.as_ref()).unwrap(),
        };
        let class = match verb {
            "add" => CLASS_IN,
            "delete" if text.is_empty() => CLASS_ANY,
            "delete" | "nxdomain" | "nxrrset" => CLASS_NONE,
            "yxrrset" if !text.is_empty() => CLASS_IN,
            "yxdomain" | "yxrrset" => CLASS_ANY,
            verb => panic!("{verb}"),
        };
        let section = usize::from(matches!(verb, "add" | "delete"));
        let mut record = Vec::new();
        encode_record(&mut record, rtype, Ttl(ttl.parse().unwrap()), &rdata);
        record[2..4].copy_from_slice(&class.to_be_bytes());
        sections[section].extend([owner.as_ref().wire(), &record].concat());
        counts[section] += 1;
    }
    let counts = [1, counts[0], counts[1], 0].map(u16::to_be_bytes).concat();
    [&[0, 7, 5 << 3, 0], &counts[..], origin.as_ref().wire(), &[0, 6, 0, 1], &sections.concat()].concat()
}

/// A zone with its file and what updates have made of it.
struct World {
    file: Contents,
    contents: Contents,
    overlay: Overlay,
    managed: ManagedRrsets,
}

impl World {
    fn new() -> Self {
        let file = zone(ZONE);
        let managed =
            [(name("_443._tcp.www"), Rtype::TLSA), (name("_mta-sts"), Rtype::TXT)].into_iter().collect();
        Self { contents: file.clone(), file, overlay: Overlay::default(), managed }
    }

    /// Does what these lines say; or says why not, and that nothing has changed then.
    fn update(&mut self, lines: &str) -> Rcode {
        let update = match Update::read(&message(lines), name("@").as_ref()) {
            Ok(update) => update,
            Err(rcode) => return rcode,
        };
        let mut updated = Updated { contents: self.contents.clone(), dirty: BTreeSet::new() };
        let mut edited = Edited::new(&self.overlay, Overrides::new());
        let protected =
            Protected { managed: &self.managed, largest_ttl: Ttl(86_400), presigned: Presigned::Drop };
        let outcome = update.apply(&mut updated, &mut edited, &protected);
        let changes = edited.finish();
        if let Err(rcode) = outcome {
            assert!(
                updated.dirty.is_empty() && changes.is_empty(),
                "a refused update leaves everything as it was"
            );
            assert!(updated.contents.nodes.iter().eq(&self.contents.nodes));
            return rcode;
        }
        self.contents = updated.contents;
        self.overlay.change(changes);
        let (merged, _) = self.overlay.merge(&self.file).unwrap();
        // The TTL of what is left of the file comes back with the file.
        assert_eq!(records(&merged, false), records(&self.contents, false), "the same by way of the file");
        Rcode::NOERROR
    }

    /// The file is edited, and read again.
    fn edit(&mut self, text: &str) -> Result<(), Contradiction> {
        let file = zone(text);
        let (contents, changes) = self.overlay.merge(&file)?;
        (self.contents, self.file) = (contents, file);
        self.overlay.change(changes);
        Ok(())
    }

    /// What stands at a name, as `TTL TYPE RDATA`.
    fn at(&self, owner: &str) -> Vec<String> {
        let owner = format!("{} ", name(owner));
        let records = records(&self.contents, true);
        records.iter().filter_map(|record| Some(record.strip_prefix(&owner)?.to_owned())).collect()
    }
}

/// The records, one a line, with or without TTLs.
fn records(contents: &Contents, ttls: bool) -> Vec<String> {
    let nodes = contents.nodes.iter();
    let rrsets = nodes.flat_map(|node| node.rrsets().map(move |rrset| (node.owner(), rrset)));
    rrsets
        .flat_map(|(owner, rrset)| {
            let ttl = if ttls { format!("{} ", rrset.ttl().0) } else { String::new() };
            let line = move |rdata| {
                let mut text = String::new();
                rdata::write(rrset.rtype, rdata, &mut text).unwrap();
                format!("{owner} {ttl}{} {text}", rrset.rtype)
            };
            rrset.rdatas().map(line).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn records_are_added_and_taken_out() {
    let mut world = World::new();
    assert_eq!(
        world.update("add new 60 A 192.0.2.7\nadd new 60 A 192.0.2.8\ndelete www TXT"),
        Rcode::NOERROR
    );
    assert_eq!(world.at("new"), ["60 A 192.0.2.7", "60 A 192.0.2.8"]);
    assert_eq!(world.at("www"), ["3600 A 192.0.2.80", "3600 A 192.0.2.81"]);
    assert_eq!(world.update("delete www A 192.0.2.80\ndelete www A 192.0.2.99"), Rcode::NOERROR);
    assert_eq!(world.at("www"), ["3600 A 192.0.2.81"]);
    assert_eq!(world.update("delete new"), Rcode::NOERROR);
    assert!(world.at("new").is_empty());
    assert_eq!(world.update(""), Rcode::NOERROR);
}

#[test]
fn an_added_record_gives_its_ttl_to_its_rrset_and_a_double_takes_the_place_of_the_old() {
    let mut world = World::new();
    assert_eq!(world.update("add www 60 A 192.0.2.82"), Rcode::NOERROR);
    assert_eq!(world.at("www")[..3], ["60 A 192.0.2.80", "60 A 192.0.2.81", "60 A 192.0.2.82"]);
    assert_eq!(world.update("add www 120 A 192.0.2.80"), Rcode::NOERROR);
    assert_eq!(world.at("www")[..3], ["120 A 192.0.2.80", "120 A 192.0.2.81", "120 A 192.0.2.82"]);
    assert_eq!(world.update("add new 2147483648 A 192.0.2.1"), Rcode::NOERROR);
    assert_eq!(world.at("new"), ["0 A 192.0.2.1"], "RFC 2181 §8");
}

#[test]
fn prerequisites_are_held_against_the_zone() {
    let add = |wanted: &str| World::new().update(&format!("{wanted}\nadd new 60 A 192.0.2.7"));
    for (wanted, outcome) in [
        ("yxdomain www", Rcode::NOERROR),
        ("yxdomain nobody", Rcode::NXDOMAIN),
        // An empty non-terminal has no record.
        ("yxdomain empty", Rcode::NXDOMAIN),
        ("nxdomain nobody", Rcode::NOERROR),
        ("nxdomain www", Rcode::YXDOMAIN),
        ("yxrrset www A", Rcode::NOERROR),
        ("yxrrset www MX", Rcode::NXRRSET),
        ("nxrrset www MX", Rcode::NOERROR),
        ("nxrrset www A", Rcode::YXRRSET),
        ("yxrrset www A 192.0.2.80\nyxrrset www A 192.0.2.81", Rcode::NOERROR),
        ("yxrrset www A 192.0.2.80", Rcode::NXRRSET),
        ("yxrrset www A 192.0.2.80\nyxrrset www A 192.0.2.81\nyxrrset www A 192.0.2.82", Rcode::NXRRSET),
        ("yxrrset nobody A 192.0.2.80", Rcode::NXRRSET),
        ("yxrrset @ NS NS2.Example.Test.\nyxrrset @ NS ns1.example.test.", Rcode::NOERROR),
        ("yxdomain example.org.", Rcode::NOTZONE),
    ] {
        assert_eq!(add(wanted), outcome, "{wanted}");
    }
}

#[test]
fn a_cname_and_other_data_keep_out_of_each_others_way_in_silence() {
    let mut world = World::new();
    assert_eq!(world.update("add www 60 CNAME ns1\nadd alias 60 A 192.0.2.1"), Rcode::NOERROR);
    assert_eq!(
        (world.at("www").len(), world.at("alias")),
        (3, vec!["3600 CNAME www.example.test.".to_owned()])
    );
    assert_eq!(world.update("add alias 60 CNAME ns1"), Rcode::NOERROR);
    assert_eq!(world.at("alias"), ["60 CNAME ns1.example.test."]);
    assert_eq!(world.update("delete alias CNAME\nadd alias 60 A 192.0.2.1"), Rcode::NOERROR);
    assert_eq!(world.at("alias"), ["60 A 192.0.2.1"]);
}

#[test]
fn the_apex_keeps_soa_and_its_last_ns() {
    let mut world = World::new();
    let apex = world.at("@");
    assert_eq!(world.update("delete @ NS\ndelete @"), Rcode::NOERROR);
    assert_eq!(world.at("@"), apex);
    assert_eq!(world.update("delete @ NS ns1\ndelete @ NS ns2"), Rcode::NOERROR);
    assert_eq!(world.at("@")[0], "3600 NS ns2.example.test.");
    assert_eq!(world.update("add @ 60 TXT hello\nadd @ 60 MX 10 www\ndelete @"), Rcode::NOERROR);
    assert_eq!(world.at("@").len(), 2);
}

#[test]
fn keys_away_from_the_apex_can_be_added_and_deleted() {
    let mut world = World::new();
    let owner = "_dsboot.child.test._signal.ns1";
    assert_eq!(world.update(&format!("add {owner} 60 CDS 1 13 250 aa")), Rcode::NOERROR);
    assert_eq!(world.at(owner), ["60 CDS 1 13 250 AA"]);
    assert_eq!(world.update(&format!("delete {owner}")), Rcode::NOERROR);
    assert!(world.at(owner).is_empty());
}

#[test]
fn nobody_touches_what_is_the_signers_or_made_of_certificates_or_breaks_the_zone() {
    for lines in [
        "add @ 60 SOA ns1 root 99 2 1 5 5",
        "delete @ SOA",
        "delete @ DNSKEY",
        "add @ 60 CDS 1 13 250 aa",
        "delete www RRSIG",
        "add www 60 NSEC www A",
        "add @ 60 NSEC3PARAM 1 0 0 -",
        "add _443._tcp.www 60 TLSA 3 1 0 01",
        "delete _443._tcp.www TLSA",
        "delete _443._tcp.www TLSA 3 1 0 00",
        "delete _443._tcp.www",
        "add _mta-sts 60 TXT v=STSv1",
        "add _mta-sts 60 CNAME www",
        "add www 86401 A 192.0.2.1",
        "add www.example.org. 60 A 192.0.2.1",
        "delete www.example.org.",
        // What a file could not hold, either.
        "add www 60 DS 1 13 250 aa",
        "delete child NS",
        "add below.old 60 A 192.0.2.1",
        "add empty 60 DNAME www",
        "add *.x 60 NS ns1",
        "add both 60 NS ns1\nadd both 60 DNAME www",
    ] {
        let also = format!("add fine 60 A 192.0.2.1\n{lines}");
        assert_eq!(World::new().update(&also), Rcode::REFUSED, "{lines}");
    }
    assert_eq!(World::new().update("add _443._tcp.www 60 TXT mine\ndelete child"), Rcode::NOERROR);
}

#[test]
fn what_is_no_update_is_a_format_error() {
    for lines in ["add www 60 AXFR", "delete www TYPE250", "yxrrset www IXFR", "add www 60 A"] {
        assert_eq!(World::new().update(lines), Rcode::FORMERR, "{lines}");
    }
    let good = message("yxdomain www\nadd new 60 A 192.0.2.7");
    for cut in 30..good.len() {
        assert_eq!(Update::read(&good[..cut], name("@").as_ref()), Err(Rcode::FORMERR));
    }
    let touched = Update::read(&message("add a 60 A 192.0.2.7\ndelete b"), name("@").as_ref()).unwrap();
    let touches: Vec<_> = touched.touches().map(|(owner, rtype)| (owner.to_string(), rtype)).collect();
    assert_eq!(touches, [("a.example.test.".into(), Some(Rtype::A)), ("b.example.test.".into(), None)]);
}

#[test]
fn an_edited_file_brings_its_news_and_undoes_no_update() {
    let mut world = World::new();
    world.update("add new 60 A 192.0.2.7\nadd www 60 A 192.0.2.82\ndelete www A 192.0.2.80\ndelete www TXT");
    let edited = ZONE.replace("www TXT hello", "www TXT hello\nwww TXT again\nmore A 192.0.2.4");
    world.edit(&edited).unwrap();
    assert_eq!(world.at("new"), ["60 A 192.0.2.7"]);
    assert_eq!(world.at("www"), ["60 A 192.0.2.81", "60 A 192.0.2.82", "3600 TXT \"again\""]);
    assert_eq!(world.at("more"), ["3600 A 192.0.2.4"]);
}

#[test]
fn what_the_file_has_itself_is_the_files_from_then_on() {
    let mut world = World::new();
    world.update("add new 3600 A 192.0.2.7\ndelete www TXT");
    let edited = format!("{ZONE}new A 192.0.2.7\n").replace("www TXT hello\n", "");
    world.edit(&edited).unwrap();
    assert!(world.overlay.is_empty(), "{:?}", world.overlay);
    world.edit(ZONE).unwrap();
    assert_eq!((world.at("new").len(), world.at("www").len()), (0, 3));
}

#[test]
fn a_record_of_the_file_that_was_taken_out_and_put_back_is_as_the_update_says() {
    let mut world = World::new();
    world.update("delete www TXT");
    world.update("add www 60 TXT hello");
    assert_eq!(world.at("www")[2], "60 TXT \"hello\"");
    world.edit(&format!("{ZONE}more A 192.0.2.4\n")).unwrap();
    assert_eq!(world.at("www")[2], "60 TXT \"hello\"");
    world.update("delete www TXT");
    world.edit(ZONE).unwrap();
    assert_eq!(world.at("www").len(), 2);
}

#[test]
fn a_file_and_updates_that_contradict_each_other_are_a_matter_for_a_person() {
    let mut world = World::new();
    world.update("add new 60 A 192.0.2.7");
    let Contradiction(owner) = world.edit(&format!("{ZONE}new CNAME www\n")).unwrap_err();
    assert_eq!(owner, name("new"));
    world.update("add a.deep 60 A 192.0.2.8");
    let Contradiction(owner) = world.edit(&format!("{ZONE}deep DNAME www\n")).unwrap_err();
    assert_eq!(owner, name("a.deep"));
    world.edit(&format!("{ZONE}new DNAME www\n")).unwrap();
}
