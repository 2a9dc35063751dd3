//! Dialogues: what is asked of the zone in `tests/*.zone`, and what has to come back, as hickory-proto reads it.
//!
//! `tests/*.dialogues` hold them as text: a question (`?`), the header (`!`), and the records by section: `=` answer,
//! `^` authority, `+` additional, each with owner, TTL, type and data. RRSIG shows what it covers, NSEC3 shows the
//! name that it is the hash of.

use std::collections::HashMap;
use std::fmt::Write;

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Edns as TheirEdns, Message, Query as TheirQuery};
use hickory_proto::rr::{DNSClass, Name as TheirName, RData, Record, RecordType};

use super::*;
use crate::zone::{Denial, Nsec3Params};

mod fixture;

const NOW: Timestamp = Timestamp(1_800_000_000);
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200));

/// Zones, and the names that their NSEC3 hashes are of.
struct World {
    zones: Zones,
    hashed: HashMap<String, String>,
}

impl World {
    fn of(snapshots: Vec<Snapshot>) -> Self {
        let access = Access::new(vec![Rule { from: None, key: None }]);
        let access = Arc::new(access);
        let mut hashed = HashMap::new();
        for snapshot in &snapshots {
            if let Denial::Nsec3(params) = snapshot.denial() {
                for node in snapshot.nodes.iter() {
                    let mut name = Some(node.owner());
                    while let Some(ancestor) = name.filter(|name| snapshot.covers(*name)) {
                        hashed.insert(hash(params, ancestor, snapshot), ancestor.to_string());
                        name = ancestor.parent();
                    }
                }
            }
        }
        let zones = snapshots.into_iter().map(|snapshot| Zone::ready(Arc::new(snapshot), Arc::clone(&access)));
        Self { zones: Zones::new(zones.collect(), Arc::default()), hashed }
    }

    /// The response to a question such as `www.example.test. A +do +tcp +payload=512`.
    fn ask(&self, question: &str) -> Option<Message> {
        let mut words = question.split(' ');
        let name = TheirName::from_ascii(words.next().unwrap()).unwrap();
        let rtype: RecordType = words.next().unwrap().parse().unwrap();
        let mut query = TheirQuery::query(name, rtype);
        let mut edns = TheirEdns::new();
        edns.set_max_payload(4_096);
        let mut transport = Transport::Udp;
        let mut with_edns = true;
        for option in words {
            match option.split_once('=').unwrap_or((option, "")) {
                ("+do", _) => _ = edns.set_dnssec_ok(true),
                ("+tcp", _) => transport = Transport::Tcp,
                ("+noedns", _) => with_edns = false,
                ("+payload", octets) => _ = edns.set_max_payload(octets.parse().unwrap()),
                ("+class", class) => _ = query.set_query_class(class.parse::<DNSClass>().unwrap()),
                _ => panic!("{option}"),
            }
        }
        let mut message = Message::query();
        message.add_query(query);
        if with_edns {
            message.set_edns(edns);
        }
        let mut out = vec![0; MAX_MESSAGE];
        let request = message.to_vec().unwrap();
        match Answerer::default().answer(&request, CLIENT, transport, &self.zones, NOW, &mut out) {
            Outcome::Response(length) => Some(Message::from_vec(&out[..length]).unwrap()),
            Outcome::Silence | Outcome::Transfer(_) => None,
        }
    }

    fn dialogue(&self, question: &str) -> String {
        let response = self.ask(question).unwrap();
        let mut text = format!("? {question}\n! {}", response.response_code);
        let flags = [
            (response.authoritative, " aa"),
            (response.truncation, " tc"),
            (response.authentic_data, " ad"),
            (response.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok), " do"),
        ];
        for (_, flag) in flags.iter().filter(|(set, _)| *set) {
            text.push_str(flag);
        }
        text.push('\n');
        for (mark, section) in
            [("=", &response.answers), ("^", &response.authorities), ("+", &response.additionals)]
        {
            for record in section {
                writeln!(text, "{mark} {}", self.line(record)).unwrap();
            }
        }
        text
    }

    fn line(&self, record: &Record) -> String {
        let mut owner = record.name.to_string();
        let rdata = match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => rrsig.input().type_covered.to_string(),
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => {
                let label = owner.split('.').next().unwrap().to_ascii_lowercase();
                owner = format!("hash({})", self.hashed[&label]);
                let next = data_encoding::BASE32_DNSSEC.encode(nsec3.next_hashed_owner_name());
                format!("hash({})", self.hashed[&next])
            }
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) => nsec.next_domain_name().to_string(),
            RData::TXT(txt) => txt.to_string().chars().take(8).collect(),
            other => other.to_string(),
        };
        format!("{owner} {} {} {rdata}", record.ttl, record.record_type())
    }
}

fn hash(params: &Nsec3Params, name: crate::dns::name::NameRef<'_>, snapshot: &Snapshot) -> String {
    let owner = params.owner(name, snapshot.origin().as_ref()).unwrap();
    owner.as_ref().to_string().split('.').next().unwrap().to_owned()
}

/// Holds every dialogue of `script`; with `DANELAW_DIALOGUES=show` prints what came instead.
fn hold(world: &World, script: &str) {
    let mut expected = String::new();
    let mut came = String::new();
    for part in script.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        let question = part.lines().find_map(|line| line.strip_prefix("? ")).unwrap();
        let comments = part.lines().take_while(|line| line.starts_with('#'));
        for line in comments {
            writeln!(came, "{line}").unwrap();
        }
        writeln!(came, "{}", world.dialogue(question)).unwrap();
        writeln!(expected, "{part}\n").unwrap();
    }
    if std::env::var_os("DANELAW_DIALOGUES").is_some() {
        print!("{came}");
        return;
    }
    for (expected, came) in expected.split("\n\n").zip(came.split("\n\n")) {
        assert_eq!(expected, came);
    }
}

#[test]
fn a_zone_with_nsec() {
    hold(&World::of(vec![fixture::nsec()]), include_str!("tests/nsec.dialogues"));
}

#[test]
fn a_zone_with_nsec3() {
    hold(&World::of(vec![fixture::nsec3()]), include_str!("tests/nsec3.dialogues"));
}

#[test]
fn a_zone_with_nsec3_and_opt_out() {
    hold(&World::of(vec![fixture::opt_out()]), include_str!("tests/opt-out.dialogues"));
}

#[test]
#[ignore = "serves for a person to try"]
fn serve() {
    let access = Arc::new(Access::new(vec![Rule { from: None, key: None }]));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let key = crate::dns::tsig::Key::from_base64(
        crate::dns::name::Name::parse("xfr").unwrap().as_ref(),
        crate::dns::tsig::Algorithm::Sha256, "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0").unwrap();
    let ring = Arc::new(crate::dns::tsig::Keyring::new([Arc::new(key)]));
    let mut servers = vec![];
    for (port, snapshot) in [(5401, fixture::nsec()), (5402, fixture::nsec3()), (5403, fixture::opt_out())] {
        let zones = Zones::new(vec![Zone::ready(Arc::new(snapshot), access.clone())], ring.clone());
        let zones = Arc::new(arc_swap::ArcSwap::from_pointee(zones));
        let address = std::net::SocketAddr::new("127.0.0.1".parse().unwrap(), port);
        servers.push((crate::host::udp::UdpServer::start(address, 1, &zones).unwrap(), crate::host::tcp::TcpServer::start(address, &zones, runtime.handle()).unwrap()));
    }
    std::thread::sleep(std::time::Duration::from_secs(std::env::var("SERVE").unwrap().parse().unwrap()));
    for (udp, tcp) in servers { udp.stop(); tcp.stop(); }
}
