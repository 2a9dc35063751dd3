//! danelaw without its sockets, asked over both transports, and what must hold between the two.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use danelaw::answer::{Access, Answerer, Outcome, Transport, Zone, Zones};
use danelaw::dns::message::{MAX_MESSAGE, UDP_PAYLOAD};
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::Timestamp;
use hickory_proto::op::Message;

use super::signed::Signed;
use super::wire::{Question, Reply};

/// danelaw's answers to one question.
pub(crate) struct Ours {
    pub(crate) tcp: Reply,
    pub(crate) udp: Reply,
}

/// danelaw in this process.
pub(crate) struct InProcess {
    zones: Zones,
    answerer: Answerer,
    out: Vec<u8>,
}

impl InProcess {
    pub(crate) fn new(zones: &[Signed]) -> Self {
        let access = Arc::new(Access::default());
        let zones = zones.iter().map(|zone| Zone::ready(Arc::clone(&zone.snapshot), Arc::clone(&access)));
        Self {
            zones: Zones::new(zones.collect(), Arc::default(), Arc::default()),
            answerer: Answerer::default(),
            out: vec![0; MAX_MESSAGE],
        }
    }

    /// Both answers; or what is wrong with them.
    pub(crate) fn answer(&mut self, question: &Question) -> Result<Ours, String> {
        let ours =
            Ours { tcp: self.ask(question, Transport::Tcp)?, udp: self.ask(question, Transport::Udp)? };
        match ours.flaw(question.rtype) {
            Some(flaw) => Err(format!("{flaw}\nover TCP\n{}over UDP\n{}", ours.tcp, ours.udp)),
            None => Ok(ours),
        }
    }

    fn ask(&mut self, question: &Question, transport: Transport) -> Result<Reply, String> {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request = question.request(7);
        let outcome = self.answerer.answer(
            &request,
            client.into(),
            transport,
            &self.zones,
            Timestamp(0),
            &mut self.out,
        );
        let Outcome::Response(length) = outcome else { return Err("no answer".to_owned()) };
        let message = &self.out[..length];
        if !question.is_asked_in(message) {
            return Err("the question is repeated in other words".to_owned());
        }
        if transport == Transport::Udp && length > usize::from(UDP_PAYLOAD) {
            return Err(format!("{length} octets in a datagram"));
        }
        if let Err(error) = Message::from_vec(message) {
            return Err(format!("hickory-proto cannot read the answer: {error}"));
        }
        Ok(Reply::read(message)?)
    }
}

impl Ours {
    /// What the client gets who asks over UDP, and over TCP what was cut off.
    pub(crate) fn in_the_end(&self) -> &Reply {
        if self.udp.truncated { &self.tcp } else { &self.udp }
    }

    /// Where the two contradict each other, or one itself.
    fn flaw(&self, rtype: Rtype) -> Option<&'static str> {
        let Self { tcp, udp } = self;
        let minimal = matches!(rtype, Rtype::ANY | Rtype::RRSIG);
        let same = (udp.rcode, udp.authoritative) == (tcp.rcode, tcp.authoritative);
        let part = udp.answer.is_subset(&tcp.answer)
            && udp.authority.is_subset(&tcp.authority)
            && udp.additional.is_subset(&tcp.additional);
        let whole = udp.authority == tcp.authority
            && if minimal {
                udp.answer.is_empty() == tcp.answer.is_empty()
            } else {
                udp.answer == tcp.answer
            };
        match () {
            () if tcp.truncated => Some("cut off over TCP"),
            () if tcp.repeats || udp.repeats => Some("the same record twice in a section"),
            // A response that was cut off may not have come to its rcode.
            () if !same && !udp.truncated => Some("another rcode or AA over UDP than over TCP"),
            () if !part => Some("more over UDP than over TCP"),
            () if !whole && !udp.truncated => Some("less over UDP than over TCP, without TC"),
            () => None,
        }
    }
}
