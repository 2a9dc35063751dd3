//! What a service presents, against the TLSA records of its owner.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::super::identity::provider;
use super::super::probe::{self, Handshake, Presented, Target};
use super::{Endpoint, Outcome, Place, Tlsa, Verifier};
use crate::config::Manner;
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::tlsa::material::Certificate;
use crate::tlsa::params::Usage;
use crate::tlsa::verdict::{Verdict, matched, verdict};
use crate::tlsa::{Association, Params};

impl Verifier {
    /// Looks at the service at each address, and judges each chain by what each nameserver has.
    pub(super) async fn presented(&mut self, endpoint: &Endpoint, addresses: &[SocketAddr], tlsa: &Tlsa) {
        let Endpoint { host, port, domain, .. } = endpoint;
        let place = Place(host, *port);
        let manner = self.manner.unwrap_or_else(|| Manner::of_port(*port));
        for &address in addresses {
            let target = Target {
                address,
                manner,
                host: host.as_ref(),
                domain: domain.as_ref().map(Name::as_ref),
                ehlo: self.ehlo.as_ref(),
            };
            let chains = match probe::look(&target).await {
                Ok(chains) => chains,
                Err(error) => {
                    self.report.add(Outcome::Fail, &place, Some(&address), error);
                    continue;
                }
            };
            for presented in &chains {
                for (rdatas, servers) in tlsa {
                    let records = if tlsa.len() > 1 {
                        format!("the TLSA records of {}", servers.join(", "))
                    } else {
                        "the TLSA records".to_owned()
                    };
                    let (outcome, text) = judge(presented, rdatas, &records, host, domain.as_ref());
                    self.report.add(outcome, &place, Some(&address), text);
                }
            }
        }
    }
}

/// How a chain stands with an RRset, which people know as `records`.
fn judge(
    presented: &Presented,
    rdatas: &[Vec<u8>],
    records: &str,
    host: &Name,
    domain: Option<&Name>,
) -> (Outcome, String) {
    let what = format!("the certificate seen by {}", Handshakes(&presented.handshakes));
    let chain: Result<Vec<Certificate>, _> =
        presented.chain.iter().map(|der| Certificate::parse(der)).collect();
    let chain = match chain {
        Ok(chain) => chain,
        Err(error) => return (Outcome::Fail, format!("{what} cannot be read: {error}")),
    };
    let associations: Vec<Association> =
        rdatas.iter().filter_map(|rdata| Association::from_rdata(Rtype::TLSA, rdata).ok()).collect();
    match verdict(&associations, &chain) {
        Verdict::Unmatched => (Outcome::Fail, format!("{what} matches none of {records}")),
        Verdict::Partly(params) => {
            let sets: Vec<String> = params.iter().map(Params::to_string).collect();
            let text = format!("none of {records} with {}, as others do", sets.join(", "));
            (Outcome::Fail, format!("{what} matches {text} (RFC 7671 §8)"))
        }
        Verdict::Matched(matching) => {
            // RFC 7671 §5.1: a match of DANE-EE settles it, whatever else there is.
            if matching.iter().any(|record| record.params().usage() == Some(Usage::DaneEe)) {
                return (Outcome::Ok, format!("{what} matches {}", matching[0].params()));
            }
            let names: Vec<&Name> = std::iter::once(host).chain(domain).collect();
            let mut fault = None;
            for record in &matching {
                match path(record, &chain, &names) {
                    Ok(()) if record.params().usage() == Some(Usage::DaneTa) => {
                        return (Outcome::Ok, format!("{what} is issued as {} says", record.params()));
                    }
                    Ok(()) => {}
                    Err(error) => fault = Some(format!("matches {}, but: {error}", record.params())),
                }
            }
            if let Some(fault) = fault {
                return (Outcome::Fail, format!("{what} {fault}"));
            }
            let text = "which wants a public authority as well; that is not looked at here";
            (Outcome::Warn, format!("{what} matches {}, {text}", matching[0].params()))
        }
    }
}

/// For DANE-TA: whether the chain leads from the server's certificate to the one that the record is about, in time and
/// with one of these names in it (RFC 7671 §5.2).
fn path(record: &Association, chain: &[Certificate], names: &[&Name]) -> Result<(), rustls::Error> {
    let Some(trusted) = matched(record, chain).filter(|_| record.params().usage() == Some(Usage::DaneTa))
    else {
        return Ok(());
    };
    let der = |certificate: &Certificate| CertificateDer::from(certificate.der().to_vec());
    let mut roots = RootCertStore::empty();
    roots.add(der(trusted))?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let above: Vec<CertificateDer<'_>> = chain.iter().skip(1).map(der).collect();
    let mut outcome = Ok(());
    for name in names {
        let Ok(name) = ServerName::try_from(name.as_ref().undotted()) else { continue };
        outcome =
            verifier.verify_server_cert(&der(&chain[0]), &above, &name, &[], UnixTime::now()).map(|_| ());
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The handshakes in which a chain was seen, in few words.
struct Handshakes<'h>(&'h [Handshake]);

impl fmt::Display for Handshakes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = |wanted| self.0.iter().any(|handshake| handshake.signature == wanted);
        f.write_str(match (signature(probe::Signature::Ecdsa), signature(probe::Signature::Rsa)) {
            (true, false) => "clients that offer ECDSA",
            (false, true) => "clients that offer RSA",
            _ => "clients",
        })?;
        match (self.0.iter().any(|handshake| handshake.sni), self.0.iter().any(|handshake| !handshake.sni)) {
            (true, false) => f.write_str(" and name the host")?,
            (false, true) => f.write_str(" and do not name the host")?,
            _ => {}
        }
        let version = |wanted| self.0.iter().any(|handshake| handshake.version == wanted);
        match (version(probe::Version::Tls13), version(probe::Version::Tls12)) {
            (true, false) => f.write_str(" in TLS 1.3"),
            (false, true) => f.write_str(" in TLS 1.2"),
            _ => Ok(()),
        }
    }
}
