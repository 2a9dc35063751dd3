//! Writes large zone files for the benchmarks, on standard output.
//!
//! ```text
//! generate plain 1000000        500,000 names with A and AAAA each: a flat zone
//! generate registry 1000000     delegations with glue, a fifth of them signed; long and deep names
//! generate services 1000000     333,333 names with A and AAAA each, and TLSA for the mail server there
//! ```
//!
//! The same arguments give the same octets on every machine, so that two programs, or two versions
//! of one, can be measured on one input. Owners are shuffled: a reader that is only quick on sorted
//! input should show it.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Origin of every generated zone.
const ORIGIN: &str = "big.test.";
/// What one A or AAAA name costs in the plain shape.
const RECORDS_PER_HOST: u64 = 2;
/// What a name with addresses and TLSA costs in the services shape.
const RECORDS_PER_SERVICE: u64 = 3;
/// Average number of records a delegation costs in the registry shape, as `registry` writes them.
const RECORDS_PER_DELEGATION: u64 = 4;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to the arguments.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let written = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["plain", records] => records.parse().map(|records| plain(&mut out, records)),
        ["registry", records] => records.parse().map(|records| registry(&mut out, records)),
        ["services", records] => records.parse().map(|records| services(&mut out, records)),
        // Run by `cargo bench` or `cargo test --benches`: prove that every shape can be written.
        [] => Ok(every_shape(&mut io::sink())),
        _ => {
            eprintln!("usage: generate plain|registry|services RECORDS");
            return ExitCode::from(2);
        }
    };
    match written {
        Ok(Ok(())) => match out.flush() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Ok(Err(error)) => failed(&error),
        Err(_) => {
            eprintln!("generate: RECORDS is a number, as in `generate plain 1000000`");
            ExitCode::from(2)
        }
    }
}

fn failed(error: &io::Error) -> ExitCode {
    eprintln!("generate: cannot write the zone: {error}");
    ExitCode::FAILURE
}

fn every_shape(out: &mut impl Write) -> io::Result<()> {
    plain(out, 1000)?;
    registry(out, 1000)?;
    services(out, 1000)
}

/// A flat zone: hosts with one IPv4 and one IPv6 address each.
fn plain(out: &mut impl Write, records: u64) -> io::Result<()> {
    apex(out)?;
    let mut random = Random(1);
    Shuffled::below(records / RECORDS_PER_HOST).try_for_each(|number| host(out, number, &mut random))
}

/// Hosts with addresses, each with a mail server that TLSA speaks for: the name between is an empty non-terminal.
fn services(out: &mut impl Write, records: u64) -> io::Result<()> {
    apex(out)?;
    let mut random = Random(3);
    for number in Shuffled::below(records / RECORDS_PER_SERVICE) {
        host(out, number, &mut random)?;
        let [a, b, c, d] = [random.next(), random.next(), random.next(), random.next()];
        writeln!(out, "_25._tcp.h{number:07}\tTLSA\t3 1 1 {a:016x}{b:016x}{c:016x}{d:016x}")?;
    }
    Ok(())
}

fn host(out: &mut impl Write, number: u64, random: &mut Random) -> io::Result<()> {
    let (a, b) = (random.next(), random.next());
    writeln!(out, "h{number:07}\tA\t10.{}.{}.{}", a & 0xff, a >> 8 & 0xff, a >> 16 & 0xff)?;
    writeln!(out, "\tAAAA\t2001:db8:{:x}:{:x}::{:x}", b & 0xffff, b >> 16 & 0xffff, b >> 32 & 0xffff)
}

/// A registry-like zone: delegations with glue, every fifth of them signed, and between them records
/// at long, deep and wildcard names.
fn registry(out: &mut impl Write, records: u64) -> io::Result<()> {
    apex(out)?;
    let names = records / RECORDS_PER_DELEGATION;
    let mut random = Random(2);
    for name in Shuffled::below(names) {
        let long = format!("{:016x}-a-name-as-long-as-machines-like-to-make-them", random.next());
        writeln!(out, "d{name:07}\tNS\tns1.d{name:07}\n\tNS\tns2.hosting{}.example.", name % 997)?;
        writeln!(out, "ns1.d{name:07}\tA\t192.0.2.{}", name % 254 + 1)?;
        if name.is_multiple_of(5) {
            let digest = [random.next(), random.next(), random.next(), random.next()];
            let [a, b, c, d] = digest;
            writeln!(out, "d{name:07}\tDS\t{} 13 2 {a:016x}{b:016x}{c:016x}{d:016x}", name % 65_536)?;
        }
        match name % 4 {
            0 => writeln!(out, "{long}\tTXT\t\"v=spf1 ip4:192.0.2.{} -all\"", name % 254 + 1)?,
            1 => writeln!(out, "{long}.{long}.deep.below.nothing\tMX\t10 mx.{long}")?,
            2 => writeln!(out, "_443._tcp.{long}\tTLSA\t3 1 1 {:064x}", random.next())?,
            _ => writeln!(out, "*.w{name:07}\tCNAME\t{long}\nw{name:07}\tA\t192.0.2.{}", name % 254 + 1)?,
        }
    }
    Ok(())
}

fn apex(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "$ORIGIN {ORIGIN}\n$TTL 3600")?;
    writeln!(out, "@\tSOA\tns1 hostmaster 1 7200 3600 86400 3600\n\tNS\tns1\n\tNS\tns2")?;
    writeln!(out, "ns1\tA\t127.0.0.1\nns2\tA\t127.0.0.2")
}

/// Every number below a bound once, in a fixed disorder.
struct Shuffled {
    bound: u64,
    stride: u64,
    at: u64,
    left: u64,
}

impl Shuffled {
    fn below(bound: u64) -> Self {
        // A stride without a common divisor visits everything once.
        let mut stride = bound * 5 / 8 + 1;
        while gcd(stride, bound) > 1 {
            stride += 1;
        }
        Self { bound, stride, at: 0, left: bound }
    }
}

impl Iterator for Shuffled {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        self.at = (self.at + self.stride) % self.bound;
        Some(self.at)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
