//! Small zones full of corners, from a seed.
//!
//! A [`World`] is a few zones that know of each other: a main zone, often a child of it on the same server, and a
//! neighbour that aliases and delegations lead to. Names come from a small stock of labels, so that they collide,
//! nest, and hide each other; what a zone may not hold (data below a DNAME, anything beside a CNAME) is not made.

use std::collections::BTreeMap;
use std::fmt::Write;

use danelaw::config::Denial;

use super::random::Random;

/// The labels of a name below the apex in presentation form, the one nearest the apex last.
pub(crate) type Labels = Vec<String>;

/// Who signs a zone.
#[derive(Clone, Copy)]
pub(crate) enum Signer {
    /// It stays as it is.
    Nobody,
    Danelaw(Denial),
    /// BIND's `dnssec-signzone`, with an NSEC3 chain such as danelaw serves but does not make (RFC 9276 §3.1).
    Elsewhere {
        iterations: u16,
        salt: &'static str,
    },
}

/// A zone before it is signed.
pub(crate) struct Unsigned {
    /// Presentation form, with the final dot.
    pub(crate) origin: String,
    pub(crate) signer: Signer,
    /// The zone file.
    pub(crate) text: String,
}

/// Zones that are served together.
pub(crate) struct World {
    pub(crate) zones: Vec<Unsigned>,
}

/// Labels of most names; few, so that names meet.
const PLAIN: [&str; 8] = ["a", "b", "c", "d", "www", "ns", "mail", "_tcp"];
/// Labels that want care: capitals, octets that need escapes, digits, asterisks that are no wildcard.
const ODD: [&str; 10] =
    ["MiXeD", "\\000", "x\\.y", "\\032", "\\200\\255", "-", "0", "*a", "\\*\\*", "a\\\"b\\;"];
const TTLS: [u32; 4] = [60, 300, 3_600, 86_400];
const LONG: &str = "a-label-of-sixty-three-octets-is-as-long-as-a-label-may-ever-be";

/// What an owner name gets.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Address,
    Text,
    Mail,
    Service,
    Binding,
    Alias,
    Redirection,
    Delegation,
    Unknown,
    Several,
}

/// How often each comes.
const KINDS: [(Kind, usize); 10] = [
    (Kind::Address, 18),
    (Kind::Text, 9),
    (Kind::Mail, 8),
    (Kind::Service, 5),
    (Kind::Binding, 7),
    (Kind::Alias, 20),
    (Kind::Redirection, 9),
    (Kind::Delegation, 14),
    (Kind::Unknown, 3),
    (Kind::Several, 7),
];

impl World {
    /// The world with this number.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::new(seed, number);
        let main = format!("z{number}.test.");
        let neighbour = format!("y{number}.test.");
        let child = random.percent(60).then(|| {
            let above = random.pick(&["kid", "a.kid", "x.y.kid", "a"]);
            format!("{above}.{main}")
        });
        let grandchild = child.as_ref().filter(|_| random.percent(20)).map(|child| format!("b.{child}"));
        let origins: Vec<String> =
            [Some(main), child, grandchild, Some(neighbour)].into_iter().flatten().collect();
        let zones = origins
            .iter()
            .enumerate()
            .map(|(place, origin)| {
                let owners = if place == 0 { 8 + random.below(14) } else { 3 + random.below(6) };
                Zone::fill(origin, &origins, owners, &mut random)
            })
            .collect();
        Self { zones }
    }
}

/// A zone in the making.
struct Zone<'o> {
    origin: &'o str,
    /// All zones of the world.
    origins: &'o [String],
    /// Every owner that may come to be, for records to point at.
    names: Vec<Labels>,
    /// By owner below the apex: lines of TTL, type and rdata.
    records: BTreeMap<Labels, Vec<Line>>,
}

struct Line {
    ttl: u32,
    rtype: &'static str,
    rdata: String,
}

impl<'o> Zone<'o> {
    fn fill(origin: &'o str, origins: &'o [String], owners: usize, random: &mut Random) -> Unsigned {
        let mut zone = Self { origin, origins, names: Vec::new(), records: BTreeMap::new() };
        for _ in 0..owners {
            let name = zone.invent(random);
            zone.names.push(name);
        }
        // NSD refuses a DNAME above data of another zone of its own, be it a child's or a parent's glue.
        let is_kin = |a: &str, b: &str| a != b && (a.ends_with(b) || b.ends_with(a));
        let redirected = random.percent(12) && !origins.iter().any(|other| is_kin(other, origin));
        zone.apex(redirected, random);
        if !redirected {
            zone.children(random);
            for name in zone.names.clone() {
                let kind = random_kind(random);
                zone.place(&name, kind, random);
            }
        }
        let signer = match random.below(16) {
            0..2 => Signer::Nobody,
            2..6 => Signer::Danelaw(Denial::Nsec),
            6..10 => Signer::Danelaw(Denial::Nsec3),
            10..14 => Signer::Danelaw(Denial::Nsec3OptOut),
            _ => Signer::Elsewhere {
                iterations: random.pick(&[0, 1, 10]),
                salt: random.pick(&["-", "00", "AABBCCDDEEFF"]),
            },
        };
        Unsigned { origin: origin.to_owned(), signer, text: zone.text() }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (owner, lines) in &self.records {
            let owner = absolute(owner, self.origin);
            for Line { ttl, rtype, rdata } in lines {
                writeln!(text, "{owner} {ttl} IN {rtype} {rdata}").unwrap();
            }
        }
        text
    }

    /// A name below the apex, often below one that was there before.
    fn invent(&self, random: &mut Random) -> Labels {
        let mut name = if !self.names.is_empty() && random.percent(45) {
            random.pick(&self.names)
        } else {
            Labels::new()
        };
        for _ in 0..=random.below(3) {
            let label = match random.below(100) {
                0..20 => "*",
                20..32 => random.pick(&ODD),
                _ => random.pick(&PLAIN),
            };
            name.insert(0, label.to_owned());
        }
        name
    }

    fn apex(&mut self, redirected: bool, random: &mut Random) {
        let minimum = random.pick(&[60, 300, 7_200]);
        let soa = format!("ns.{0} Host\\.Master.{0} 1 7200 3600 604800 {minimum}", self.origin);
        self.add(&[], random.pick(&TTLS), "SOA", soa);
        // BIND loads no zone whose own nameservers have no addresses in it.
        let ours = labels("NS0");
        if !redirected {
            self.add_set(&ours, "A", random, |_, random| format!("192.0.2.{}", random.below(256)));
            self.add(&[], 300, "NS", absolute(&ours, self.origin));
        }
        if redirected || random.percent(50) {
            let elsewhere = random.pick(self.origins);
            let elsewhere =
                if elsewhere.ends_with(self.origin) { "Host.elsewhere.example." } else { &elsewhere };
            self.add(&[], 300, "NS", format!("NS.{elsewhere}"));
        }
        if random.percent(50) {
            self.add_set(&[], "MX", random, |zone, random| format!("10 {}", zone.target(random)));
        }
        if random.percent(40) {
            self.add(&[], 300, "TXT", "\"apex\"".to_owned());
        }
        if random.percent(30) {
            self.add(&[], 300, "HTTPS", format!("1 . port={}", random.below(9_999)));
        }
        if random.percent(40) {
            self.add(&[], 300, "A", "192.0.2.80".to_owned());
        }
        if redirected {
            let target = self.target(random);
            self.add(&[], random.pick(&TTLS), "DNAME", target);
        }
    }

    /// Delegations of the zones below that are served here, too.
    fn children(&mut self, random: &mut Random) {
        let below =
            |child: &str| child.strip_suffix(self.origin).and_then(|name| name.strip_suffix('.')).map(labels);
        let mut children: Vec<Labels> = self.origins.iter().filter_map(|child| below(child)).collect();
        // A grandchild is its parent's to delegate; beside it, the zone may hold such a name of its own by chance.
        children.sort_by_key(Vec::len);
        children.truncate(1);
        for child in children {
            self.delegate(&child, random);
        }
    }

    /// Gives `owner` records, if it may have such.
    fn place(&mut self, owner: &Labels, kind: Kind, random: &mut Random) {
        if !self.may_have(owner, kind, random) {
            return;
        }
        match kind {
            Kind::Address => self.addresses(owner, random),
            Kind::Text => {
                self.add_set(owner, "TXT", random, |_, random| format!("\"text {}\"", random.below(99)));
            }
            Kind::Mail => self.add_set(owner, "MX", random, |zone, random| {
                format!("{} {}", random.below(30), zone.target_or_root(random))
            }),
            Kind::Service => self.add_set(owner, "SRV", random, |zone, random| {
                format!("0 0 {} {}", random.below(9_999), zone.target_or_root(random))
            }),
            Kind::Binding => self.binding(owner, random),
            Kind::Alias => {
                let target = self.target(random);
                self.add(owner, random.pick(&TTLS), "CNAME", target);
            }
            Kind::Redirection => {
                let target = self.redirection(random);
                self.add(owner, random.pick(&TTLS), "DNAME", target);
                if random.percent(20) {
                    self.add(owner, 300, "TXT", "\"beside a DNAME\"".to_owned());
                }
            }
            Kind::Delegation => self.delegate(owner, random),
            Kind::Unknown => self.add(owner, 300, "TYPE65400", format!("\\# 2 {:04x}", random.below(65_536))),
            Kind::Several => {
                self.addresses(owner, random);
                self.add(owner, 300, "TXT", "\"one of several\"".to_owned());
                self.add_set(owner, "MX", random, |zone, random| format!("5 {}", zone.target(random)));
                if random.percent(40) {
                    self.binding(owner, random);
                }
            }
        }
    }

    /// RFC 1034 §3.6.2, RFC 6672 §2.4; data below a delegation other than addresses is rare in life and here.
    fn may_have(&self, owner: &Labels, kind: Kind, random: &mut Random) -> bool {
        let here = self.records.get(owner);
        let alone = here.is_none();
        let has = |name: &[String], rtype| {
            self.records.get(name).is_some_and(|lines| lines.iter().any(|line| line.rtype == rtype))
        };
        let above = (1..owner.len()).map(|cut| &owner[cut..]);
        if above.clone().any(|name| has(name, "DNAME")) || has(owner, "CNAME") || has(owner, "NS") {
            return false;
        }
        if above.clone().any(|name| has(name, "NS")) && kind != Kind::Address && !random.percent(15) {
            return false;
        }
        let below = |name: &Labels| name.len() > owner.len() && name.ends_with(owner);
        match kind {
            Kind::Alias => alone,
            Kind::Redirection => !has(owner, "DNAME") && !self.records.keys().any(below),
            Kind::Delegation => alone && owner[0] != "*",
            _ => true,
        }
    }

    fn delegate(&mut self, owner: &Labels, random: &mut Random) {
        let mut servers = Vec::new();
        for _ in 0..=random.below(3) {
            servers.push(match random.below(10) {
                0..5 => {
                    let mut server = owner.clone();
                    server.insert(0, random.pick(&["ns", "NS2", "a"]).to_owned());
                    if random.percent(85) && self.may_have(&server, Kind::Address, random) {
                        self.addresses(&server, random);
                    }
                    absolute(&server, self.origin)
                }
                5 => absolute(owner, self.origin),
                _ => self.target(random),
            });
        }
        let ttl = random.pick(&TTLS);
        for server in servers {
            self.add(owner, ttl, "NS", server);
        }
        if random.percent(40) {
            for _ in 0..=random.below(2) {
                let digest = random.below(1 << 30);
                self.add(owner, 300, "DS", format!("{} 13 2 {digest:064x}", random.below(65_536)));
            }
        }
        // Where the delegation itself is a nameserver's name.
        if random.percent(10) {
            self.addresses(owner, random);
        }
    }

    fn addresses(&mut self, owner: &Labels, random: &mut Random) {
        if random.percent(80) {
            self.add_set(owner, "A", random, |_, random| format!("192.0.2.{}", random.below(256)));
        } else {
            self.add(owner, 60, "AAAA", "2001:db8::1".to_owned());
        }
        if random.percent(30) {
            self.add_set(owner, "AAAA", random, |_, random| format!("2001:db8::{:x}", random.below(65_536)));
        }
    }

    fn binding(&mut self, owner: &Labels, random: &mut Random) {
        let rtype = random.pick(&["SVCB", "HTTPS"]);
        self.add_set(owner, rtype, random, |zone, random| match random.below(4) {
            0 => format!("1 . alpn=h2 port={}", random.below(9_999)),
            1 => format!("0 {}", zone.target_or_root(random)),
            _ => format!("{} {} ipv4hint=192.0.2.9", 1 + random.below(3), zone.target(random)),
        });
    }

    fn target_or_root(&self, random: &mut Random) -> String {
        if random.percent(8) { ".".to_owned() } else { self.target(random) }
    }

    /// A name for a record to point at: here, below something here, nowhere, in another zone, elsewhere.
    fn target(&self, random: &mut Random) -> String {
        match random.below(100) {
            0..50 => absolute(&random.pick(&self.names), self.origin),
            50..62 => {
                let mut name = random.pick(&self.names);
                name.insert(0, random.pick(&["below", "*", "B", "ns"]).to_owned());
                absolute(&name, self.origin)
            }
            62..72 => absolute(&self.invent(random), self.origin),
            72..76 => self.origin.to_owned(),
            76..92 => absolute(&self.invent(random), &random.pick(self.origins)),
            _ => "Host.elsewhere.example.".to_owned(),
        }
    }

    fn redirection(&self, random: &mut Random) -> String {
        if random.percent(10) { format!("{LONG}.{LONG}.{LONG}.{}", self.origin) } else { self.target(random) }
    }

    fn add_set(
        &mut self,
        owner: &[String],
        rtype: &'static str,
        random: &mut Random,
        rdata: impl Fn(&Self, &mut Random) -> String,
    ) {
        let ttl = random.pick(&TTLS);
        for _ in 0..=random.below(3) {
            let rdata = rdata(self, random);
            self.add(owner, ttl, rtype, rdata);
        }
    }

    /// Adds a record, with the TTL of the RRset if there is one.
    fn add(&mut self, owner: &[String], ttl: u32, rtype: &'static str, rdata: String) {
        let lines = self.records.entry(owner.to_vec()).or_default();
        let ttl = lines.iter().find(|line| line.rtype == rtype).map_or(ttl, |line| line.ttl);
        if !lines.iter().any(|line| line.rtype == rtype && line.rdata.eq_ignore_ascii_case(&rdata)) {
            lines.push(Line { ttl, rtype, rdata });
        }
    }
}

fn random_kind(random: &mut Random) -> Kind {
    let mut number = random.below(KINDS.iter().map(|(_, weight)| weight).sum());
    for (kind, weight) in KINDS {
        match number.checked_sub(weight) {
            Some(rest) => number = rest,
            None => return kind,
        }
    }
    Kind::Address
}

fn absolute(labels: &[String], origin: &str) -> String {
    labels.iter().map(|label| format!("{label}.")).collect::<String>() + origin
}

/// Splits names of plain labels.
fn labels(name: &str) -> Labels {
    name.split('.').map(str::to_owned).collect()
}
