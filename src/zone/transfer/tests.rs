//! Streams written record by record, as primaries send them.

use super::*;
use crate::dns::message::{Compression, Header, Owner, Question, Writer, flag};
use crate::dns::rdata;
use crate::dns::rtype::CLASS_IN;
use crate::dns::zonefile::{self, NoFiles};
use crate::zone::node::encode_record;

const ID: u16 = 0x1234;
const BASE: &str = "@ 3600 SOA ns1 root 5 7200 900 432000 300\n\
    @ 3600 NS ns1\n\
    ns1 3600 A 192.0.2.1\n\
    www 3600 A 192.0.2.80\n\
    _443._tcp.www 3600 TLSA 3 1 1 00\n";

fn origin() -> Name {
    Name::parse("example.test").unwrap()
}

fn order(presigned: Presigned) -> Order {
    Order {
        zone: origin(),
        presigned,
        managed: ManagedRrsets::from_iter([(
            Name::parse("_443._tcp.www.example.test").unwrap(),
            Rtype::TLSA,
        )]),
        max_size: 1 << 20,
        zonemd: Demand::IfPresent,
        primary: "hidden".to_owned(),
    }
}

/// Records in the order of the text.
#[derive(Default)]
struct Records(Vec<(Name, Ttl, Rtype, Vec<u8>)>);

impl Sink for Records {
    fn record(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, rdata: &[u8], _: At) {
        self.0.push((owner.to_owned(), ttl, rtype, rdata.to_vec()));
    }
}

fn records(text: &str) -> Records {
    let mut records = Records::default();
    let outcome = zonefile::read("test", text.as_bytes(), origin().as_ref(), &mut NoFiles, &mut records);
    assert!(!outcome.problems.refuse(), "{}", outcome.problems);
    records
}

fn base() -> Base {
    let mut builder = DraftBuilder::new(origin(), Presigned::Keep);
    for (owner, ttl, rtype, rdata) in records(BASE).0 {
        builder.record(owner.as_ref(), ttl, rtype, &rdata, At::default());
    }
    let (draft, _) = builder.build(&ManagedRrsets::default(), |_| Place::file("")).unwrap();
    let snapshot = Arc::new(Snapshot::new(draft.contents).unwrap());
    Base { serial: Serial(5), snapshot }
}

/// The response to a question for `rtype`, `size` records a message.
fn messages(text: &str, rtype: Rtype, size: usize) -> Vec<Vec<u8>> {
    let records = records(text).0;
    let mut names = Compression::default();
    let chunks = records.chunks(size).enumerate().map(|(index, chunk)| {
        let mut out = vec![0; 65_535];
        let header = Header { id: ID, bits: flag::QR | flag::AA };
        let mut writer = Writer::new(&mut out, 65_535, 0, header, None, &mut names);
        let zone = origin();
        if index == 0 {
            writer.question(&Question { name: zone.as_ref(), rtype, class: CLASS_IN }).unwrap();
        }
        for (owner, ttl, rtype, rdata) in chunk {
            let mut record = Vec::new();
            encode_record(&mut record, *rtype, *ttl, rdata);
            writer.record(Owner::Name(owner.as_ref()), &record).unwrap();
        }
        let length = writer.finish();
        out.truncate(length);
        out
    });
    chunks.collect()
}

fn soa(serial: u32) -> String {
    format!("@ 3600 SOA ns1 root {serial} 7200 900 432000 300\n")
}

/// Feeds a response; the end has to come with the last message.
fn feed(mut incoming: Incoming, messages: &[Vec<u8>]) -> Result<Option<Received>, TransferError> {
    let mut progress = Progress::More;
    for message in messages {
        assert_eq!(progress, Progress::More, "it ended before its last message");
        progress = incoming.message(message)?;
    }
    match progress {
        Progress::UpToDate(_) => Ok(None),
        Progress::More | Progress::Complete => incoming.finish().map(Some),
    }
}

fn axfr(text: &str, presigned: Presigned) -> Result<Received, TransferError> {
    let mut outcomes = [1, 2, 1_000].map(|size| {
        let incoming = Incoming::new(order(presigned), ID, None);
        feed(incoming, &messages(text, Rtype::AXFR, size)).map(Option::unwrap)
    });
    same(&outcomes);
    std::mem::replace(&mut outcomes[0], Err(TransferError::CutOff))
}

fn ixfr(text: &str, presigned: Presigned) -> Result<Received, TransferError> {
    let mut outcomes = [1, 2, 1_000].map(|size| {
        let incoming = Incoming::new(order(presigned), ID, Some(base()));
        feed(incoming, &messages(text, Rtype::IXFR, size)).map(Option::unwrap)
    });
    same(&outcomes);
    std::mem::replace(&mut outcomes[0], Err(TransferError::CutOff))
}

/// However the records are spread over messages, the outcome is one.
fn same(outcomes: &[Result<Received, TransferError>; 3]) {
    let text = |outcome: &Result<Received, TransferError>| match outcome {
        Ok(received) => Ok(lines(received)),
        Err(error) => Err(error.clone()),
    };
    assert_eq!(text(&outcomes[0]), text(&outcomes[1]));
    assert_eq!(text(&outcomes[0]), text(&outcomes[2]));
}

/// `owner type rdata` of every record.
fn lines(received: &Received) -> Vec<String> {
    let nodes = received.contents.nodes.iter().chain(received.contents.nsec3.iter());
    let rrsets = nodes.flat_map(|node| node.rrsets().map(move |rrset| (node, rrset)));
    rrsets
        .flat_map(|(node, rrset)| {
            let data = rrset.rdatas().map(move |rdata| (rrset.rtype, rdata));
            let all = data.chain(rrset.signature_rdatas().map(|rdata| (Rtype::RRSIG, rdata)));
            all.map(move |(rtype, rdata)| {
                format!("{} {rtype} {}", node.owner(), rdata::display(rtype, rdata))
            })
        })
        .collect()
}

fn has(received: &Received, line: &str) -> bool {
    lines(received).iter().any(|is| is == line)
}

#[test]
fn a_whole_zone_is_taken_however_it_is_spread_over_messages() {
    let received = axfr(&format!("{BASE}{}", soa(5)), Presigned::Drop).unwrap();
    assert_eq!((received.serial, received.incremental), (Serial(5), false));
    assert!(has(&received, "www.example.test. A 192.0.2.80"));
    // The TLSA record at an owner that danelaw looks after is danelaw's to make.
    assert_eq!(lines(&received).len(), 4, "{:?}", lines(&received));
    assert!(received.warnings.to_string().contains("TLSA at _443._tcp.www.example.test. is replaced"));
}

#[test]
fn what_a_signer_makes_is_left_out_or_kept_as_the_zone_will_be_signed_or_not() {
    let signed = format!(
        "{BASE}@ 300 NSEC www.example.test. NS SOA RRSIG NSEC\n\
         @ 3600 RRSIG SOA 13 2 3600 20270101000000 20260101000000 1 example.test. AAAA\n\
         @ 3600 DNSKEY 257 3 13 AAAA\n\
         @ 3600 ZONEMD 5 240 1 {}\n\
         sub 3600 DNSKEY 257 3 13 AAAA\n{}",
        "00".repeat(48),
        soa(5)
    );
    let dropped = axfr(&signed, Presigned::Drop).unwrap();
    let kinds = |received: &Received| {
        let mut kinds: Vec<String> =
            lines(received).iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(&dropped), ["A", "DNSKEY", "NS", "SOA"]);
    assert!(!has(&dropped, "example.test. DNSKEY 257 3 13 AAAA"));
    assert!(dropped.warnings.to_string().contains("DNSSEC records"), "{}", dropped.warnings);
    let kept = axfr(&signed, Presigned::Keep).unwrap();
    assert_eq!(kinds(&kept), ["A", "DNSKEY", "NS", "NSEC", "RRSIG", "SOA", "ZONEMD"]);
}

#[test]
fn changes_are_applied_one_sequence_after_the_other() {
    let text = [
        &soa(7),
        &soa(5),
        "www 3600 A 192.0.2.80\n",
        &soa(6),
        "www 3600 A 192.0.2.81\nftp 3600 CNAME www\n",
        &soa(6),
        "ftp 3600 CNAME www\n",
        &soa(7),
        "mail 3600 A 192.0.2.25\n",
        &soa(7),
    ]
    .concat();
    for presigned in [Presigned::Drop, Presigned::Keep] {
        let received = ixfr(&text, presigned).unwrap();
        assert_eq!((received.serial, received.incremental), (Serial(7), true));
        assert!(has(&received, "www.example.test. A 192.0.2.81"));
        assert!(!has(&received, "www.example.test. A 192.0.2.80"));
        assert!(has(&received, "mail.example.test. A 192.0.2.25"));
        assert!(!lines(&received).iter().any(|line| line.starts_with("ftp")));
    }
}

#[test]
fn changes_to_what_danelaw_makes_are_passed_over() {
    let text = [
        &soa(6),
        &soa(5),
        "_443._tcp.www 3600 TLSA 3 1 1 ff\n",
        "@ 300 NSEC www.example.test. NS SOA\n",
        &soa(6),
        "_443._tcp.www 3600 TLSA 3 1 1 ee\n",
        "@ 3600 DNSKEY 257 3 13 AAAA\n",
        &soa(6),
    ]
    .concat();
    let received = ixfr(&text, Presigned::Drop).unwrap();
    assert!(!lines(&received).iter().any(|line| line.contains("TLSA") || line.contains("DNSKEY")));
    assert_eq!(ixfr(&text, Presigned::Keep).err(), Some(not_there(Rtype::NSEC, "example.test")));
}

fn not_there(rtype: Rtype, owner: &str) -> TransferError {
    TransferError::NotThere(rtype, Box::new(Name::parse(owner).unwrap()))
}

#[test]
fn ixfr_may_be_answered_with_the_whole_zone() {
    let received =
        ixfr(&format!("{}{}{}", soa(9), &BASE[BASE.find('\n').unwrap() + 1..], soa(9)), Presigned::Drop);
    let received = received.unwrap();
    assert_eq!((received.serial, received.incremental), (Serial(9), false));
}

#[test]
fn a_soa_record_that_is_not_newer_is_all_that_need_come() {
    for serial in [5, 4, 5_u32.wrapping_sub(0x8000_0000)] {
        let incoming = Incoming::new(order(Presigned::Drop), ID, Some(base()));
        assert!(feed(incoming, &messages(&soa(serial), Rtype::IXFR, 1)).unwrap().is_none());
    }
    // A newer one alone promises more.
    assert_eq!(ixfr(&soa(6), Presigned::Drop).err(), Some(TransferError::CutOff));
}

#[test]
fn changes_that_do_not_fit_are_refused() {
    let out_of_step =
        |expected, got| TransferError::OutOfStep { expected: Serial(expected), got: Serial(got) };
    let cases: [(&[&str], TransferError); 7] = [
        (
            &[&soa(7), &soa(5), "www 3600 A 192.0.2.1\n", &soa(7), &soa(7)],
            not_there(Rtype::A, "www.example.test"),
        ),
        (&[&soa(7), &soa(4), &soa(7), &soa(7)], out_of_step(5, 4)),
        (&[&soa(7), &soa(5), &soa(6), &soa(7), &soa(7)], out_of_step(6, 7)),
        (&[&soa(7), &soa(5), &soa(7), &soa(6)], out_of_step(7, 6)),
        (&[&soa(7), &soa(5), &soa(7)], TransferError::CutOff),
        (
            &[&soa(7), &soa(5), &soa(7), "www 3600 CNAME ns1\n", &soa(7)],
            TransferError::Unsound("other data beside the CNAME at www.example.test.".into()),
        ),
        (
            &[&soa(7), &soa(5), "@ 3600 NS ns1\n", &soa(7), &soa(7)],
            TransferError::Unsound("no NS record at example.test.".into()),
        ),
    ];
    for (text, expected) in cases {
        let text = text.concat();
        let outcome = ixfr(&text, Presigned::Drop);
        // What is cut off is only complete by mistake.
        assert_eq!(outcome.err(), Some(expected), "{text}");
    }
}

#[test]
fn a_transfer_that_is_no_sound_zone_is_one_clear_line() {
    let message = |text: &str| axfr(text, Presigned::Drop).err().unwrap().to_string();
    let body = &BASE[BASE.find('\n').unwrap() + 1..];
    assert_eq!(
        message(&format!("{}{}", soa(5), soa(5))),
        "the zone is not sound: no NS record at example.test., expected at least one"
    );
    assert!(
        message(&format!("{BASE}www 60 CNAME a\nftp 60 CNAME b\nftp 60 CNAME c\n{}", soa(5)))
            .ends_with("(and 1 more)")
    );
    assert_eq!(message(BASE), "the transfer ended before its closing SOA record");
    assert_eq!(
        message(&format!("{BASE}{}", soa(6))),
        "the SOA record at the end is not that of the beginning"
    );
    assert_eq!(message(body), "the transfer does not begin with the zone's SOA record");
    // In messages of their own they are never looked at.
    let trailing = messages(&format!("{BASE}{}www A 192.0.2.7\n", soa(5)), Rtype::AXFR, 1_000);
    let outcome = feed(Incoming::new(order(Presigned::Drop), ID, None), &trailing);
    assert_eq!(outcome.err(), Some(TransferError::Trailing));
    assert_eq!(message(&format!("{BASE}example.org. 60 A 192.0.2.7\n")), "example.org. is outside the zone");
    assert_eq!(
        message(&format!("{BASE}www 60 SOA a b 5 1 1 1 1\n")),
        "SOA at www.example.test., expected one at the apex only"
    );
}

#[test]
fn refusals_other_questions_and_cut_off_messages_are_told_apart() {
    let whole = messages(&format!("{BASE}{}", soa(5)), Rtype::AXFR, 1_000).remove(0);
    let outcome = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut message = whole.clone();
        edit(&mut message);
        Incoming::new(order(Presigned::Drop), ID, None).message(&message)
    };
    assert_eq!(outcome(&|_| {}), Ok(Progress::Complete));
    assert_eq!(outcome(&|message| message[3] |= 5), Err(TransferError::Refused(Rcode::REFUSED)));
    assert_eq!(outcome(&|message| message[2] |= 2), Err(TransferError::Truncated));
    assert_eq!(outcome(&|message| message[0] ^= 1), Err(TransferError::Malformed));
    assert_eq!(outcome(&|message| message[2] &= 0x7f), Err(TransferError::Malformed));
    assert_eq!(outcome(&|message| message.truncate(message.len() - 1)), Err(TransferError::Malformed));
    assert_eq!(outcome(&|message| message[7] = 0), Err(TransferError::Empty));
    assert_eq!(outcome(&|message| message.clear()), Err(TransferError::Malformed));
}

#[test]
fn a_zone_larger_than_allowed_is_refused_while_it_comes() {
    let text = format!("{BASE}{}", soa(5));
    let mut incoming = Incoming::new(Order { max_size: 200, ..order(Presigned::Drop) }, ID, None);
    let error = messages(&text, Rtype::AXFR, 1).iter().find_map(|message| incoming.message(message).err());
    assert_eq!(error, Some(TransferError::TooLarge(200)));
}

#[test]
fn an_rrset_that_no_message_holds_is_refused_in_either_form() {
    let texts: String = (0..400).map(|number| format!("big 60 TXT {}{number}\n", "x".repeat(200))).collect();
    let sizes = |messages: Vec<Vec<u8>>, base: Option<Base>| {
        let order = Order { max_size: 1 << 22, ..order(Presigned::Drop) };
        feed(Incoming::new(order, ID, base), &messages).err().unwrap().to_string()
    };
    let whole = messages(&format!("{BASE}{texts}{}", soa(5)), Rtype::AXFR, 100);
    assert!(sizes(whole, None).contains("TXT RRset of big.example.test. has"));
    let changes = [&soa(6), &soa(5), &soa(6), &texts, &soa(6)].map(|text| &text[..]).concat();
    let error = sizes(messages(&changes, Rtype::IXFR, 100), Some(base()));
    assert_eq!(error, "the changes leave a TXT RRset at big.example.test. that no message holds");
}

#[test]
fn signatures_that_no_message_holds_are_refused_in_either_form() {
    let signatures: String = (0..300)
        .map(|tag| {
            let signature = data_encoding::BASE64.encode(&[7; 240]);
            format!("@ 60 RRSIG NS 13 2 3600 20270101000000 20260101000000 {tag} example.test. {signature}\n")
        })
        .collect();
    let error = |messages: Vec<Vec<u8>>, base: Option<Base>| {
        let order = Order { max_size: 1 << 22, ..order(Presigned::Keep) };
        feed(Incoming::new(order, ID, base), &messages).err().unwrap().to_string()
    };
    let whole = messages(&format!("{BASE}{signatures}{}", soa(5)), Rtype::AXFR, 100);
    assert!(error(whole, None).contains("RRSIG RRset of example.test. has"));
    let changes = [&soa(6), &soa(5), &soa(6), &signatures, &soa(6)].map(|text| &text[..]).concat();
    let error = error(messages(&changes, Rtype::IXFR, 100), Some(base()));
    assert_eq!(error, "the changes leave a RRSIG RRset at example.test. that no message holds");
}

/// `text` with the ZONEMD record that it should have.
fn sealed(text: &str, serial: u32) -> String {
    let mut builder = DraftBuilder::new(origin(), Presigned::Keep);
    for (owner, ttl, rtype, rdata) in records(text).0 {
        builder.record(owner.as_ref(), ttl, rtype, &rdata, At::default());
    }
    let (draft, _) = builder.build(&ManagedRrsets::default(), |_| Place::file("")).unwrap();
    let digest = zonemd::digest(&draft.contents, zonemd::Hash::Sha384);
    let rdata = zonemd::rdata(Serial(serial), zonemd::Hash::Sha384, &digest);
    format!("{text}@ 3600 ZONEMD {}\n", rdata::display(Rtype::ZONEMD, &rdata))
}

/// Signed, with a record that danelaw makes by itself.
fn signed_zone() -> String {
    format!(
        "{BASE}@ 300 NSEC www.example.test. NS SOA RRSIG NSEC ZONEMD\n\
         @ 3600 RRSIG SOA 13 2 3600 20270101000000 20260101000000 1 example.test. AAAA\n\
         @ 3600 RRSIG ZONEMD 13 2 3600 20270101000000 20260101000000 1 example.test. AAAA\n\
         @ 3600 DNSKEY 257 3 13 AAAA\n"
    )
}

#[test]
fn a_whole_zone_is_compared_with_its_digest_whatever_is_left_out_of_it() {
    let whole = sealed(&signed_zone(), 5);
    for presigned in [Presigned::Drop, Presigned::Keep] {
        axfr(&format!("{whole}{}", soa(5)), presigned).unwrap();
        // A record of the zone, one of its signer, one that danelaw replaces.
        for (was, is) in
            [("192.0.2.80", "192.0.2.81"), ("257 3 13", "256 3 13"), ("TLSA 3 1 1 00", "TLSA 3 1 1 01")]
        {
            let changed = format!("{}{}", whole.replace(was, is), soa(5));
            assert_eq!(axfr(&changed, presigned).err(), Some(Mismatch::Digest.into()), "{is}");
        }
    }
}

#[test]
fn a_digest_can_be_demanded_or_not_looked_at() {
    let fed = |text: &str, zonemd| {
        let order = Order { zonemd, ..order(Presigned::Drop) };
        let messages = messages(&format!("{text}{}", soa(5)), Rtype::AXFR, 1);
        feed(Incoming::new(order, ID, None), &messages).map(|received| received.is_some())
    };
    let whole = sealed(&signed_zone(), 5);
    let changed = whole.replace("192.0.2.80", "192.0.2.81");
    assert_eq!(fed(&whole, Demand::Always), Ok(true));
    assert_eq!(fed(&signed_zone(), Demand::Always), Err(Mismatch::Missing.into()));
    assert_eq!(fed(&signed_zone(), Demand::IfPresent), Ok(true));
    assert_eq!(fed(&changed, Demand::Never), Ok(true));
}

/// What comes as changes to `before`, when the zone at the primary becomes `after`.
fn changes_between([before, after]: [&str; 2], order: Order) -> Result<Vec<String>, TransferError> {
    let zone = |text: &str| {
        let mut builder = DraftBuilder::new(origin(), Presigned::Keep);
        for (owner, ttl, rtype, rdata) in records(text).0 {
            builder.record(owner.as_ref(), ttl, rtype, &rdata, At::default());
        }
        builder.build(&ManagedRrsets::default(), |_| Place::file("")).unwrap().0.contents
    };
    let base = Base { serial: Serial(5), snapshot: Arc::new(Snapshot::new(zone(before)).unwrap()) };
    let without = |text: &str, other: &str| {
        let differing = text.lines().filter(|line| !line.contains(" SOA ") && !other.contains(line));
        differing.fold(String::new(), |lines, line| lines + line + "\n")
    };
    let text = [&soa(6), &soa(5), &without(before, after), &soa(6), &without(after, before), &soa(6)]
        .map(String::as_str)
        .concat();
    let received = feed(Incoming::new(order, ID, Some(base)), &messages(&text, Rtype::IXFR, 1))?;
    Ok(lines(&received.unwrap()))
}

#[test]
fn changes_are_compared_where_all_of_the_zone_is_here_and_refused_elsewhere() {
    let all_here = || Order { managed: ManagedRrsets::default(), ..order(Presigned::Keep) };
    let before = sealed(BASE, 5);
    let after = BASE.replace("root 5", "root 6").replace("192.0.2.80", "192.0.2.81");
    let sealed_after = sealed(&after, 6);
    assert!(changes_between([&before, &sealed_after], all_here()).is_ok());
    let tampered = sealed_after.replace("192.0.2.81", "192.0.2.82");
    assert_eq!(changes_between([&before, &tampered], all_here()), Err(Mismatch::Digest.into()));
    // A primary that does not make it anew serves a zone that nobody can believe.
    let forgotten = before.replace("root 5", "root 6").replace("192.0.2.80", "192.0.2.81");
    assert!(matches!(
        changes_between([&before, &forgotten], all_here()),
        Err(TransferError::Zonemd(Mismatch::Serial { .. }))
    ));
    // What is left out, or replaced, is not here to be digested.
    let nothing_made = || Order { managed: ManagedRrsets::default(), ..order(Presigned::Drop) };
    for order in [order(Presigned::Drop), nothing_made()] {
        assert_eq!(
            changes_between([&before, &sealed_after], order.clone()),
            Err(TransferError::NotComparable)
        );
        let always = Order { zonemd: Demand::Always, ..order.clone() };
        assert_eq!(changes_between([BASE, &after], always), Err(TransferError::NotComparable));
        assert!(changes_between([BASE, &after], order.clone()).is_ok());
        assert!(changes_between([&before, &tampered], Order { zonemd: Demand::Never, ..order }).is_ok());
    }
}
