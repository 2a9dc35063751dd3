//! Domains with their few lines.

use super::*;

const HEAD: &str =
    "listen: {http: '127.0.0.1:8053'}\nzones: {example.test: {file: z}, sub.example.test: {file: s}}\n";

fn domain(lines: &str) -> Domain {
    let (config, warnings) = read(&format!("{HEAD}domains:\n{lines}")).expect("a sound configuration");
    assert!(warnings.is_empty(), "{warnings:?}");
    config.domains.into_values().next().unwrap()
}

#[test]
fn a_domain_belongs_to_the_zone_that_holds_it_and_has_defaults() {
    let domain =
        domain("  Mail.Sub.Example.test.:\n    mta-sts: {mx: mx.example.test}\n    caa: {issue: none}\n");
    assert_eq!((domain.zone, domain.ttl), (name("sub.example.test"), Ttl(3_600)));
    let mta_sts = domain.mta_sts.unwrap();
    assert_eq!((mta_sts.mode, mta_sts.max_age), (StsMode::Testing, DAY * 7));
    assert_eq!(mta_sts.owner, name("_mta-sts.mail.sub.example.test"));
    assert_eq!(mta_sts.host, name("mta-sts.mail.sub.example.test"));
    assert_eq!((domain.tls_rpt, domain.caa), (None, vec![Caa { tag: "issue", value: ";".to_owned() }]));
}

#[test]
fn reports_come_from_a_directory_or_by_post_where_there_is_http() {
    let config = sound(&format!("{HEAD}tls-reports: {{directory: spool, post: on}}\n"));
    let directory = Some(Path::new("/etc/danelaw/spool").to_owned());
    assert_eq!(config.tls_reports, TlsReports { directory, post: true });
    assert_eq!(sound(HEAD).tls_reports, TlsReports::default());
    let told = errors("zones: {example.test: {file: z}}\ntls-reports: {post: on}\n");
    assert_each_starts(&told, &["2:21: `post` has its effect with `listen.http` only"]);
    let told = errors(&format!("{HEAD}tls-reports: {{post: yes, diretory: x}}\n"));
    assert_each_starts(&told, &["3:21: post `yes`: expected", "3:26: unknown key `diretory`, nearest"]);
}

#[test]
fn an_mx_pattern_stands_for_one_label_at_most() {
    let domain = domain("  example.test: {mta-sts: {mx: [Mail.example.test, '*.mx.test']}}\n");
    let patterns = domain.mta_sts.unwrap().mx;
    let fits = |host: &str| patterns.iter().any(|pattern| pattern.matches(name(host).as_ref()));
    assert!(fits("mail.Example.test") && fits("a.mx.test"));
    assert!(
        !fits("mx.test") && !fits("a.b.mx.test") && !fits("example.test") && !fits("x.mail.example.test")
    );
}

#[test]
fn a_policy_that_nobody_serves_is_warned_about() {
    let text = HEAD.replace("{http: '127.0.0.1:8053'}", "{}");
    let told = warnings(&format!("{text}domains: {{example.test: {{mta-sts: {{mx: m.test}}}}}}\n"));
    assert_each_starts(&told, &["3:35: warning: the policy of `mta-sts` is served by nobody"]);
}

#[test]
fn what_is_wrong_with_domains_has_its_place() {
    let told = errors(&format!(
        "{HEAD}domains:\n\
         \x20 example.test:\n\
         \x20   tls-rpt: ['mailto:nobody', 'http://a.test/', 'mailto:a@b.test,c', 'https://']\n\
         \x20   mta-sts: {{mode: enforced, mx: [192.0.2.1, 'a_b.test', '*', '*.*.test'], max-age: 366d}}\n\
         \x20 EXAMPLE.test.: {{caa: {{issue: none}}}}\n\
         \x20 a.example.test:\n\
         \x20   mta-sts: {{mode: enforce}}\n\
         \x20   caa: {{issue: ['', 'a..b', 'ca.test; x', 'ca.test; accounturi=7', 'ca.test; validationmethods=a b'], \
         iodef: 'pki@example.test', isue: x}}\n\
         \x20 b.example.test: {{ttl: 1h}}\n\
         \x20 example.org: {{caa: {{issue: none}}}}\n\
         \x20 {}.example.test: {{tls-rpt: 'mailto:a@b.test'}}\n",
        ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(50)].join(".")
    ));
    assert_each_starts(
        &told,
        &[
            "5:15: tls-rpt `mailto:nobody`: expected `mailto:ADDRESS` or `https://HOST/PATH`",
            "5:32: tls-rpt `http://a.test/`: expected",
            "5:50: tls-rpt `mailto:a@b.test,c`: `,` has to be percent-encoded here, as `%2C`",
            "5:71: tls-rpt `https://`: expected",
            "6:21: mode `enforced`: ",
            "6:36: mx `192.0.2.1`: an address",
            "6:47: mx `a_b.test`: not the name of a host",
            "6:59: mx `*`: not the name of a host",
            "6:64: mx `*.*.test`: not the name of a host",
            "6:86: max-age 366d is longer than 365d6h, the longest",
            "7:3: domain `EXAMPLE.test.` is given twice, first in line 4",
            "9:14: `mta-sts` without `mx` in mode `enforce`",
            "10:19: issue ``: expected the domain name of an authority",
            "10:23: issue `a..b`: expected",
            "10:31: issue `ca.test; x`: `x` is no parameter",
            "10:45: issue `ca.test; accounturi=7`: `accounturi` is no URI",
            "10:70: issue `ca.test; validationmethods=a b`: `validationmethods=a b` is no parameter",
            "10:112: iodef `pki@example.test`: expected `mailto:ADDRESS`",
            "10:132: unknown key `isue`, nearest known key is `issue`",
            "11:3: domain `b.example.test` has none of `tls-rpt`, `mta-sts` and `caa`",
            "12:3: domain `example.org` lies in no zone",
            "13:3: domain `aaaa",
        ],
    );
}
