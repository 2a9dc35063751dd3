use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::dns::time::{DAY, HOUR, Seconds, Ttl};

mod domains;
mod subjects;
mod transfers;

fn read(text: &str) -> Result<(Config, Vec<String>), Vec<String>> {
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    match Config::parse(text, "danelaw.yaml", Path::new("/etc/danelaw")) {
        Ok((config, warnings)) => Ok((config, told(warnings))),
        Err(problems) => Err(told(problems)),
    }
}

fn sound(text: &str) -> Config {
    read(text).expect("a sound configuration").0
}

/// The errors, with the prefix `danelaw.yaml:` taken off.
fn errors(text: &str) -> Vec<String> {
    let problems = read(text).expect_err("a refused configuration");
    problems.iter().map(|p| p.strip_prefix("danelaw.yaml:").unwrap_or(p).to_owned()).collect()
}

fn warnings(text: &str) -> Vec<String> {
    let told = read(text).expect("a sound configuration").1;
    told.iter().map(|p| p.strip_prefix("danelaw.yaml:").unwrap_or(p).to_owned()).collect()
}

fn file_of(zone: &Zone) -> &Path {
    let ZoneSource::File(file) = &zone.source else { panic!("{} has no file", zone.origin) };
    &file.path
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn assert_each_starts(told: &[String], expected: &[&str]) {
    let matches = told.len() == expected.len() && told.iter().zip(expected).all(|(t, e)| t.starts_with(e));
    assert!(matches, "\n{}\nis not\n{}", told.join("\n"), expected.join("\n"));
}

/// Every key of DESIGN.md's contract.
const FULL: &str = r#"
listen:
  dns:  ["127.0.0.1:5353", "[::1]:5353"]
  tls:   []
  https: []
  quic:  []
  http: "127.0.0.1:8053"

keys:  keys
state: state
trust-anchor: root.ds

tsig:
  xfr.example.test:
    algorithm: hmac-sha256
    secret-file: keys/xfr.secret

remotes:
  ns2: {address: "192.0.2.2:53", tsig: xfr.example.test}

policies:
  default:
    keys: csk
    denial: nsec
    signatures: {validity: 14d, refresh: 7d, jitter: 1d, backdate: 1h}
    dnskey-ttl: 1h
    serial: unixtime

zones:
  example.test:
    file: zones/example.test.zone
    policy: default
    secondaries: [ns2]
    allow-transfer: ["127.0.0.1", {tsig: xfr.example.test}]
    propagation: all

services:
  mail:
    endpoints: ["mail.example.test:25", "mail.example.test:587"]
    certificate: /etc/letsencrypt/live/mail.example.test/fullchain.pem
    next: /etc/letsencrypt/live/mail.example.test/privkey.roll.pem
    tlsa: ["3 1 1"]
    ttl: 1h
    probe: auto
    starttls: smtp
    domain: example.test
"#;

#[test]
fn the_contract_is_read_in_full_and_without_a_warning() {
    let (config, warnings) = read(FULL).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.listen.dns, [address("127.0.0.1:5353"), address("[::1]:5353")]);
    assert_eq!(config.listen.http, Some(address("127.0.0.1:8053")));
    assert_eq!(config.keys, Path::new("/etc/danelaw/keys"));
    let mail = &config.services["mail"];
    assert_eq!(
        (mail.manner, mail.domain.as_ref()),
        (Some(Manner::Smtp), Name::parse("example.test").ok().as_ref())
    );
    assert_eq!(config.trust_anchor.as_deref(), Some(Path::new("/etc/danelaw/root.ds")));
    assert_eq!(config.control_socket(), Path::new("/etc/danelaw/state/control.sock"));

    let zone = &config.zones[&name("example.test")];
    assert_eq!(file_of(zone), Path::new("/etc/danelaw/zones/example.test.zone"));
    assert_eq!(*zone.policy, Policy::standard());
    assert_eq!(zone.propagation, Propagation::All);
    let [ns2] = &zone.secondaries[..] else { panic!("{zone:?}") };
    assert_eq!(ns2.addresses, [address("192.0.2.2:53")]);
    let key = ns2.tsig.as_ref().unwrap();
    assert_eq!((&key.name, key.algorithm), (&name("xfr.example.test"), TsigAlgorithm::HmacSha256));
    assert_eq!(key.secret, SecretSource::File(PathBuf::from("/etc/danelaw/keys/xfr.secret")));

    let mail = &config.services["mail"];
    let owners: Vec<String> = mail.endpoints.iter().map(|endpoint| endpoint.owner().to_string()).collect();
    assert_eq!(owners, ["_25._tcp.mail.example.test.", "_587._tcp.mail.example.test."]);
    assert_eq!(mail.endpoints[0].zone, zone.origin);
    assert_eq!(mail.tlsa, [TlsaParameters { usage: 3, selector: 1, matching: 1 }]);
    assert_eq!((mail.ttl, &mail.probe), (Ttl(3_600), &Probe::Auto));
    assert_eq!(mail.next, [Path::new("/etc/letsencrypt/live/mail.example.test/privkey.roll.pem")]);
}

#[test]
fn what_is_left_out_has_its_documented_default() {
    let short = sound(
        "zones: {example.test: {file: z}}\n\
         services: {mail: {endpoints: 'mail.example.test:25', certificate: c.pem}}",
    );
    let zone = &short.zones[&name("example.test")];
    assert_eq!(short.listen, Listen::default());
    assert_eq!((&*zone.policy, zone.propagation), (&Policy::standard(), defaults::PROPAGATION));
    let mail = &short.services["mail"];
    assert_eq!(
        (&mail.tlsa[..], mail.ttl, &mail.probe),
        (&[defaults::TLSA][..], defaults::TLSA_TTL, &Probe::Auto)
    );
    assert!(mail.next.is_empty() && mail.made.is_empty() && zone.secondaries.is_empty());
    assert_eq!(short.policies.keys().collect::<Vec<_>>(), ["default", "unsigned"]);
    assert!(!short.policies["unsigned"].signs());
    let empty = warnings("# nothing yet\n");
    assert_eq!(empty, ["1:1: warning: no zones, so every query is refused; expected some under `zones`"]);
}

#[test]
fn a_next_key_is_a_file_or_made_and_lies_in_a_directory_of_its_service() {
    let config = sound(
        "zones: {example.test: {file: z}}\n\
         services:\n  \
           mail:\n    endpoints: 'mail.example.test:25'\n    certificate: [ec.pem, rsa.pem]\n    \
             next: [{generate: ecdsa-p256, directory: /var/lib/next}, {generate: rsa-2048}]\n  \
           web:\n    endpoints: 'www.example.test:443'\n    certificate: [a.pem, b.pem]\n    \
             next: [a.next, {generate: ecdsa-p256}]\n",
    );
    let mail = &config.services["mail"];
    let of = |algorithm, directory: &str| MadeNext { algorithm, directory: directory.into() };
    assert_eq!(mail.made[&0], of(KeyAlgorithm::EcdsaP256, "/var/lib/next/mail"));
    assert_eq!(mail.made[&1], of(KeyAlgorithm::Rsa2048, "/etc/danelaw/next/mail-2"));
    let requests = ["/var/lib/next/mail/next/csr.pem", "/etc/danelaw/next/mail-2/next/csr.pem"];
    assert_eq!(mail.next, requests.map(Path::new));
    let web = &config.services["web"];
    assert_eq!(web.next, ["/etc/danelaw/a.next", "/etc/danelaw/next/web-2/next/csr.pem"].map(Path::new));
    assert_eq!(web.made.keys().collect::<Vec<_>>(), [&1]);
}

#[test]
fn next_keys_of_two_certificates_have_two_directories_and_an_algorithm() {
    let told = errors(
        "zones: {example.test: {file: z}}\n\
         services:\n  \
           mail: {endpoints: 'mail.example.test:25', certificate: [a, b], next: [a.next, {generate: rsa-2048}]}\n  \
           mail-2: {endpoints: 'm2.example.test:25', certificate: c, next: {generate: rsa-2048}}\n  \
           web: {endpoints: 'www.example.test:443', certificate: d, next: {generate: ed25519}}\n  \
           ftp: {endpoints: 'ftp.example.test:21', certificate: e, next: {directory: here}}\n",
    );
    let expected = [
        "4:67: `/etc/danelaw/next/mail-2` holds the next keys of another certificate already",
        "5:77: generate `ed25519`: expected `ecdsa-p256`, `rsa-2048`",
        "6:65: `next` lacks `generate`, expected `{generate: ecdsa-p256, directory: DIR}` or the path of a file",
    ];
    assert_each_starts(&told, &expected);
}

#[test]
fn a_store_says_where_the_certificate_is_and_what_comes_next() {
    let files = |lines: &str| {
        let text = format!(
            "zones: {{example.test: {{file: z}}}}\n\
             services: {{mail: {{endpoints: ['mail.example.test:25', 'imap.example.test:993'], {lines}}}}}"
        );
        let mail = sound(&text).services["mail"].clone();
        let texts =
            |paths: Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        (texts(mail.certificates), texts(mail.next))
    };
    let host = "mail.example.test";
    for (lines, certificate, next) in [
        ("store: certbot", format!("/etc/letsencrypt/live/{host}/fullchain.pem"), None),
        ("store: certbot, name: N-1", "/etc/letsencrypt/live/N-1/fullchain.pem".to_owned(), None),
        (
            "store: danebot",
            format!("/etc/letsencrypt/live/{host}/combo.pem"),
            Some(format!("/etc/letsencrypt/staging/{host}/nextkey.pem")),
        ),
        (
            "store: danectl",
            format!("/etc/letsencrypt/current/{host}/fullchain.pem"),
            Some(format!("/etc/letsencrypt/next/{host}/fullchain.pem")),
        ),
        (
            "store: acme.sh",
            format!("/root/.acme.sh/{host}_ecc/fullchain.cer"),
            Some(format!("/root/.acme.sh/{host}_ecc/{host}.key.next")),
        ),
        (
            "store: dehydrated, directory: certs",
            format!("/etc/danelaw/certs/{host}/fullchain.pem"),
            Some(format!("/etc/danelaw/certs/{host}/privkey.roll.pem")),
        ),
        ("store: lego, directory: /l, name: '*.a.test'", "/l/certificates/_.a.test.crt".to_owned(), None),
        (
            "store: caddy, directory: /c, name: '*.a.test', issuer: local",
            "/c/certificates/local/wildcard_.a.test/wildcard_.a.test.crt".to_owned(),
            None,
        ),
        ("store: traefik, directory: /t", "/t/acme.json".to_owned(), None),
        ("store: kubernetes, directory: /tls", "/tls/tls.crt".to_owned(), None),
        (
            "store: certbot, next: n",
            format!("/etc/letsencrypt/live/{host}/fullchain.pem"),
            Some("/etc/danelaw/n".into()),
        ),
    ] {
        assert_eq!(files(lines), (vec![certificate], Vec::from_iter(next)), "{lines}");
    }
    let (certificates, next) = files("store: acme.sh, name: [a_ecc, a], directory: /h");
    assert_eq!(certificates, ["/h/a_ecc/fullchain.cer", "/h/a/fullchain.cer"]);
    assert_eq!(next, ["/h/a_ecc/a.key.next", "/h/a/a.key.next"]);
}

#[test]
fn what_a_store_does_not_have_is_told() {
    let service =
        |port: u16, lines: &str| format!("  s{port}: {{endpoints: 'mail.example.test:{port}', {lines}}}\n");
    let services: Vec<String> = [
        "store: certbod",
        "store: certbot, certificate: c",
        "store: lego",
        "store: traefik, directory: d, name: n",
        "store: certbot, issuer: i",
        "store: certbot, name: ../n",
        "store: certbot, name: [n, n]",
        "certificate: c, directory: d",
    ]
    .iter()
    .zip(1..)
    .map(|(lines, port)| service(port, lines))
    .collect();
    let told = errors(&format!("zones: {{example.test: {{file: z}}}}\nservices:\n{}", services.concat()));
    let expected = [
        "3: store `certbod`: expected `certbot`, `danebot`, `danectl`, `acme.sh`, `dehydrated`, `lego`, `caddy`,",
        "4: `certificate` beside `store`, expected one of them",
        "5: store `lego` has no usual place, expected `directory: DIR`",
        "6: store `traefik` has no names",
        "7: store `certbot` has no issuers",
        "8: name `../n`: expected the name of a certificate in the store, without `/`",
        "9: `name` is given twice: `n`",
        "10: `directory` is of use beside `store` alone",
    ];
    let without_column = |line: &str| {
        let (place, rest) = line.split_once(": ").unwrap();
        format!("{}: {rest}", place.split_once(':').unwrap().0)
    };
    let told: Vec<String> = told.iter().map(|line| without_column(line)).collect();
    assert_each_starts(&told, &expected);
}

#[test]
fn what_danelaw_says_of_itself_and_how_often_is_off_until_it_is_asked_for() {
    let plain = sound("");
    assert_eq!((plain.server, plain.rate_limit), (Server::default(), None));
    let told = sound(
        "server: {version: 'danelaw, of course', id: off, cookie-secret-file: c}\n\
         rate-limit: {responses-per-second: 5, nxdomains-per-second: 0, window: 1m, exempt: 192.0.2.0/24, \
         log-only: true}",
    );
    let server = told.server;
    assert_eq!((server.version.as_deref(), server.id), (Some("danelaw, of course"), None));
    assert_eq!(server.cookie_secret.as_deref(), Some(Path::new("/etc/danelaw/c")));
    let limit = RateLimit {
        responses: 5,
        referrals: 5,
        nodata: 5,
        nxdomains: 0,
        errors: 5,
        window: Seconds(60),
        exempt: vec![Prefix::parse("192.0.2.0/24").unwrap()],
        log_only: true,
        ..defaults::RATE_LIMIT
    };
    assert_eq!(told.rate_limit, Some(limit));
    assert_eq!(sound("rate-limit: {}").rate_limit, Some(defaults::RATE_LIMIT));
}

#[test]
fn rates_and_texts_have_their_bounds() {
    let long = "x".repeat(129);
    let told = errors(&format!(
        "server: {{version: {long}}}\nrate-limit: {{slip: 11, ipv4-prefix: 33, window: 2h, log-only: yes, \
         errors-per-second: -1}}"
    ));
    assert_eq!(told.len(), 6, "{told:?}");
    assert!(told[0].ends_with("too long, expected at most 128 octets"), "{told:?}");
    assert!(told.iter().any(|line| line.ends_with("slip `11`: expected a number from 0 to 10")), "{told:?}");
    assert!(
        told.iter().any(|line| line.ends_with("window `2h`: expected a span from `1s` to `1h`")),
        "{told:?}"
    );
}

#[test]
fn a_misspelt_key_is_named_with_its_place_and_the_nearest_known_one() {
    let told = errors("zones:\n  example.test: {file: z}\nservcies: {}\n");
    assert_eq!(told, ["3:1: unknown key `servcies`, nearest known key is `services`"]);
    let told = errors("zones:\n  example.test:\n    fiel: z\n    file: z\n");
    assert_eq!(told, ["3:5: unknown key `fiel`, nearest known key is `file`"]);
    let told = errors("remotes:\n  ns2: {address: 192.0.2.2, port: 53}");
    assert_eq!(told, ["2:29: unknown key `port`, expected one of `address`, `tsig`, `tls`"]);
}

#[test]
fn all_problems_are_told_at_once_in_the_files_order() {
    let told = errors(
        r#"listen: {dns: [127.0.0.1:99999, nowhere], tls: ["::1"]}
tsig: {k: {algorithm: hmac-md5, secret: "!"}}
remotes:
  ns2: {address: ns2.example.test, tsig: kk}
  ns3: {}
policies:
  unsigned: {}
  quick: {keys: zsk, signatures: {validity: 1d, refresh: 2d}, dnskey-ttl: 3600}
zones:
  example.test: {policy: quik, secondaries: [ns4, ns2, ns2], allow-transfer: [192.0.2.1/24, {}]}
services:
  web: {endpoints: ["www.example.org:443", "www.example.test:0"], tlsa: ["4 1 1", "3 1"], ttl: 0s, probe: maybe}
"#,
    );
    let expected = [
        "1:16: dns `127.0.0.1:99999`: not an IP address",
        "1:33: dns `nowhere`: not an IP address",
        "1:49: `listen.tls` without a certificate to present, expected `certificate: {chain: FILE, key: FILE}`",
        "2:23: algorithm `hmac-md5`: expected `hmac-sha256`, `hmac-sha384`, `hmac-sha512`",
        "2:41: secret `…`: not Base64",
        "4:18: address `ns2.example.test`: not an IP address",
        "4:42: unknown tsig key `kk`, nearest is `k`",
        "5:3: remote `ns3` has no address",
        "7:3: policy `unsigned` is built in",
        "8:17: keys `zsk`: expected `csk`, `ksk+zsk`, `none`",
        "8:34: `validity` 1d less `jitter` 1d is not longer than `refresh` 2d",
        "8:75: dnskey-ttl `3600`: a span of time needs its unit",
        "10:3: zone `example.test` has no records",
        "10:26: unknown policy `quik`, nearest is `quick`",
        "10:46: unknown remote `ns4`, nearest is `ns2`",
        "10:56: secondary `ns2` is given twice",
        "10:79: allow-transfer `192.0.2.1/24`: bits are set beyond the prefix, expected `192.0.2.0/24`",
        "10:93: this entry allows everybody",
        "12:3: service `web` has no certificate",
        "12:21: endpoint `www.example.org:443` lies in no zone",
        "12:44: endpoints `www.example.test:0`: port `0` is not a number from 1 to 65535",
        "12:74: tlsa `4 1 1`: unknown usage",
        "12:83: tlsa `3 1`: expected usage, selector and matching type",
        "12:96: ttl `0s`: expected at least `1s`",
        "12:107: probe `maybe`: expected `auto`, `off`, or addresses with ports such as `127.0.0.1:25`",
    ];
    assert_each_starts(&told, &expected);
}

#[test]
fn syntax_errors_have_their_place_too() {
    for (text, place) in [
        ("zones: [", "2:1: not YAML: "),
        ("zones:\n  a: b: c\n", "2:7: not YAML: "),
        ("zones: {}\n---\nzones: {}\n", "2:1: a second document starts here"),
        ("zones: *nowhere\n", "1:8: not YAML: "),
        ("keys: &k [*k]\n", "1:11: this alias refers to what contains it"),
        ("keys: !path k\n", "1:7: tag `!path` means nothing here"),
        ("? [a]\n: b\n", "1:3: a key must be plain text"),
    ] {
        let told = errors(text);
        assert!(told[0].starts_with(place), "{told:?} is not at {place}");
    }
    let deep = errors(&"- ".repeat(100_000));
    assert!(deep[0].starts_with("1:65: nested deeper than 32 levels"), "{deep:?}");
}

#[test]
fn what_is_given_twice_is_refused_however_it_is_written() {
    let told = errors("keys: a\nstate: b\nkeys: c\n");
    assert_eq!(told, ["3:1: key `keys` is given twice, first in line 1"]);
    let told = errors("zones:\n  example.test: {file: z}\n  EXAMPLE.test.: {file: y}\n");
    assert_eq!(told, ["3:3: zone `EXAMPLE.test.` is given twice, first in line 2"]);
    let told = errors(
        "zones: {example.test: {file: z}}\nservices:\n  a: {endpoints: 'm.example.test:25', certificate: a}\n  \
         b: {endpoints: 'M.example.test.:25', certificate: b}\n",
    );
    let expected = "4:18: endpoint `M.example.test:25` is in line 3 already";
    assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
    let told = errors("listen: {dns: ['127.0.0.1:53', 127.0.0.1]}");
    assert_eq!(told, ["1:32: `127.0.0.1:53` is given twice"]);
}

#[test]
fn encrypted_listeners_have_their_ports_and_one_certificate() {
    let listen = sound(
        "listen:\n  tls: [192.0.2.1, '[::1]:8853']\n  https: 192.0.2.1\n  quic: 192.0.2.1\n  \
         certificate: {chain: tls/fullchain.pem, key: /tls/privkey.pem}\n",
    )
    .listen;
    assert_eq!(listen.tls, [address("192.0.2.1:853"), address("[::1]:8853")]);
    assert_eq!((listen.https, listen.quic), (vec![address("192.0.2.1:443")], vec![address("192.0.2.1:853")]));
    let certificate = listen.certificate.unwrap();
    assert_eq!(certificate.chain, Path::new("/etc/danelaw/tls/fullchain.pem"));
    assert_eq!(certificate.key, Path::new("/tls/privkey.pem"));

    let told = errors("listen: {tls: '::1', quic: '::1', certificate: {chain: c, kye: k}}");
    let expected = ["1:48: `certificate` lacks `key`", "1:59: unknown key `kye`, nearest known key is `key`"];
    assert_each_starts(&told, &expected);
    let told = errors("listen:\n  https: '::1'\n  quic: '::1'");
    let expected = ["2:10: `listen.https` without a certificate", "3:9: `listen.quic` without a certificate"];
    assert_each_starts(&told, &expected);
    let told = warnings("listen: {certificate: {chain: c, key: k}}");
    assert!(told.iter().any(|told| told.starts_with("1:23: warning: `certificate` is presented by nobody")));
}

#[test]
fn a_port_is_taken_once_for_tcp_and_once_for_udp() {
    let told = errors(
        "listen:\n  dns: '127.0.0.1:53'\n  tls: ['127.0.0.1:53', '127.0.0.1:853']\n  https: 127.0.0.1:853\n  \
         quic: ['127.0.0.1:853', '127.0.0.1:53']\n  http: 127.0.0.1:853\n  certificate: {chain: c, key: k}\n",
    );
    let expected = [
        "3:9: `127.0.0.1:53` is taken already: `listen.dns` uses TCP there",
        "4:10: `127.0.0.1:853` is taken already: `listen.tls` uses TCP there",
        "5:27: `127.0.0.1:53` is taken already: `listen.dns` uses UDP there",
        "6:9: `127.0.0.1:853` is taken already",
    ];
    assert_each_starts(&told, &expected);
}

#[test]
fn columns_count_octets_and_lines_end_as_yaml_says() {
    assert!(errors("\u{feff}keys: ü\r\nstate: 'é' # é\rzonen: x")[0].starts_with("3:1: "));
    assert!(errors("{state: 'éé', zonen: x}")[0].starts_with("1:17: "));
}

#[test]
fn an_alias_stands_for_what_it_refers_to() {
    let config = sound("zones:\n  a.test: &common {file: z, policy: unsigned}\n  b.test: *common\n");
    assert_eq!(file_of(&config.zones[&name("b.test")]), Path::new("/etc/danelaw/z"));
}

#[test]
fn an_endpoint_belongs_to_the_zone_with_the_longest_matching_origin() {
    let config = sound(
        "zones: {test: {file: a}, sub.example.test: {file: b}, example.test: {file: c}}\n\
         services:\n  s: {endpoints: ['x.sub.example.test:443/udp', 'example.test:25', 'sub.test:1/sctp'], \
         certificate: c}",
    );
    let zones: Vec<String> = config.services["s"].endpoints.iter().map(|e| e.zone.to_string()).collect();
    assert_eq!(zones, ["sub.example.test.", "example.test.", "test."]);
    let owners: Vec<String> = config.services["s"].endpoints.iter().map(|e| e.owner().to_string()).collect();
    assert_eq!(owners, ["_443._udp.x.sub.example.test.", "_25._tcp.example.test.", "_1._sctp.sub.test."]);
    assert_eq!(config.services["s"].endpoints[0].to_string(), "x.sub.example.test:443/udp");
    assert_eq!(config.zone_of(&name("nowhere.example")), None);
}

#[test]
fn an_endpoint_is_a_name_with_a_port() {
    for (endpoint, reason) in [
        ("mail.example.test", "no port"),
        ("192.0.2.1:25", "the host is an address"),
        ("[2001:db8::1]:25", "the host is an address"),
        ("2001:db8::1", "the host is an address"),
        ("mail.example.test:+25", "port `+25`"),
        ("mail.example.test:65536", "port `65536`"),
        ("mail.example.test:25/tls", "unknown protocol `tls`"),
        ("*.example.test:25", "the host is a wildcard"),
        ("mail..example.test:25", "host: empty label"),
        (":25", "host: empty name"),
    ] {
        let told = errors(&format!(
            "zones: {{example.test: {{file: z}}}}\nservices: {{s: {{certificate: c, endpoints: ['{endpoint}']}}}}"
        ));
        assert!(told.len() == 1 && told[0].contains(reason), "{endpoint}: {told:?}");
    }
    let long = format!("{}example.test:25", "abcdefg.".repeat(30));
    let told = errors(&format!(
        "zones: {{'.': {{file: z}}}}\nservices: {{s: {{certificate: c, endpoints: ['{long}']}}}}"
    ));
    assert!(told[0].contains("host: name is longer than 255 octets"), "{told:?}");
}

#[test]
fn doubtful_choices_are_warned_about_and_used() {
    let told = warnings(
        "listen: {http: '0.0.0.0:8053'}\n\
         tsig: {k: {secret: c2hvcnQ=, algorithm: hmac-sha1}}\n\
         policies: {hasty: {signatures: {validity: 2h, refresh: 1h, jitter: 0s}}}\n\
         zones: {example.test: {file: z, policy: unsigned}}\n\
         services: {s: {certificate: c, endpoints: 'm.example.test:25', tlsa: 1 0 1, ttl: 2d}}\n",
    );
    let expected = [
        "1:16: warning: `listen.http` at `0.0.0.0:8053` can be reached from elsewhere",
        "2:8: warning: the secret of tsig key `k.` is shorter than 16 octets",
        "2:41: warning: tsig key `k.` is for hmac-sha1, expected hmac-sha256",
        "3:32: warning: `refresh` 1h leaves less than a day",
        "5:43: warning: endpoint `m.example.test:25` lies in the unsigned zone example.test.",
        "5:70: warning: tlsa `1 0 1` at an SMTP port",
        "5:82: warning: ttl 2d is longer than a day",
    ];
    assert_each_starts(&told, &expected);
}

#[test]
fn a_file_that_is_wrong_everywhere_is_told_to_the_limit() {
    let text = (0..60).map(|i| format!("k{i}: x\n")).collect::<Vec<_>>().concat();
    let told = errors(&text);
    assert_eq!(told.len(), 51);
    assert_eq!(told[50], " and 10 more problems");
}

#[test]
fn a_secret_is_never_printed() {
    let config = sound("tsig: {k: {secret: bm9ib2R5IG11c3Qgc2VlIHRoaXM=}}\n");
    let SecretSource::Inline(secret) = &config.tsig[&name("k")].secret else { panic!("{config:?}") };
    assert_eq!(secret.octets(), b"nobody must see this");
    assert!(format!("{config:?}").contains("Secret(…)"));
    assert!(!format!("{config:?}").contains("nobody") && !format!("{config:?}").contains("bm9i"));
    let told = errors("tsig: {k: {secret: hunter2, secret-file: f}}\n");
    assert!(told.iter().all(|told| !told.contains("hunter2")), "{told:?}");
    assert!(told[0].contains("both `secret` and `secret-file`"), "{told:?}");
    assert_eq!(Secret::from_base64(" c2hv\ncnQ= \n").unwrap().octets(), b"short");
    assert_eq!(Secret::from_base64("\n"), Err(SecretError::Empty));
}

#[test]
fn a_transfer_needs_every_condition_of_one_rule() {
    let config = sound(
        "tsig: {k: {secret-file: k}, other: {secret-file: o}}\n\
         remotes: {ns2: {address: [192.0.2.2, '2001:db8::2'], tsig: k}, ns3: {address: 192.0.2.3}}\n\
         zones:\n  example.test:\n    file: z\n    secondaries: [ns2, ns3]\n    \
         allow-transfer: [198.51.100.0/24, {tsig: other}, {address: '2001:db8:1::/48', tsig: k}]\n",
    );
    let zone = &config.zones[&name("example.test")];
    let (k, other) = (name("K"), name("other"));
    for (source, key, allowed) in [
        ("192.0.2.2", Some(&k), true),
        ("::ffff:192.0.2.2", Some(&k), true),
        ("2001:db8::2", Some(&k), true),
        ("192.0.2.2", None, false),
        ("192.0.2.9", Some(&k), false),
        ("192.0.2.3", None, true),
        ("198.51.100.255", None, true),
        ("198.51.101.0", None, false),
        ("203.0.113.1", Some(&other), true),
        ("2001:db8:1:ffff::1", Some(&k), true),
        ("2001:db8:2::1", Some(&k), false),
        ("2001:db8:1::1", Some(&other), true),
        ("2001:db8:1::1", None, false),
    ] {
        assert_eq!(zone.may_transfer(ip(source), key), allowed, "{source} {key:?}");
    }
}

/// PEERS.md, Cascade 707, 399: no policy by which signatures expire while a secondary serves them.
#[test]
fn a_policy_must_outlast_the_secondaries_and_caches_of_its_zone() {
    let policy = Policy::standard();
    assert_eq!(policy.check_against(DAY * 6, Ttl(86_399)), Ok(()));
    let conflict = policy.check_against(DAY * 6, Ttl(86_400)).unwrap_err();
    assert!(conflict.to_string().contains("expected `signatures.refresh` above 7d"), "{conflict}");
    assert_eq!(Policy::unsigned().check_against(DAY * 60, Ttl(0)), Ok(()));
}

#[test]
fn a_redefined_default_is_the_policy_of_zones_that_name_none() {
    let config = sound(
        "policies: {default: {denial: nsec3, keys: ksk+zsk}, offline: {keys: none, serial: date}}\n\
         zones: {a.test: {file: a}, b.test: {file: b, policy: offline}}",
    );
    let policy = &config.zones[&name("a.test")].policy;
    assert_eq!((policy.denial, policy.keys), (Denial::Nsec3, KeyScheme::KskZsk));
    assert_eq!(policy.signatures, defaults::SIGNATURES);
    assert_eq!(config.zones[&name("b.test")].policy.serial, SerialScheme::Date);
    assert!(!config.zones[&name("b.test")].policy.signs());
}

#[test]
fn dnskeys_of_another_signer_are_read_and_what_is_none_is_refused() {
    let of = |entry: &str| format!("zones: {{a.test: {{file: a, foreign-dnskeys: [{entry:?}]}}}}");
    let zone = &sound(&of("257 3 13 AQID BA==")).zones[&name("a.test")];
    assert_eq!(zone.foreign_dnskeys, [[1, 1, 3, 13, 1, 2, 3, 4]]);
    let unsigned = of("257 3 13 AQID").replace("file: a,", "file: a, policy: unsigned,");
    assert!(errors(&unsigned).join(" ").contains("`unsigned` does not"));
    for (entry, expected) in [("257 3 13 !", "DNSKEY record"), ("1 3 13 AQID", "zone flag")] {
        let refused = errors(&of(entry)).join(" ");
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn an_algorithm_has_its_mnemonic_or_its_number() {
    let of = |text: &str| {
        sound(&format!("policies: {{p: {{algorithm: {text}}}}}\nzones: {{a.test: {{file: a, policy: p}}}}"))
    };
    for (text, algorithm) in [
        ("ecdsap256sha256", SigningAlgorithm::EcdsaP256Sha256),
        ("14", SigningAlgorithm::EcdsaP384Sha384),
        ("ed25519", SigningAlgorithm::Ed25519),
        ("15", SigningAlgorithm::Ed25519),
    ] {
        assert_eq!(of(text).zones[&name("a.test")].policy.algorithm, algorithm);
    }
    assert_eq!(Policy::standard().algorithm.to_string(), "ecdsap256sha256");
}

#[test]
fn spans_of_time_have_units_that_shrink() {
    assert_eq!(parse_seconds("1h30m"), Ok(Seconds(5_400)));
    assert_eq!(parse_seconds("14d"), Ok(DAY * 14));
    assert_eq!(parse_seconds("0s"), Ok(Seconds(0)));
    assert_eq!(parse_seconds("3600"), Err(SpanError::NoUnit));
    assert_eq!(parse_seconds("1h30"), Err(SpanError::NoUnit));
    assert_eq!(parse_seconds("30m1h"), Err(SpanError::UnitOrder));
    assert_eq!(parse_seconds("1h1h"), Err(SpanError::UnitOrder));
    assert_eq!(parse_seconds("99999999999999999999d"), Err(SpanError::TooLong));
    assert_eq!(parse_seconds("2147483647s"), Ok(Seconds(2_147_483_647)));
    assert_eq!(parse_seconds("2147483648s"), Err(SpanError::TooLong));
    for text in ["", "h", "-1s", "1 h", "1w", "1é"] {
        assert_eq!(parse_seconds(text), Err(SpanError::NotASpan), "{text:?}");
    }
    assert_eq!(parse_ttl("1h"), Ok(Ttl(HOUR.0 as u32)));
    assert_eq!(parse_ttl("0s"), Err(SpanError::Zero));
}

#[test]
fn prefixes_hold_what_shares_their_first_bits() {
    let prefix = |text| Prefix::parse(text).unwrap();
    assert!(prefix("0.0.0.0/0").contains(ip("255.255.255.255")));
    assert!(!prefix("0.0.0.0/0").contains(ip("::1")));
    assert!(prefix("::/0").contains(ip("2001:db8::1")));
    assert!(prefix("192.0.2.128/25").contains(ip("192.0.2.129")));
    assert!(!prefix("192.0.2.128/25").contains(ip("192.0.2.127")));
    assert_eq!(Prefix::parse("192.0.2.0/33"), Err(AddressError::PrefixLength(32)));
    assert_eq!(Prefix::parse("::/+1"), Err(AddressError::PrefixLength(128)));
    assert_eq!(prefix("192.0.2.1/32").to_string(), "192.0.2.1");
    assert_eq!(prefix("2001:db8::/32").to_string(), "2001:db8::/32");
}

#[test]
fn addresses_take_a_port_where_there_is_a_usual_one() {
    for text in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53"] {
        assert_eq!(parse_address(text, Some(53)), Ok(address("[2001:db8::1]:53")), "{text}");
    }
    assert_eq!(parse_address("192.0.2.1", None), Err(AddressError::NoPort));
    assert_eq!(parse_address("192.0.2.1:0", Some(53)), Err(AddressError::PortZero));
    assert_eq!(parse_address("224.0.0.1", Some(53)), Err(AddressError::Multicast));
}

#[test]
fn a_remote_is_not_ourselves() {
    let told = errors("remotes: {me: {address: '127.0.0.1:5353'}}");
    assert_eq!(told, ["1:25: `127.0.0.1:5353` is where danelaw itself listens"]);
}

/// Text that is nearly a configuration.
fn nearly_yaml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("zones"),
        Just("services"),
        Just("listen"),
        Just("tsig"),
        Just("policies"),
        Just("example.test"),
        Just("file"),
        Just("endpoints"),
        Just(": "),
        Just(":\n  "),
        Just("\n"),
        Just("\n    "),
        Just("- "),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(", "),
        Just("\""),
        Just("'"),
        Just("&a "),
        Just("*a"),
        Just("!t "),
        Just("|\n"),
        Just("? "),
        Just("é"),
        Just("\r"),
        Just("\t"),
        Just("1h"),
        Just("#"),
        Just("---\n"),
        Just("~"),
        Just("<<"),
        Just("a.example.test:25"),
        Just("3 1 1"),
        Just("\u{feff}"),
        Just("%TAG ! x\n"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics_the_reader(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn nothing_nearly_right_panics_the_reader(text in nearly_yaml()) {
        if let Err(problems) = Config::parse(&text, "danelaw.yaml", Path::new("")) {
            prop_assert!(problems.iter().any(Problem::is_error), "refused without a reason");
        }
    }

    #[test]
    fn a_broken_piece_of_the_contract_never_panics(
        at in 0..FULL.len(),
        junk in "[ \\n:{}\\[\\],'\"&*!a1é-]{0,3}",
        cut in 0..4usize,
    ) {
        let mut text = FULL.to_owned();
        let end = (at + cut).min(text.len());
        text.replace_range(at..end, &junk);
        let _ = read(&text);
    }

    #[test]
    fn spans_read_as_they_are_printed(seconds in 0..=2_147_483_647u64) {
        prop_assert_eq!(parse_seconds(&Seconds(seconds).to_string()), Ok(Seconds(seconds)));
    }

    #[test]
    fn tlsa_parameters_read_as_they_are_printed(usage in 0..4u8, selector in 0..2u8, matching in 0..3u8) {
        let set = TlsaParameters { usage, selector, matching };
        prop_assert_eq!(set.to_string().parse(), Ok(set));
    }
}

#[test]
fn a_zone_comes_from_a_file_or_from_primaries() {
    let text = r#"
tsig:
  k: {secret: "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgISE="}
remotes:
  a: {address: 192.0.2.1, tsig: k}
  b: {address: "192.0.2.2", tls: {name: ns.example.test., ca: ca.pem, certificate: me.pem, key: me.key}}
  c: {address: "2001:db8::3", tls: {pin: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
  d: {address: "192.0.2.4:53", tls: opportunistic}
zones:
  example.test: {primary: [a, b, c, d], allow-notify: 198.51.100.0/24, max-transfer-size: 64MiB}
"#;
    let (config, warnings) = read(text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let ZoneSource::Primary(primary) = &config.zones[&name("example.test")].source else { panic!() };
    assert_eq!(primary.max_transfer_size, 64 << 20);
    let [a, b, c, d] = &primary.remotes[..] else { panic!() };
    assert_eq!((a.addresses[0].port(), b.addresses[0].port(), d.addresses[0].port()), (53, 853, 53));
    assert!(matches!(&b.tls, Some(RemoteTls { trust: TlsTrust::Authority { name, .. }, identity: Some(_) })
        if name == "ns.example.test"));
    assert!(matches!(&c.tls, Some(RemoteTls { trust: TlsTrust::Pins { pins, .. }, .. }) if pins.len() == 1));
    let may = |address: &str, key: Option<&str>| {
        let key = key.map(name);
        primary.notify_rules().any(|rule| rule.permits(address.parse().unwrap(), key.as_ref()))
    };
    assert!(may("192.0.2.1", Some("k")) && !may("192.0.2.1", None), "with the key if there is one");
    assert!(may("192.0.2.2", None) && may("198.51.100.9", None) && !may("203.0.113.1", Some("k")));
}

#[test]
fn what_is_wrong_with_primaries_is_said() {
    let text = r#"
remotes:
  a: {address: 192.0.2.1, tls: {}}
  b: {address: 192.0.2.2, tls: {ca: x}}
  c: {address: 192.0.2.3, tls: {pin: AAAA}}
  d: {address: 192.0.2.4, tls: strict}
  e: {address: 192.0.2.5, tls: {name: x, ca: x, pin: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", key: x}}
  f: {address: 192.0.2.6, tls: opportunistic}
zones:
  one.test: {primary: g, allow-includes: x}
  two.test: {primary: [f, f], file: x}
  three.test: {file: x, max-transfer-size: 5GiB, secondaries: f}
  four.test: {primary: f, max-transfer-size: 5GiB}
  five.test: {primary: []}
"#;
    assert_eq!(
        errors(text),
        [
            "3:32: `tls` without a check of the remote, expected `ca` (and `name`) or `pin`, or `tls: opportunistic`",
            "4:32: `ca` needs the `name` that the remote's certificate must have",
            "5:38: pin `AAAA`: expected the SHA-256 of a SubjectPublicKeyInfo in Base64, 44 characters",
            "6:32: `tls` is `strict`, expected `opportunistic` or a mapping",
            "7:32: `certificate` and `key` go together",
            "7:32: `tls` has both `ca` and `pin`, expected one of them",
            "10:23: unknown remote `g`, nearest is `a`",
            "10:42: `allow-includes` has its effect beside `file` only",
            "11:3: zone `two.test` has both `file` and `primary`, expected one of them",
            "11:27: primary `f` is given twice",
            "12:44: `max-transfer-size` has its effect beside `primary` only",
            "12:63: secondary `f` has `tls`, expected it of primaries only: NOTIFY goes by UDP",
            "13:46: expected at least `1KiB` and at most `4095MiB`",
            "14:24: `primary` is empty, expected at least one",
        ]
    );
}

#[test]
fn a_zone_signals_only_when_asked_to() {
    let zone = |line: &str| format!("zones: {{example.test: {{file: zone, {line}}}}}\n");
    let signals = |line: &str| sound(&zone(line)).zones[&name("example.test")].signal;
    assert!(signals("signal: true") && !signals("signal: false") && !signals("policy: default"));
    assert_each_starts(&errors(&zone("signal: perhaps")), &["1:44: "]);
    let told = warnings(&zone("policy: unsigned, signal: true"));
    assert_each_starts(&told, &["1:62: warning: `signal` has no effect in a zone that is not signed here"]);
}
