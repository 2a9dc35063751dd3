//! Questions asked with dig.

use super::program::{command, output, text};

/// The answer section, one record a line in dig's words, sorted; empty if there is none or no response.
pub(crate) fn answer(port: u16, name: &str, rtype: &str) -> Vec<String> {
    records(port, &[name, rtype, "+noall", "+answer", "+norecurse", "+tries=1", "+timeout=2"])
}

/// The rdata of the answer's records of that type, in upper case, sorted.
pub(crate) fn rdata(port: u16, name: &str, rtype: &str) -> Vec<String> {
    let records = records(port, &[name, rtype, "+short", "+norecurse", "+tries=1", "+timeout=2"]);
    records.iter().map(|record| record.to_ascii_uppercase()).collect()
}

/// The serial of the zone that is served on this port.
pub(crate) fn serial(port: u16, zone: &str) -> Option<u32> {
    rdata(port, zone, "SOA").first()?.split_whitespace().nth(2)?.parse().ok()
}

/// The whole zone by AXFR in dig's words, the SOA once and first, then sorted; `None` if it is refused or cut short.
pub(crate) fn transfer(port: u16, zone: &str) -> Option<Vec<String>> {
    let mut records =
        lines(port, &[zone, "AXFR", "+noall", "+answer", "+onesoa", "+tries=1", "+timeout=10"])?;
    if records.is_empty() {
        return None;
    }
    records[1..].sort_unstable();
    Some(records)
}

fn records(port: u16, arguments: &[&str]) -> Vec<String> {
    let mut records = lines(port, arguments).unwrap_or_default();
    records.sort_unstable();
    records
}

fn lines(port: u16, arguments: &[&str]) -> Option<Vec<String>> {
    let output = output(command("dig").args(["@127.0.0.1", "-p", &port.to_string()]).args(arguments));
    let said = text(&output);
    // A transfer that fails half way exits with 0.
    if !output.status.success() || said.contains("; Transfer failed") || said.contains("communications error")
    {
        return None;
    }
    Some(said.lines().filter(|line| !line.is_empty() && !line.starts_with(';')).map(str::to_owned).collect())
}

/// The TLSA records at an owner, each as `3 1 1 DIGEST`, in upper case and sorted.
pub(crate) fn tlsa(port: u16, owner: &str) -> Vec<String> {
    whole_digests(&rdata(port, owner, "TLSA"))
}

/// [`tlsa`], but asked of a resolver.
pub(crate) fn resolved_tlsa(port: u16, owner: &str) -> Vec<String> {
    let records = records(port, &[owner, "TLSA", "+short", "+tries=1", "+timeout=2"]);
    whole_digests(&records.iter().map(|record| record.to_ascii_uppercase()).collect::<Vec<_>>())
}

/// Records of which dig has broken the digests into words.
fn whole_digests(records: &[String]) -> Vec<String> {
    records
        .iter()
        .map(|record| {
            let words: Vec<&str> = record.split_whitespace().collect();
            format!("{} {}", words[..3.min(words.len())].join(" "), words[3.min(words.len())..].concat())
        })
        .collect()
}
