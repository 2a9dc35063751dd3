use super::response::ResponseError;
use super::*;
use crate::dns::name::Name;
use crate::dns::rtype::CLASS_IN;
use crate::dns::time::Ttl;
use hickory_proto::op::Message;
use proptest::prelude::*;

const QUERY: u16 = 0x0100;

/// A message of a header, one question for `www.Example.test. A` and whatever follows.
fn message(bits: u16, counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in [0xbeef, bits].into_iter().chain(counts) {
        out.extend(u16::to_be_bytes(field));
    }
    out.extend(b"\x03www\x07Example\x04test\0\0\x01\0\x01");
    out.extend(rest);
    out
}

fn rejection(message: &[u8]) -> (Rcode, bool, Option<Edns>) {
    match Request::read(message) {
        Err(Unanswered::Rejected(rejection)) => {
            (rejection.rcode, rejection.question.is_some(), rejection.edns)
        }
        other => panic!("expected a rejection, got {other:?}"),
    }
}

const OPT_DO: &[u8] = &[0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0];

#[test]
fn a_query_is_read_with_its_case_kept() {
    let bytes = message(QUERY, [1, 0, 0, 1], OPT_DO);
    let request = Request::read(&bytes).unwrap();
    assert_eq!(request.header.id, 0xbeef);
    assert_eq!(request.question.name.to_string(), "www.Example.test.");
    assert_eq!((request.question.rtype, request.question.class), (Rtype::A, CLASS_IN));
    assert_eq!(request.edns, Some(Edns { payload: 4096, extended_rcode: 0, version: 0, dnssec_ok: true }));
    assert_eq!(request.tsig_at, None);
}

#[test]
fn responses_and_fragments_of_a_header_are_met_with_silence() {
    for bytes in [&message(0x8100, [1, 0, 0, 0], &[])[..], &[0; 11], &[]] {
        assert!(matches!(Request::read(bytes), Err(Unanswered::Silence)));
    }
}

#[test]
fn wrong_counts_are_format_errors() {
    // RFC 9619: one question, neither none nor two.
    assert_eq!(rejection(&message(QUERY, [0, 0, 0, 0], &[])), (Rcode::FORMERR, false, None));
    assert_eq!(rejection(&message(QUERY, [2, 0, 0, 0], b"\0\0\x01\0\x01")).0, Rcode::FORMERR);
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 1], &[])), (Rcode::FORMERR, true, None));
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 0], &[0])).0, Rcode::FORMERR);
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 0], &[])[..20]), (Rcode::FORMERR, false, None));
}

#[test]
fn opt_comes_once_at_the_root_in_the_additional_section_with_whole_options() {
    let twice = [OPT_DO, OPT_DO].concat();
    let (rcode, _, edns) = rejection(&message(QUERY, [1, 0, 0, 2], &twice));
    assert_eq!((rcode, edns.is_some()), (Rcode::FORMERR, true));
    assert_eq!(rejection(&message(QUERY, [1, 0, 1, 0], OPT_DO)).0, Rcode::FORMERR);
    let elsewhere = [&[1, b'a'], OPT_DO].concat();
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 1], &elsewhere)).0, Rcode::FORMERR);
    // A cookie that claims eight octets and has one.
    let cut = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 5, 0, 10, 0, 8, 1];
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 1], &cut)).0, Rcode::FORMERR);
    let whole = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 5, 0, 200, 0, 1, 1];
    assert!(Request::read(&message(QUERY, [1, 0, 0, 1], &whole)).is_ok());
}

#[test]
fn edns_of_a_later_version_is_bad_version_if_all_else_is_well() {
    let opt = [0, 0, 41, 16, 0, 0, 1, 0, 0, 0, 0];
    let (rcode, question, edns) = rejection(&message(QUERY, [1, 0, 0, 1], &opt));
    assert_eq!((rcode, question, edns.map(|edns| edns.version)), (Rcode::BADVERS, true, Some(1)));
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 2], &opt)).0, Rcode::FORMERR);
}

#[test]
fn unknown_opcodes_are_not_implemented_whatever_follows() {
    for counts in [[1, 0, 0, 0], [0, 0, 0, 0], [9, 9, 9, 9]] {
        assert_eq!(rejection(&message(2 << 11, counts, &[])).0, Rcode::NOTIMP);
    }
}

#[test]
fn tsig_is_last() {
    let tsig = b"\x01k\0\0\xfa\0\xff\0\0\0\0\0\0";
    let bytes = message(QUERY, [1, 0, 0, 2], &[OPT_DO, tsig].concat());
    assert_eq!(Request::read(&bytes).unwrap().tsig_at, Some(bytes.len() - tsig.len()));
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 2], &[&tsig[..], OPT_DO].concat())).0, Rcode::FORMERR);
    assert_eq!(rejection(&message(QUERY, [1, 0, 0, 2], &[tsig, &tsig[..]].concat())).0, Rcode::FORMERR);
    assert_eq!(rejection(&message(QUERY, [1, 1, 0, 0], tsig)).0, Rcode::FORMERR);
}

#[test]
fn an_ixfr_client_says_which_serial_it_has() {
    let mut soa = b"\xc0\x10\0\x06\0\x01\0\0\0\0\0\x18\xc0\x0c\xc0\x0c".to_vec();
    soa.extend([0, 0, 0, 42]);
    soa.extend([0; 16]);
    let bytes = message(QUERY, [1, 0, 1, 0], &soa);
    assert_eq!(Request::read(&bytes).unwrap().serial, Some(42));
}

#[test]
fn pointers_lead_back_only() {
    let read = |bytes: &[u8], at| Reader::new(bytes, at).name().map(|name| name.as_ref().to_string());
    let bytes = b"\x01a\0\x01b\xc0\x00\xc0\x03\xc0\x09\xc0\x0b";
    assert_eq!(read(bytes, 3).unwrap(), "b.a.");
    assert_eq!(read(bytes, 7).unwrap(), "b.a.");
    assert!(read(bytes, 9).is_err(), "to itself");
    assert!(read(bytes, 11).is_err(), "to itself, at the end");
    assert!(read(b"\x01a\xc0\x00", 0).is_err(), "into its own labels");
}

fn rr(rtype: Rtype, ttl: u32, rdata: &[u8]) -> Vec<u8> {
    let mut out = [&rtype.0.to_be_bytes()[..], &CLASS_IN.to_be_bytes(), &ttl.to_be_bytes()].concat();
    out.extend((rdata.len() as u16).to_be_bytes());
    out.extend(rdata);
    out
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// What hickory-proto reads of a message, one record a line.
fn read_independently(bytes: &[u8]) -> (Message, Vec<String>) {
    let message = Message::from_vec(bytes).unwrap();
    let lines = [&message.answers, &message.authorities, &message.additionals]
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    (message, lines)
}

#[test]
fn names_are_compressed_and_an_independent_reader_understands_them() {
    let (mut out, mut names) = (vec![0; 1232], Compression::default());
    let opt = Opt::from(Edns { payload: 1232, extended_rcode: 0, version: 0, dnssec_ok: true });
    let header = Header { id: 7, bits: 0x0100 }.reply();
    let mut writer = Writer::new(&mut out, 1232, 0, header, Some(&opt), &mut names);
    let asked = name("wWw.example.test");
    writer.question(&Question { name: asked.as_ref(), rtype: Rtype::MX, class: CLASS_IN }).unwrap();
    writer.set(flag::AA);
    let mail = name("mail.example.test");
    let mx = [rr(Rtype::MX, 60, &[b"\0\x0a", &mail[..]].concat()), rr(Rtype::MX, 60, b"\0\x14\0")].concat();
    writer.records(Owner::At(12), &mx).unwrap();
    writer.begin(Section::Authority);
    writer.record(Owner::Name(name("Example.test").as_ref()), &rr(Rtype::NS, 60, &mail)).unwrap();
    writer.begin(Section::Additional);
    writer.records_with_ttl(Owner::Name(mail.as_ref()), &rr(Rtype::A, 60, &[192, 0, 2, 1]), Ttl(5)).unwrap();
    let length = writer.finish();
    // Question 22; MX 12 + 2 + 7 and 12 + 3; NS 12 + 2; A 12 + 4; OPT 11.
    assert_eq!(length, 12 + 22 + 21 + 15 + 14 + 16 + 11);
    let (message, lines) = read_independently(&out[..length]);
    assert_eq!(message.id, 7);
    assert_eq!(message.queries[0].name().to_string(), "wWw.example.test.");
    assert_eq!(
        lines,
        [
            "wWw.example.test. 60 IN MX 10 mail.example.test.",
            "wWw.example.test. 60 IN MX 20 .",
            "example.test. 60 IN NS mail.example.test.",
            "mail.example.test. 5 IN A 192.0.2.1",
        ]
    );
    assert!(message.edns.is_some());
}

#[test]
fn with_case_kept_a_name_is_a_pointer_only_to_the_same_case() {
    let (mut out, mut names) = (vec![0; 512], Compression::default());
    let mut writer = Writer::new(&mut out, 512, 0, Header { id: 1, bits: flag::QR }, None, &mut names);
    writer.keep_case();
    let record = rr(Rtype::A, 1, &[127, 0, 0, 1]);
    for owner in ["a.example.", "A.example.", "a.example.", "b.EXAMPLE.", "."] {
        writer.record(Owner::Name(name(owner).as_ref()), &record).unwrap();
    }
    let length = writer.finish();
    let (_, lines) = read_independently(&out[..length]);
    let owners: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(owners, ["a.example.", "A.example.", "a.example.", "b.EXAMPLE.", "."]);
}

#[test]
fn an_rrset_that_does_not_fit_leaves_no_trace() {
    let (mut out, mut names) = (vec![0; 512], Compression::default());
    let opt = Opt::from(Edns { payload: 1232, extended_rcode: 0, version: 0, dnssec_ok: false });
    let mut writer = Writer::new(&mut out, 120, 40, Header { id: 1, bits: flag::QR }, Some(&opt), &mut names);
    let owner = name("a.example");
    let one = rr(Rtype::A, 1, &[127, 0, 0, 1]);
    // 120 - 40 - 11 - 12 = 57 octets: the first takes 25, each further 16.
    assert_eq!(writer.records(Owner::Name(owner.as_ref()), &one.repeat(4)).err(), Some(Full));
    assert_eq!((writer.count(Section::Answer), writer.room()), (0, 57));
    writer.records(Owner::Name(owner.as_ref()), &one.repeat(3)).unwrap();
    assert_eq!((writer.count(Section::Answer), writer.room()), (3, 0));
    writer.set(flag::TC);
    let length = writer.finish();
    assert_eq!(length, 80);
    let (message, lines) = read_independently(&out[..length]);
    assert!(message.truncation && message.edns.is_some());
    assert_eq!(lines, ["a.example. 1 IN A 127.0.0.1"; 3]);
}

#[test]
fn a_response_is_ours_only_with_our_id_opcode_and_question() {
    let (mut out, mut names) = (vec![0; 512], Compression::default());
    let zone = name("example.test");
    let question = Question { name: zone.as_ref(), rtype: Rtype::SOA, class: CLASS_IN };
    let header = Header { id: 9, bits: flag::QR | flag::AA };
    let mut writer = Writer::new(&mut out, 512, 0, header, None, &mut names);
    writer.question(&question).unwrap();
    let soa = [&zone[..], &zone[..], &[0, 0, 0, 77], &[0; 16]].concat();
    writer.record(Owner::At(12), &rr(Rtype::SOA, 60, &soa)).unwrap();
    let length = writer.finish();
    let read = |id, opcode, asked: &Question<'_>| Response::read(&out[..length], id, opcode, asked);
    let response = read(9, Opcode::QUERY, &question).unwrap();
    assert_eq!(response.soa_serial(), Ok(Some(77)));
    assert_eq!(response.rcode(), Ok(Rcode::NOERROR));
    assert!(response.is_authoritative() && !response.is_truncated());
    let other = Question { rtype: Rtype::NS, ..question };
    for wrong in [
        read(8, Opcode::QUERY, &question),
        read(9, Opcode::NOTIFY, &question),
        read(9, Opcode::QUERY, &other),
    ] {
        assert_eq!(wrong.err(), Some(ResponseError::NotOurs));
    }
}

/// PEERS.md, Cascade 435, 661: secondaries of every kind take it, and transfer (tests/peers).
#[test]
fn a_notify_carries_the_soa() {
    let (mut out, mut names) = (vec![0; 512], Compression::default());
    let zone = name("example.test");
    let soa = rr(Rtype::SOA, 60, &[&zone[..], &zone[..], &[0, 0, 0, 77], &[0; 16]].concat());
    let question = Question { name: zone.as_ref(), rtype: Rtype::SOA, class: CLASS_IN };
    let query = query::Query {
        id: 3,
        opcode: Opcode::NOTIFY,
        question,
        soa: Some(&soa),
        edns: false,
        dnssec_ok: false,
    };
    let length = query.write(&mut out, 0, &mut names).unwrap();
    let (message, lines) = read_independently(&out[..length]);
    assert_eq!(message.op_code, hickory_proto::op::OpCode::Notify);
    assert!(message.authoritative);
    assert_eq!(lines, ["example.test. 60 IN SOA example.test. example.test. 77 0 0 0 0"]);
}

prop_compose! {
    fn a_name()(labels in prop::collection::vec("[abA]{1,2}", 0..5)) -> Name {
        name(&format!("{}.", labels.join(".")).replace("..", "."))
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_the_reader(bits in any::<u16>(), counts in any::<[u8; 4]>(), rest in prop::collection::vec(any::<u8>(), 0..80)) {
        let bytes = message(bits, counts.map(|count| u16::from(count % 4)), &rest);
        let _ = Request::read(&bytes);
        let asked = name("www.example.test");
        let asked = Question { name: asked.as_ref(), rtype: Rtype::A, class: CLASS_IN };
        if let Ok(response) = Response::read(&bytes, 0xbeef, Opcode::QUERY, &asked) {
            let _ = (response.rcode(), response.soa_serial());
        }
    }

    #[test]
    fn whatever_names_are_written_are_read_back(
        owners in prop::collection::vec((a_name(), a_name(), any::<bool>()), 1..60),
        exact in any::<bool>(),
    ) {
        let (mut out, mut names) = (vec![0; 2048], Compression::default());
        let mut writer = Writer::new(&mut out, 2048, 0, Header { id: 1, bits: flag::QR }, None, &mut names);
        if exact { writer.keep_case(); }
        let mut kept = Vec::new();
        for (owner, target, keep) in &owners {
            let mark = writer.mark();
            writer.record(Owner::Name(owner.as_ref()), &rr(Rtype::NS, 1, target)).unwrap();
            if *keep { kept.push((owner, target)); } else { writer.roll_back(mark); }
        }
        let length = writer.finish();
        let mut reader = Reader::new(&out[..length], HEADER);
        for (owner, target) in kept {
            let record = reader.record().unwrap();
            let owner_read = Reader::new(&out, record.at).name().unwrap();
            let target_read = Reader::new(&out, record.rdata_at).name().unwrap();
            prop_assert_eq!(owner_read.as_ref(), owner.as_ref());
            prop_assert_eq!(target_read.as_ref(), target.as_ref());
            if exact { prop_assert_eq!(owner_read.as_ref().wire(), &owner[..]); }
        }
        prop_assert!(reader.is_at_end());
    }
}
