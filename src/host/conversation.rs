//! DNS messages over a stream of octets (RFC 7766): what TCP and TLS have in common.
//!
//! Queries are answered in the order in which they came. RFC 7766 §6.2.1.1 allows any order, so that a quick answer
//! need not wait for a slow one; but there are no slow ones here: an answer is copied from memory, and waits for
//! nothing. All queries that have been read are answered with one write.
//!
//! A transfer makes its next message when the one before has been written, so a slow receiver holds up nobody but
//! itself.

use std::io;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;

use super::clock;
use super::crowd::Place;
use super::traffic::Tally;
use super::workshop::{self, LONGEST, PREFIX};
use crate::answer::{Outcome, Peer, Requested, Sent, Transfer, Zones};
use crate::dns::message::MAX_MESSAGE;
use crate::dns::name::NameRef;
use crate::dns::time::Seconds;

/// What is read ahead of a connection: some dozens of pipelined queries.
const READ_AHEAD: usize = 4_096;
/// What a connection keeps of the room that its answers needed.
const KEPT: usize = 4_096;

/// One client's connection.
pub(super) struct Conversation<'a> {
    pub(super) peer: Peer<'a>,
    pub(super) zones: &'a ArcSwap<Zones>,
    pub(super) tally: &'a Tally,
    pub(super) place: &'a Place,
}

/// Why there are no more answers for now.
enum Pause {
    /// Every query that has been read is answered.
    Read,
    /// What there is should be sent first.
    Send,
    /// A transfer comes next.
    Transfer(Box<Transfer>),
    /// The answer to an update comes next, when that is done.
    Update(Box<Requested>),
    /// What came is no query, and nothing that follows can be trusted to be one.
    End,
}

impl Conversation<'_> {
    /// Answers queries until the client closes, or sends what is no DNS.
    pub(super) async fn lead<S>(&self, stream: &mut S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut inbox = Inbox::default();
        let mut outbox = Vec::new();
        loop {
            let pause = self.answer(&mut inbox, &mut outbox);
            if !outbox.is_empty() {
                self.send(stream, &mut outbox).await?;
            }
            match pause {
                Pause::Send => {}
                Pause::Read => {
                    let waits = inbox.is_empty();
                    if waits {
                        self.place.waits();
                    }
                    let count = stream.read(inbox.room()).await?;
                    if count == 0 {
                        return Ok(());
                    }
                    inbox.end += count;
                    // A message that comes in drops has no more time than one that stops half way.
                    if waits {
                        self.place.works();
                    }
                }
                Pause::Transfer(transfer) => self.transfer(stream, *transfer, &mut outbox).await?,
                Pause::Update(requested) => self.update(stream, *requested, &mut outbox).await?,
                Pause::End => return Ok(()),
            }
        }
    }

    /// Puts the answers to the queries in `inbox` into `outbox`.
    fn answer(&self, inbox: &mut Inbox, outbox: &mut Vec<u8>) -> Pause {
        workshop::work(|answerer, out| {
            let (zones, now) = (self.zones.load(), clock::now());
            answerer.idle = Seconds(self.place.idle().as_secs());
            let mut used = 0;
            let pause = loop {
                let Some(room) = out[used..].get_mut(..LONGEST) else { break Pause::Send };
                let Some(request) = inbox.message() else { break Pause::Read };
                let (prefix, room) = room.split_at_mut(PREFIX);
                self.tally.request();
                match answerer.answer(request, self.peer, self.tally.transport(), &zones, now, room) {
                    Outcome::Response(length) => {
                        self.tally.response(room);
                        prefix.copy_from_slice(&(length as u16).to_be_bytes());
                        used += PREFIX + length;
                    }
                    Outcome::Transfer(transfer) => break Pause::Transfer(transfer),
                    Outcome::Update(requested) => break Pause::Update(requested),
                    Outcome::Silence => break Pause::End,
                }
            };
            outbox.extend_from_slice(&out[..used]);
            pause
        })
    }

    async fn transfer<S>(
        &self,
        stream: &mut S,
        mut transfer: Transfer,
        outbox: &mut Vec<u8>,
    ) -> io::Result<()>
    where
        S: AsyncWrite + Unpin,
    {
        let (origin, serial) = (transfer.snapshot().origin().clone(), transfer.snapshot().serial());
        let mut octets = 0;
        loop {
            let more = workshop::work(|answerer, out| {
                let message =
                    answerer.continue_transfer(&mut transfer, &mut out[..MAX_MESSAGE], clock::now());
                message.map(|made| {
                    made.map(|length| {
                        octets += length as u64;
                        outbox.extend_from_slice(&(length as u16).to_be_bytes());
                        outbox.extend_from_slice(&out[..length]);
                    })
                })
            });
            match more {
                Some(Ok(())) => self.send(stream, outbox).await?,
                Some(Err(full)) => {
                    tracing::error!(zone = %origin, %serial, "a record fits into no message; transfer broken off");
                    return Err(io::Error::other(full));
                }
                None => break,
            }
        }
        self.tally.transfer();
        if let Some(listener) = self.zones.load().listener() {
            listener.sent(Sent {
                zone: origin.clone(),
                to: self.peer.address,
                key: transfer.key().map(NameRef::to_owned),
                serial,
                since: transfer.since(),
                octets,
                transport: self.tally.transport(),
            });
        }
        let peer = self.peer.address;
        match transfer.since() {
            None => tracing::info!(zone = %origin, %serial, client = %peer, "transferred"),
            Some(from) => {
                tracing::info!(zone = %origin, %from, %serial, client = %peer, "changes transferred");
            }
        }
        Ok(())
    }

    async fn update<S>(&self, stream: &mut S, requested: Requested, outbox: &mut Vec<u8>) -> io::Result<()>
    where
        S: AsyncWrite + Unpin,
    {
        let (respond, response) = oneshot::channel();
        let respond = Box::new(move |octets: &[u8]| drop(respond.send(octets.to_vec())));
        match self.zones.load().updater() {
            Some(updater) => updater.update(requested, respond),
            None => return Ok(()),
        }
        let Ok(octets) = response.await else { return Ok(()) };
        self.tally.response(&octets);
        outbox.extend_from_slice(&(octets.len() as u16).to_be_bytes());
        outbox.extend_from_slice(&octets);
        self.send(stream, outbox).await
    }

    async fn send<S: AsyncWrite + Unpin>(&self, stream: &mut S, outbox: &mut Vec<u8>) -> io::Result<()> {
        stream.write_all(outbox).await?;
        // TLS may hold back what TCP has sent.
        stream.flush().await?;
        self.place.works();
        outbox.clear();
        outbox.shrink_to(KEPT);
        Ok(())
    }
}

/// What has been read of a connection and not answered yet.
#[derive(Default)]
struct Inbox {
    octets: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The next message, if all of it is here; it is then no longer in the inbox.
    fn message(&mut self) -> Option<&[u8]> {
        let waiting = &self.octets[self.start..self.end];
        let (prefix, rest) = waiting.split_first_chunk::<PREFIX>()?;
        let message = rest.get(..u16::from_be_bytes(*prefix).into())?;
        self.start += PREFIX + message.len();
        Some(message)
    }

    /// Room for more octets: at least for the rest of a message that has begun. Never empty once all messages are
    /// taken.
    fn room(&mut self) -> &mut [u8] {
        self.octets.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let begun = self.octets[..self.end].first_chunk::<PREFIX>();
        let length = begun.map_or(0, |prefix| PREFIX + usize::from(u16::from_be_bytes(*prefix)));
        // A long message is an exception, and its room is given back.
        self.octets.resize(length.max(READ_AHEAD), 0);
        self.octets.shrink_to(READ_AHEAD);
        &mut self.octets[self.end..]
    }
}

#[cfg(test)]
mod tests;
