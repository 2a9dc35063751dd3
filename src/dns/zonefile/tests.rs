use std::collections::HashMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::dns::name::Name;

/// Keeps records as lines.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    places: Vec<At>,
}

impl Sink for Lines {
    fn record(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, octets: &[u8], at: At) {
        assert_eq!(rdata::check(rtype, octets), Ok(()));
        let mut line = String::new();
        write_record(owner, ttl, rtype, octets, &mut line).unwrap();
        self.lines.push(line.trim_end().to_owned());
        self.places.push(at);
    }
}

/// Files in memory.
struct Memory(HashMap<&'static str, &'static str>);

#[derive(Debug, thiserror::Error)]
#[error("no such file")]
struct Missing;

impl Loader for Memory {
    type Error = Missing;
    fn load(&mut self, path: &str, from: &str) -> Result<File, Missing> {
        assert!(!from.is_empty());
        let text = self.0.get(path).ok_or(Missing)?;
        Ok(File { name: path.into(), text: text.as_bytes().to_vec() })
    }
}

fn read_with(text: &[u8], files: &[(&'static str, &'static str)]) -> (Vec<String>, Vec<String>, Vec<At>) {
    let origin = Name::parse("example.test.").unwrap();
    let mut lines = Lines::default();
    let mut memory = Memory(files.iter().copied().collect());
    let outcome = read("zone", text, origin.as_ref(), &mut memory, &mut lines);
    assert_eq!(outcome.records as usize, lines.lines.len());
    (lines.lines, outcome.problems.iter().map(ToString::to_string).collect(), lines.places)
}

/// The records of a text in which nothing is wrong.
fn records(text: &str) -> Vec<String> {
    let (lines, problems, _) = read_with(text.as_bytes(), &[]);
    assert_eq!(problems, Vec::<String>::new());
    lines
}

/// What is wrong with a text.
fn problems(text: &str) -> Vec<String> {
    read_with(text.as_bytes(), &[]).1
}

#[test]
fn owners_ttls_and_classes_may_be_left_out_or_swapped() {
    assert_eq!(
        records(
            "$TTL 1h30m\n@ SOA ns h 1 1h 1h 1h 1h\n\tNS ns\n  \n; comment\nns 300 IN A 192.0.2.1\n   IN 2m A 192.0.2.2\n\
             CLASS1 CLASS1 A 192.0.2.3\nin IN a 192.0.2.4"
        ),
        [
            "example.test. 5400 IN SOA ns.example.test. h.example.test. 1 3600 3600 3600 3600",
            "example.test. 5400 IN NS ns.example.test.",
            "ns.example.test. 300 IN A 192.0.2.1",
            "ns.example.test. 120 IN A 192.0.2.2",
            "CLASS1.example.test. 5400 IN A 192.0.2.3",
            "in.example.test. 5400 IN A 192.0.2.4",
        ]
    );
}

#[test]
fn parentheses_carriage_returns_a_byte_order_mark_and_a_missing_newline_are_no_matter() {
    assert_eq!(
        records(
            "\u{feff}$TTL 1\r\n@ SOA ns h ( 1 ; serial\r\n 2 3\r\n4 5 )\r\n( a\n A ) (192.0.2.1)\r\n TXT (\"b c\"\n d)"
        ),
        [
            "example.test. 1 IN SOA ns.example.test. h.example.test. 1 2 3 4 5",
            "a.example.test. 1 IN A 192.0.2.1",
            "a.example.test. 1 IN TXT \"b c\" \"d\"",
        ]
    );
}

#[test]
fn records_carry_where_they_start() {
    let (_, _, places) = read_with(
        b"$TTL 1\na A 192.0.2.1\n  A 192.0.2.2\n$INCLUDE b\n(\n c A 192.0.2.3)",
        &[("b", "\nx A 192.0.2.4")],
    );
    let place = |file, line, column| At { file, line, column };
    assert_eq!(places, [place(0, 2, 1), place(0, 3, 3), place(1, 2, 1), place(0, 6, 2)]);
}

#[test]
fn origin_applies_to_owners_and_to_names_in_rdata() {
    let (lines, warnings, _) =
        read_with(b"$TTL 1\na NS b\n$ORIGIN sub\n NS b\nc NS @\n$ORIGIN other.\n@ NS .\n", &[]);
    assert_eq!(
        lines,
        [
            "a.example.test. 1 IN NS b.example.test.",
            "a.example.test. 1 IN NS b.sub.example.test.",
            "c.sub.example.test. 1 IN NS sub.example.test.",
            "other. 1 IN NS .",
        ]
    );
    assert_eq!(
        warnings,
        [
            "zone:4:2: warning: the first record after $ORIGIN sub.example.test. takes over the owner a.example.test."
        ]
    );
}

#[test]
fn the_origin_of_an_included_file_ends_with_it_and_its_ttl_goes_on() {
    let files =
        [("one", "x A 192.0.2.1\n$TTL 7\n$ORIGIN deep\ny A 192.0.2.2\n"), ("loop", "$INCLUDE loop\n")];
    let text = b"$TTL 1\n$INCLUDE one sub\n$INCLUDE one\nz A 192.0.2.3\n$INCLUDE none\n$INCLUDE loop\n";
    let (lines, problems, _) = read_with(text, &files);
    assert_eq!(
        lines,
        [
            "x.sub.example.test. 1 IN A 192.0.2.1",
            "y.deep.sub.example.test. 7 IN A 192.0.2.2",
            "x.example.test. 7 IN A 192.0.2.1",
            "y.deep.example.test. 7 IN A 192.0.2.2",
            "z.example.test. 7 IN A 192.0.2.3",
        ]
    );
    assert_eq!(
        problems,
        [
            "zone:5:10: cannot include \"none\": no such file",
            "loop:1:10: $INCLUDE nests deeper than 20 files",
        ]
    );
}

#[test]
fn without_ttl_directive_the_last_ttl_or_the_soa_minimum_is_used() {
    let (lines, warnings, _) =
        read_with(b"@ SOA ns h 1 2 3 4 60\na A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1", &[]);
    assert_eq!(
        lines[1..],
        [
            "a.example.test. 60 IN A 192.0.2.1",
            "b.example.test. 5 IN A 192.0.2.1",
            "c.example.test. 60 IN A 192.0.2.1"
        ]
    );
    assert_eq!(
        warnings,
        ["zone:1:1: warning: no TTL and no $TTL; the minimum of the SOA record is used, 60"]
    );
    let (lines, warnings, _) = read_with(b"b 5 A 192.0.2.1\nc A 192.0.2.1\nd A 192.0.2.1", &[]);
    assert_eq!(lines[1..], ["c.example.test. 5 IN A 192.0.2.1", "d.example.test. 5 IN A 192.0.2.1"]);
    assert_eq!(
        warnings,
        ["zone:2:1: warning: no TTL and no $TTL; records take that of the record before, 5"]
    );
    assert_eq!(
        problems("a A 192.0.2.1"),
        ["zone:1:1: no TTL, and neither $TTL nor a record before to take it from"]
    );
}

#[test]
fn every_problem_is_reported_where_it_is_and_reading_goes_on() {
    assert_eq!(
        problems(
            " A 192.0.2.1\n$TTL 1\na A 192.0.2\na..b A 192.0.2.1\n A 192.0.2.999\nc FOO x\nd CH A 192.0.2.1\ne AXFR\nf 1x A 1\n\
             g 2147483648 A 192.0.2.1\n$FOO\n$TTL\n$TTL 1 2\n$ORIGIN \"\"\nh\ni MX (10\n\n x..y )\nj TXT \"abc\nk TXT ) a\n$INCLUDE\n\
             l TYPE65280 \\# 2 00\nm IN IN A 192.0.2.1\nn NS \\300\no TXT (a"
        ),
        [
            "zone:1:2: no owner name, and no record before to take it from",
            "zone:3:5: \"192.0.2\", expected an IPv4 address",
            "zone:4:1: \"a..b\" is not a domain name: empty label",
            "zone:5:4: \"192.0.2.999\", expected an IPv4 address",
            "zone:6:3: unknown record type \"FOO\", expected a mnemonic or TYPEnnn",
            "zone:7:3: class \"CH\", expected IN",
            "zone:8:3: no zone can hold records of type AXFR",
            "zone:9:3: TTL \"1x\" is not a number of seconds, nor one with units as 1h30m, up to 2147483647",
            "zone:10:3: TTL \"2147483648\" is not a number of seconds, nor one with units as 1h30m, up to 2147483647",
            "zone:11:1: unknown directive \"$FOO\", expected $ORIGIN, $TTL, $INCLUDE or $GENERATE",
            "zone:12:5: the line ends here, expected a TTL",
            "zone:13:8: \"2\" follows the record's data, expected the end of the line",
            "zone:14:9: \"\" is not a domain name: empty name",
            "zone:15:2: the record ends here, expected a TTL, class or record type",
            "zone:18:2: \"x..y\" is not a domain name: empty label",
            "zone:19:7: the quoted string is not closed on its line, expected another \"",
            "zone:20:7: unexpected ), no parenthesis is open",
            "zone:21:9: the line ends here, expected a file",
            "zone:22:16: \\# says 2 octets, but 1 follow",
            "zone:23:6: unknown record type \"IN\", expected a mnemonic or TYPEnnn",
            "zone:24:6: \"\\\\300\" is not a domain name: bad escape, expected \\X or \\DDD with DDD at most 255",
            "zone:25:7: the parenthesis is never closed, expected a matching )",
        ]
    );
}

#[test]
fn problems_beyond_the_limit_are_counted() {
    let origin = Name::parse("example.test.").unwrap();
    let text = "a FOO\n".repeat(60);
    let outcome = read("zone", text.as_bytes(), origin.as_ref(), &mut NoFiles, &mut Lines::default());
    assert_eq!(outcome.problems.iter().count(), crate::dns::problem::MAX_PROBLEMS);
    assert_eq!(outcome.problems.unlisted(), 10);
}

/// Each line is what follows `$GENERATE` and what `named-compilezone` 9.18 makes of it: owner (without the
/// origin), TTL and data.
const GENERATED: &[(&str, &[&str])] = &[
    ("1-3 h$ A 10.0.0.$", &["h1 1 A 10.0.0.1", "h2 1 A 10.0.0.2", "h3 1 A 10.0.0.3"]),
    ("1-5/3 s$ A 10.0.1.$", &["s1 1 A 10.0.1.1", "s4 1 A 10.0.1.4"]),
    ("11-12 w${0,4,d} CNAME x${-10,3,x}y.", &["w0011 1 CNAME x001y.", "w0012 1 CNAME x002y."]),
    ("10-10 o${0,4,o} CNAME X${0,3,X}y.", &["o0012 1 CNAME X00Ay."]),
    (
        "254-256 nn${0,5,n} CNAME NN${0,1,N}.",
        &["nne.f.0 1 CNAME NNE.F.", "nnf.f.0 1 CNAME NNF.F.", "nn0.0.1 1 CNAME NN0.0.1."],
    ),
    ("1-1 a$ 300 A 10.0.2.$", &["a1 300 A 10.0.2.1"]),
    ("1-1 b$ IN A 10.0.3.$", &["b1 1 A 10.0.3.1"]),
    ("1-1 c$ 300 IN A 10.0.4.$", &["c1 300 A 10.0.4.1"]),
    ("1-1 d$ IN 300 A 10.0.4.$", &["d1 300 A 10.0.4.1"]),
    (r#"1-1 e$ TXT "a $ \$ $$ b""#, &[r#"e1 1 TXT "a" "1" "$" "$" "b""#]),
    (r#"1-1 e$ TXT "\"a $\" b""#, &[r#"e1 1 TXT "a 1" "b""#]),
    (r"1-1 f$ TXT a\$b", &[r#"f1 1 TXT "a$b""#]),
    ("1-1 j$ MX \"10 mail$.\"", &["j1 1 MX 10 mail1."]),
    ("1-1 @ A 10.9.9.$", &["@ 1 A 10.9.9.1"]),
    ("1-1 m${0,2} A 10.9.9.${+1}", &["m01 1 A 10.9.9.2"]),
    ("0-1 q${-1,4} A 10.9.9.1", &["q-001 1 A 10.9.9.1", "q0000 1 A 10.9.9.1"]),
    (r"1-1 u\$x$ A 10.0.0.1 ; comment", &[r"u\$x1 1 A 10.0.0.1"]),
    (r"1-1 \053z$ A 10.0.0.1", &["5z1 1 A 10.0.0.1"]),
    ("0-0 n${-1,0,x} A 10.0.0.1", &["nffffffff 1 A 10.0.0.1"]),
];

#[test]
fn generate_makes_what_bind_makes() {
    for (directive, expected) in GENERATED {
        let expected: Vec<_> = expected
            .iter()
            .map(|line| {
                let (owner, rest) = line.split_once(' ').unwrap();
                let (ttl, rest) = rest.split_once(' ').unwrap();
                let owner = if owner == "@" { String::new() } else { format!("{owner}.") };
                format!("{owner}example.test. {ttl} IN {rest}")
            })
            .collect();
        assert_eq!(records(&format!("$TTL 1\n$GENERATE {directive}\n")), expected, "{directive}");
    }
    let (lines, _, _) =
        read_with(b"$TTL 1\na A 192.0.2.1\n$GENERATE 1-2 b$ A 192.0.2.$\n A 192.0.2.9\n", &[]);
    assert_eq!(lines.last().unwrap(), "a.example.test. 1 IN A 192.0.2.9");
}

#[test]
fn a_generate_that_bind_refuses_is_refused_in_one_line() {
    for (directive, problem) in [
        (
            "3-1 a$ A 10.0.0.$",
            "11: not a range, expected start-stop or start-stop/step with start up to stop and a step above 0",
        ),
        (
            "1-3/0 a$ A 10.0.0.$",
            "11: not a range, expected start-stop or start-stop/step with start up to stop and a step above 0",
        ),
        (
            "1 a$ A 10.0.0.$",
            "11: not a range, expected start-stop or start-stop/step with start up to stop and a step above 0",
        ),
        (
            "1-2 a${x} A 10.0.0.1",
            "15: bad modifier after $, expected ${offset}, ${offset,width} or ${offset,width,base} with base d, o, x, X, n or N",
        ),
        (
            "1-2 a${0,1,q} A 10.0.0.1",
            "15: bad modifier after $, expected ${offset}, ${offset,width} or ${offset,width,base} with base d, o, x, X, n or N",
        ),
        ("1-2 a$ MX 10 mail", "24: \"mail\" follows the record's data, expected the end of the line"),
        ("1-2 a$ FOO bar", "18: unknown record type \"FOO\", expected a mnemonic or TYPEnnn"),
        ("255-300 a$ A 10.0.0.$", "24: \"10.0.0.256\", expected an IPv4 address"),
        (
            "0-2147483647 a$ A 10.0.0.1",
            "11: $GENERATE makes 2147483648 records up to here, expected at most 16777216 in a zone file",
        ),
        ("1-2 a$", "17: the line ends here, expected a TTL, class or record type"),
    ] {
        assert_eq!(problems(&format!("$TTL 1\n$GENERATE {directive}\n")), [format!("zone:2:{problem}")]);
    }
}

#[test]
fn the_limit_of_generate_is_that_of_all_directives_together() {
    let text = "$TTL 1\n$GENERATE 1-3 a$ A 10.0.0.$\n$GENERATE 0-33554427/2 b A 10.0.0.1\n";
    assert_eq!(
        problems(text),
        ["zone:3:11: $GENERATE makes 16777217 records up to here, expected at most 16777216 in a zone file"]
    );
}

#[test]
fn what_is_written_is_read_back() {
    let origin = Name::parse("example.test.").unwrap();
    let mut line = String::new();
    let owner = Name::parse(r"\@a\.b\032.\$x").unwrap();
    write_record(owner.as_ref(), Ttl(5), Rtype(65_280), &[1, 2], &mut line).unwrap();
    assert_eq!(line, "\\@a\\.b\\032.\\$x. 5 IN TYPE65280 \\# 2 0102\n");
    let mut lines = Lines::default();
    read("zone", line.as_bytes(), origin.as_ref(), &mut NoFiles, &mut lines);
    assert_eq!(lines.lines, [line.trim_end()]);
}

proptest! {
    #[test]
    fn no_octets_panic_the_reader(
        octets in prop::collection::vec(any::<u8>(), 0..200),
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "$TTL 1\n", "$ORIGIN", "$INCLUDE x", "$GENERATE 1-3", " ", "\n", "(", ")", "\"", ";", "\\", "@", "$", "${1,2,n}",
                "IN", "A", "TXT", "SOA", "SVCB", "LOC", "1h", "300", "192.0.2.1", "a.b.c", ".", "\\#", "\\300", "\t", "\r\n",
            ]),
            0..40,
        ),
    ) {
        let files = [("x", "\"a (\n b TXT \"")];
        read_with(&octets, &files);
        let (lines, _, _) = read_with(pieces.concat().as_bytes(), &files);
        let (again, problems, _) = read_with(lines.join("\n").as_bytes(), &[]);
        prop_assert_eq!(again, lines);
        prop_assert_eq!(problems, Vec::<String>::new());
    }
}

/// Lines in which pieces may end badly, the first few of which are mistakes.
const PIECES: [&str; 16] = [
    "www A (",
    "unquoted TXT \"lost",
    "$INCLUDE nothing",
    "$ORIGIN sub.example.test.",
    "$ORIGIN .",
    "$TTL 2h",
    "www A 192.0.2.1",
    "\tAAAA 2001:db8::1 ; a comment (",
    "",
    " ; nothing\r",
    "@ SOA ns h ( 1 ; serial\n 1h\n\n\t1h 1d ; )\n 5m )",
    "wide TXT ( \"a (\"\n \"b )\" ) ; c",
    "cr A 192.0.2.2\rother A 192.0.2.3",
    "$GENERATE 1-3 host-$ A 192.0.2.$",
    "sub.example.test. NS ns",
    "esc\\(aped\\ TXT a\\;b",
];

proptest! {
    #[test]
    fn a_text_reads_the_same_in_pieces_of_any_size(
        lines in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40),
        mark in any::<bool>(),
        window in 16usize..600,
    ) {
        let text = format!("{}{}", if mark { "\u{feff}" } else { "" }, lines.join("\n"));
        let whole = read_with(text.as_bytes(), &[]);
        let origin = Name::parse("example.test.").unwrap();
        let mut window = window;
        loop {
            let mut lines = Lines::default();
            let pieces =
                read_pieces("zone", &mut text.as_bytes(), window, origin.as_ref(), &mut Memory(HashMap::new()), &mut lines);
            match pieces {
                Ok(outcome) => {
                    let problems = outcome.problems.iter().map(ToString::to_string).collect();
                    prop_assert_eq!((lines.lines, problems, lines.places), whole);
                    break;
                }
                Err(error) => {
                    prop_assert!(matches!(error, PiecesError::Window) && window <= text.len(), "{}", error);
                    window *= 2;
                }
            }
        }
    }
}

#[test]
fn only_what_is_larger_than_a_quarter_of_the_window_needs_a_larger_one() {
    let text = "$TTL 1h\n@ SOA ns h 1 1h 1h 1h 1h\n".to_owned() + &"www TXT (\n a\n b )\n".repeat(1_000);
    let origin = Name::parse("example.test.").unwrap();
    let read = |text: &str, window| {
        let mut lines = Lines::default();
        read_pieces("zone", &mut text.as_bytes(), window, origin.as_ref(), &mut NoFiles, &mut lines)
            .map(|outcome| outcome.records)
    };
    assert_eq!(read(&text, 160).unwrap(), 1_001);
    let longer = format!("{text}www TXT ( {}\n a )\n{text}", ";".repeat(200));
    assert!(matches!(read(&longer, 160), Err(PiecesError::Window)));
    assert_eq!(read(&longer, 1_600).unwrap(), 2_003);
}

#[test]
fn an_owner_that_is_written_the_same_is_another_below_another_origin() {
    assert_eq!(
        records(
            "$TTL 1h\nwww A 192.0.2.1\n$ORIGIN sub\nwww A 192.0.2.2\n$ORIGIN example.test.\nwww A 192.0.2.3"
        ),
        [
            "www.example.test. 3600 IN A 192.0.2.1",
            "www.sub.example.test. 3600 IN A 192.0.2.2",
            "www.example.test. 3600 IN A 192.0.2.3",
        ]
    );
    let files = [("more", "www A 192.0.2.2\n")];
    let (lines, problems, _) =
        read_with(b"$TTL 1h\nwww A 192.0.2.1\n$INCLUDE more sub\nwww A 192.0.2.3\n", &files);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        lines,
        [
            "www.example.test. 3600 IN A 192.0.2.1",
            "www.sub.example.test. 3600 IN A 192.0.2.2",
            "www.example.test. 3600 IN A 192.0.2.3",
        ]
    );
    // What could not be read is told of each time, and is nobody's owner.
    let text = "$TTL 1h\nwww A 192.0.2.1\nw..w A 192.0.2.2\nw..w A 192.0.2.3\n\tA 192.0.2.4\n";
    let (lines, problems, _) = read_with(text.as_bytes(), &[]);
    assert_eq!((lines.len(), problems.len()), (1, 2));
}

/// To be measured from outside: `perf stat cargo test --release --lib a_million -- --ignored`.
#[test]
#[ignore = "a measurement"]
fn a_million_records_are_read() {
    struct Count(u64, usize);
    impl Sink for Count {
        fn record(&mut self, owner: NameRef<'_>, _: Ttl, _: Rtype, octets: &[u8], _: At) {
            self.0 += 1;
            self.1 += owner.wire().len() + octets.len();
        }
    }
    let mut text = String::from("$TTL 1h\n@ SOA ns h 1 1h 1h 1h 1h\n");
    for i in 0..200_000 {
        let (a, b) = (i / 256 % 256, i % 256);
        writeln!(text, "host{i}.example.test.\t3600\tIN\tA\t10.1.{a}.{b}").unwrap();
        writeln!(text, "host{i} AAAA 2001:db8:1:{a:x}::{b:x}").unwrap();
        writeln!(text, "\t3600\tIN\tMX\t10 mail{i}.example.test.").unwrap();
        writeln!(text, "_25._tcp.host{i} 300 IN TLSA 3 1 1 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF").unwrap();
        writeln!(text, "host{i} IN TXT \"v=spf1 ip4:10.1.{a}.{b} -all\"").unwrap();
    }
    let origin = Name::parse("example.test.").unwrap();
    let mut count = Count(0, 0);
    let outcome = read("zone", text.as_bytes(), origin.as_ref(), &mut NoFiles, &mut count);
    assert!(outcome.problems.is_empty());
    assert_eq!(count.0, 1_000_001);
}
