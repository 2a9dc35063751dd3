//! danelaw: authoritative DNS with inline DNSSEC signing, and TLSA records that follow the deployed keys.
//!
//! This is the map of the house. A pure core knows nothing of clocks, files, sockets, threads or randomness; a host
//! around it does. Who may import whom is held by `tests/layers.rs`.
//!
//! # The rooms
//!
//! - [`dns`]: the protocol's own terms. Names as wire bytes with an order-preserving [`Key`](dns::name::Key); one
//!   table of field kinds from which the text, checks and canonical form of every record type derive
//!   ([`dns::rdata`]); zone files ([`dns::zonefile`]); messages; TSIG.
//! - [`zone`]: content. A [`Node`](zone::Node) is one owner name with all its RRsets and their RRSIGs, encoded as
//!   answers need them, in one allocation. A [`Tree`](zone::Tree) holds nodes in canonical order and shares structure
//!   with the tree it came from. A [`Draft`](zone::Draft) is what a file says, a [`Snapshot`](zone::Snapshot) what is
//!   served, a [`Delta`](zone::Delta) the difference of two of them. [`zone::transfer`] makes content of the messages
//!   of a transfer that comes in; an [`Editor`](zone::Editor) edits content record by record, for incremental ones and
//!   for dynamic updates ([`zone::update`]). A [`History`](zone::History) is the deltas that led to what is served, an
//!   [`Overlay`](zone::overlay::Overlay) how updates make a zone differ from its file.
//! - [`dnssec`]: keys, [signing](dnssec::sign) of what changed, and [the check](dnssec::validate) with public keys
//!   alone that makes a [`Verified`](dnssec::validate::Verified): the only thing that can be published. What a response
//!   of somebody else's server proves is [`dnssec::proof`]; where each key is in its life [`dnssec::lifecycle`].
//! - `asn1`: DER and PEM, in which keys and certificates are written outside DNS.
//! - [`tlsa`]: certificates, keys (SSH and OpenPGP too) and CSRs as [associations](tlsa::Association), and the
//!   [rollover](tlsa::rollover) that says which of them are published, until when, and which may be deployed: a pure
//!   state machine over what files hold, what nameservers serve and what endpoints present.
//! - [`config`]: `danelaw.yaml` as a checked [`Config`](config::Config).
//! - [`state`]: what survives a restart, one `redb` transaction a commit.
//! - [`engine`]: [`step(now, input)`](engine::Engine::step) → effects. One zone's way to its readers is drawn above
//!   `engine::zone::Zone`; making a version is a self-contained [`Job`](engine::Job).
//! - [`answer`]: a request's bytes in, a response's bytes out; transfers; who may have them.
//! - [`host`]: the world. [`host::daemon`] is the loop around the engine; everything else carries out effects or
//!   tells what happened. [`host::probe`] sees what a TLS service presents, [`host::verify`] what clients meet
//!   altogether; [`host::lab`] is a world of their own to look at.
//! - [`cli`]: one file a command.
//!
//! # The way of a change
//!
//! ```text
//! host::watch          a certificate file changed: its octets           Input::Certificate
//! tlsa::rollover       which associations are published now
//! engine::zone         the served version lacks one of them             Effect::Make(job)
//! engine::job          content wanted → zone::revision → dnssec::sign → dnssec::validate
//! engine::zone         a version, checked                               Effect::Persist
//! host::disk           durable                                          Input::Persisted
//! engine::zone                                                          Effect::Publish, Effect::Notify
//! host::published      one pointer swap; answer loads it once a query or transfer
//! ```
//!
//! A zone that comes from another primary begins elsewhere: `engine::zone::primary` says when that one is asked,
//! [`Effect::Refresh`](engine::Effect::Refresh) asks, and what came goes the same way from there.
//!
//! A dynamic update begins at a socket: [`answer::update`] says who may, the engine lets it wait until the zone is
//! idle, all that wait become one version, and `Effect::Updated` answers them when that is served.
//!
//! What is seen outside comes back the same way: [`engine::outside`] says whom to look at, `host::lookout` asks every
//! nameserver and looks at every endpoint ([`host::probe`]), and tells; the rollover of the service takes it in. The
//! gate (`danelaw gate`) reads the result, after a fresh look at the service's files. MX hosts that no service is for
//! are found by [`engine::mail`] and looked at by `host::mail_hosts`, for [advice](engine::advice) alone.
//!
//! Nothing is published before it is durable. What cannot be made, stored or read leaves what is served as it is, and
//! raises an alarm that `danelaw status` shows until it is over.
//!
//! # Where building showed the design to be wrong
//!
//! - The configuration is read with `saphyr-parser`, not `serde_yaml`: only the former keeps line and column of
//!   every node, which "names line, column and the nearest known key" needs for all errors in one go.
//! - `hickory-proto` is a dependency of the tests only, as the independent reader of what we send. SOA polls and
//!   NOTIFY use the message and TSIG code that the answers need anyway, so the daemon carries one codec, not two.
//! - Version making is one effect, [`Effect::Make`](engine::Effect::Make), for a million names and for one TLSA
//!   record alike; there is no second, "small" path inside the engine.
//! - A clock that is set ahead shortens no wait: the host compares it with the time since boot
//!   ([`host::clock`]), and the engine is told by how much ([`Input::ClockSetAhead`](engine::Input::ClockSetAhead)).
//!   That holds while danelaw is down as well, by a file that keeps what both showed last. Over a reboot nothing tells
//!   how much time has passed, so none of it counts: a wait is longer by the time that the machine was off.
//! - A restored snapshot is published without verifying its signatures again
//!   ([`Verified::restored`](dnssec::validate::Verified::restored)): only verified versions are ever written, the
//!   database has checksums, and a million signatures would keep the zone from being served for a minute.
//! - DNS over HTTPS and QUIC is `hyper` and `quinn` over rustls, not `hickory-server` (0.26.3). Its handlers are
//!   given a parsed request and send records, which it encodes anew: an answer would not have UDP's octets. It also
//!   takes the queries of a QUIC connection one after the other, 100 at most. What is left to write over the
//!   former two is little: [`host::https`], [`host::quic`].
//! - Records outside the zone in an update are REFUSED, because no key is granted them (RFC 2136 §3.3), before anybody
//!   asks whether NOTZONE (§3.4.1.3) would be the word.
//! - DNS over TLS is the loop of TCP over another stream ([`host::tcp`]): transfers go over both.

pub mod answer;
mod asn1;
pub mod cli;
pub mod config;
pub mod dns;
pub mod dnssec;
pub mod engine;
pub mod host;
pub mod state;
pub mod tlsa;
pub mod zone;
