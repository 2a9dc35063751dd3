//! Looking for MX hosts that have STARTTLS and no TLSA record, for advice.
//!
//! One task looks through the zones that are served when one of them has changed, and asks the hosts that it finds on
//! port 25, one after the other and each once an hour: as far as STARTTLS, without a handshake. One that cannot be
//! reached is nothing to give advice about.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::daemon::Message;
use super::lookout::ehlo;
use super::probe;
use super::published::Published;
use crate::config::Manner;
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::engine::Input;
use crate::engine::mail::{Looked, MxHost, unprotected};

/// How long zones that change are left alone first: at a start they come one after the other.
const SETTLE: Duration = Duration::from_secs(1);
/// How long between two looks through the zones, at least,
const PAUSE: Duration = Duration::from_mins(1);
/// and how long until a host is asked again.
const RECHECK: Duration = Duration::from_hours(1);
/// The most addresses of a host that are asked.
const MOST_ADDRESSES: usize = 4;
const SMTP: u16 = 25;

/// The task.
pub(super) struct MailHosts {
    changed: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl MailHosts {
    pub(super) fn watch(published: Arc<Published>, engine: Sender<Message>, runtime: &Handle) -> Self {
        let (changed, receiver) = watch::channel(());
        let task = runtime.spawn(look_again_and_again(published, receiver, engine));
        Self { changed, task }
    }

    /// Another version of a zone is served.
    pub(super) fn published(&self) {
        self.changed.send_replace(());
    }
}

impl Drop for MailHosts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look_again_and_again(
    published: Arc<Published>,
    mut changed: watch::Receiver<()>,
    engine: Sender<Message>,
) {
    let ehlo = ehlo();
    // When each host was asked, and whether it offers STARTTLS as far as is known.
    let mut asked: BTreeMap<Name, (Instant, bool)> = BTreeMap::new();
    let mut told = Vec::new();
    loop {
        if let Ok(Err(_)) = tokio::time::timeout(RECHECK, changed.changed()).await {
            return;
        }
        tokio::time::sleep(SETTLE).await;
        changed.mark_unchanged();
        let zones = Arc::clone(&published);
        let Ok(mut hosts) = tokio::task::spawn_blocking(move || find(&zones)).await else { return };
        asked.retain(|name, _| hosts.iter().any(|each| each.host == *name));
        for each in &mut hosts {
            let before = asked.get(&each.host).copied();
            each.starttls = match before {
                Some((at, offers)) if at.elapsed() < RECHECK => offers,
                before => {
                    let offers = offers_starttls(each, &ehlo).await.or(before.map(|(_, offers)| offers));
                    let offers = offers.unwrap_or(false);
                    asked.insert(each.host.clone(), (Instant::now(), offers));
                    offers
                }
            };
        }
        hosts.retain(|each| each.starttls);
        if hosts != told {
            told.clone_from(&hosts);
            if engine.send(Message::Input(Input::MxHosts(hosts))).is_err() {
                return;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The hosts without TLSA records, as the zones are served now.
fn find(published: &Published) -> Vec<MxHost> {
    let snapshots = published.snapshots();
    let zones: Vec<Looked<'_>> = snapshots
        .iter()
        .map(|snapshot| {
            let contents = snapshot.contents();
            Looked { contents, signed: contents.apex().is_some_and(|apex| apex.has(Rtype::DNSKEY)) }
        })
        .collect();
    unprotected(&zones)
}

/// Whether it offers STARTTLS at any of its addresses; `None` if none of them says.
async fn offers_starttls(host: &MxHost, ehlo: &Name) -> Option<bool> {
    let mut known = None;
    for &address in host.addresses.iter().take(MOST_ADDRESSES) {
        let target = probe::Target {
            address: SocketAddr::new(address, SMTP),
            manner: Manner::Smtp,
            host: host.host.as_ref(),
            domain: None,
            ehlo: ehlo.as_ref(),
        };
        match probe::offers_tls(&target).await {
            Ok(true) => return Some(true),
            Ok(false) => known = Some(false),
            Err(_) => {}
        }
    }
    known
}
