//! The records of a mail domain, made of what the configuration says of it; and its MTA-STS policy as senders get it.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::job::Managed;
use crate::config::{Caa, Domain, MtaSts, TlsRpt};
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;

/// The RRsets of a domain: one for each of [`Domain::rrsets`].
pub(super) fn managed(domain: &Domain) -> impl Iterator<Item = Managed> {
    let rrset =
        |owner: &Name, rtype, rdatas| Managed { owner: owner.clone(), rtype, ttl: domain.ttl, rdatas };
    let tls_rpt = domain.tls_rpt.iter().map(move |TlsRpt { owner, destinations }| {
        // RFC 8460 §3.
        let record = format!("v=TLSRPTv1; rua={}", destinations.join(","));
        rrset(owner, Rtype::TXT, vec![text(&record)])
    });
    let mta_sts = domain.mta_sts.iter().map(move |mta_sts| {
        let record = format!("v=STSv1; id={};", policy_id(&policy(mta_sts)));
        rrset(&mta_sts.owner, Rtype::TXT, vec![text(&record)])
    });
    let mut properties: Vec<Vec<u8>> = domain.caa.iter().map(caa).collect();
    properties.sort_unstable();
    properties.dedup();
    let caa = (!properties.is_empty()).then(|| rrset(&domain.name, Rtype::CAA, properties));
    tls_rpt.chain(mta_sts).chain(caa)
}

/// The policy as `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` has it (RFC 8461 §3.2).
pub fn policy(mta_sts: &MtaSts) -> String {
    let mx: String = mta_sts.mx.iter().map(|pattern| format!("mx: {pattern}\r\n")).collect();
    let (mode, max_age) = (mta_sts.mode.word(), mta_sts.max_age.0);
    format!("version: STSv1\r\nmode: {mode}\r\n{mx}max_age: {max_age}\r\n")
}

/// What tells senders that a policy is another one than before. It is made of the policy and of nothing else: so it
/// changes exactly when that does, and a restart or another server of the same domain changes nothing.
fn policy_id(policy: &str) -> String {
    // RFC 8461 §3.1: at most 32 letters and digits.
    HEXLOWER.encode(&digest(&SHA256, policy.as_bytes()).as_ref()[..16])
}

/// TXT rdata; readers put its strings together (RFC 8460 §3, RFC 8461 §3.1).
fn text(text: &str) -> Vec<u8> {
    let strings = text.as_bytes().chunks(255);
    strings.flat_map(|string| [&[string.len() as u8], string].concat()).collect()
}

/// CAA rdata (RFC 8659 §4.1). No property is critical: every authority knows these.
fn caa(Caa { tag, value }: &Caa) -> Vec<u8> {
    [&[0, tag.len() as u8], tag.as_bytes(), value.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::dns::rdata;

    const DOMAIN: &str = "
zones: {example.test: {file: zone}}
listen: {http: '127.0.0.1:8053'}
domains:
  example.test:
    tls-rpt: ['mailto:tls@example.test', 'https://reports.example.org/v1?for=example.test']
    mta-sts: {mode: enforce, mx: [mail.example.test, '*.mx.example.org'], max-age: 14d}
    caa:
      issue: 'letsencrypt.org;accounturi=https://acme.example/acct/7; validationmethods = dns-01,http-01'
      issuewild: none
      iodef: mailto:pki@example.test
    ttl: 30m
";

    fn domain(text: &str) -> Domain {
        let (config, warnings) = Config::parse(text, "danelaw.yaml", Path::new("/")).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        config.domains.into_values().next().unwrap()
    }

    /// As a zone file has them.
    fn lines(domain: &Domain) -> Vec<String> {
        let rrsets = managed(domain);
        let lines = rrsets.flat_map(|Managed { owner, rtype, ttl, rdatas }| {
            rdatas.into_iter().map(move |rdata| {
                let mut text = String::new();
                rdata::write(rtype, &rdata, &mut text).unwrap();
                format!("{owner} {ttl} {rtype} {text}")
            })
        });
        lines.collect()
    }

    #[test]
    fn a_few_lines_are_the_records_of_a_mail_domain() {
        let domain = domain(DOMAIN);
        assert_eq!(
            lines(&domain),
            [
                "_smtp._tls.example.test. 1800 TXT \"v=TLSRPTv1; rua=mailto:tls@example.test,\
                 https://reports.example.org/v1?for=example.test\"",
                "_mta-sts.example.test. 1800 TXT \"v=STSv1; id=ID;\"",
                "example.test. 1800 CAA 0 iodef \"mailto:pki@example.test\"",
                "example.test. 1800 CAA 0 issue \"letsencrypt.org; accounturi=https://acme.example/acct/7; \
                 validationmethods=dns-01,http-01\"",
                "example.test. 1800 CAA 0 issuewild \";\"",
            ]
            .map(|line| line.replace("ID", &policy_id(&policy(domain.mta_sts.as_ref().unwrap()))))
        );
        assert!(managed(&domain).map(|managed| managed.rrset()).eq(domain.rrsets()));
    }

    #[test]
    fn the_policy_is_what_senders_read_and_its_id_changes_with_it_alone() {
        let policy_of = |text: &str| policy(&domain(text).mta_sts.unwrap());
        let first = policy_of(DOMAIN);
        assert_eq!(
            first,
            "version: STSv1\r\nmode: enforce\r\nmx: mail.example.test\r\nmx: *.mx.example.org\r\nmax_age: 1209600\r\n"
        );
        let same = policy_of(&DOMAIN.replace("ttl: 30m", "ttl: 2h").replace("14d", "336h"));
        assert_eq!(policy_id(&same), policy_id(&first));
        for (old, new) in [("enforce", "testing"), ("mail.example.test,", ""), ("14d", "15d")] {
            assert_ne!(policy_id(&policy_of(&DOMAIN.replace(old, new))), policy_id(&first), "{old}");
        }
        assert!(
            policy_id(&first).len() <= 32 && policy_id(&first).bytes().all(|b| b.is_ascii_alphanumeric())
        );
    }

    #[test]
    fn a_long_text_is_split_into_strings() {
        let long = "x".repeat(300);
        let rdata = text(&long);
        assert_eq!((rdata.len(), rdata[0], rdata[256]), (302, 255, 45));
    }
}
