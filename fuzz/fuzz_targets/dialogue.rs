//! What servers say before TLS: nothing of it breaks the probe, and packets make no difference.

#![no_main]

use danelaw::config::Manner;
use danelaw::host::probe::dialogue::{Dialogue, Names, Next};
use libfuzzer_sys::fuzz_target;

const MANNERS: [Manner; 9] = [
    Manner::Smtp,
    Manner::Imap,
    Manner::Pop3,
    Manner::Ldap,
    Manner::XmppClient,
    Manner::XmppServer,
    Manner::Ftp,
    Manner::Postgres,
    Manner::Sieve,
];

/// How a dialogue ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Tls,
    NoStartTls,
    Waits,
    /// What is quoted of a line that has not ended is as much as there was: not compared.
    Fault,
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, words)) = data.split_first() else { return };
    let manner = MANNERS[usize::from(*choice) % MANNERS.len()];
    let whole = talk(manner, words, usize::MAX);
    for packet in [1, 7] {
        assert_eq!(talk(manner, words, packet), whole, "{packet} octets a packet");
    }
});

/// What we say to a server that says `words`, so many octets a packet, and how that ends.
fn talk(manner: Manner, words: &[u8], packet: usize) -> (Vec<Vec<u8>>, End) {
    let names = Names { to: "example.test", ehlo: "probe.example.test" };
    let (mut dialogue, opening) = Dialogue::begin(manner, names).expect("a dialogue");
    let (mut said, mut inbox) = (vec![opening], Vec::new());
    for octets in words.chunks(packet) {
        inbox.extend_from_slice(octets);
        loop {
            let heard = match dialogue.hear(&inbox) {
                Err(_) => return (said, End::Fault),
                Ok(None) => break,
                Ok(Some(heard)) => heard,
            };
            inbox.drain(..heard.used);
            match heard.next {
                Next::Listen => {}
                Next::Say(octets) => said.push(octets),
                Next::Tls => return (said, End::Tls),
                Next::NoStartTls => return (said, End::NoStartTls),
            }
        }
    }
    (said, End::Waits)
}
