//! docs/rollover.md, run: each recipe's configuration and scripts as they stand there, with the real client where
//! Debian has it, against an ACME server. Where it has not, a stand-in does the client's file operations.
//!
//! `/etc`, `/var` and `/root` are moved into danelaw's directory; TTLs are a second. `postfix reload` notes which TLSA
//! records are served at that moment.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::acme::Acme;
use super::certificate::{Authority, Certificate, tlsa_of_certificate, tlsa_of_key};
use super::danelaw::Danelaw;
use super::dig;
use super::program::{self, Running, command, free_port, output, text};
use super::stores;
use super::wait::until;

const DOCUMENT: &str = include_str!("../../docs/rollover.md");
const HOST: &str = "mail.example.test";
const DEPLOYED: &str = "etc/postfix/mail.pem";

/// Puts a certificate into a store, as version of this number.
type Put = fn(&Path, usize, &Certificate);

/// What the document says under one heading.
#[derive(Default)]
struct Recipe {
    /// The service in danelaw.yaml.
    service: String,
    /// Scripts with their paths.
    files: Vec<(String, String)>,
    /// Commands that are run, rather than kept.
    commands: String,
}

impl Recipe {
    /// That of a heading of the third level; what stands before the first of these is for all below the second.
    #[track_caller]
    fn of(title: &str) -> Self {
        let mut recipe = Self::default();
        let (mut part, mut section) = ("", "");
        let mut lines = DOCUMENT.lines();
        while let Some(line) = lines.next() {
            if let Some(heading) = line.strip_prefix("### ") {
                section = heading;
            } else if let Some(heading) = line.strip_prefix("## ") {
                (part, section) = (heading, "");
            } else if let Some(kind) = line.strip_prefix("```") {
                let block: String = lines
                    .by_ref()
                    .take_while(|line| *line != "```")
                    .map(|line| format!("{line}\n"))
                    .collect();
                let is_for_all = section.is_empty() && (part.is_empty() || Self::part_of(title) == part);
                if section != title && !is_for_all {
                    continue;
                }
                match kind.split_once(" file=") {
                    Some(("sh", path)) => recipe.files.push((path.to_owned(), block)),
                    None if kind == "yaml" => recipe.service = block,
                    None if kind == "sh" => recipe.commands = block,
                    _ => panic!("a block of {kind} under {section}"),
                }
            }
        }
        assert!(!recipe.service.is_empty(), "`### {title}` is not in docs/rollover.md");
        recipe
    }

    /// The heading of the second level above.
    fn part_of(title: &str) -> &'static str {
        let mut part = "";
        for line in DOCUMENT.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                part = heading;
            } else if line.strip_prefix("### ") == Some(title) {
                break;
            }
        }
        part
    }
}

/// A machine on which a recipe is in use: its root is danelaw's directory.
struct Machine {
    danelaw: Danelaw,
    recipe: Recipe,
}

impl Machine {
    /// The recipe is set up and the service has a certificate of its own making; danelaw runs.
    fn new(title: &str) -> Self {
        Self::with(title, "", |danelaw| {
            let certificate = Certificate::for_host(HOST);
            danelaw.write(DEPLOYED, &(certificate.key + &certificate.chain));
        })
    }

    /// The same with further lines in the service, and other files before danelaw starts.
    fn with(title: &str, more: &str, prepare: impl Fn(&Danelaw)) -> Self {
        Self::edited(title, more, str::to_owned, prepare)
    }

    /// The same with a service that differs from the recipe's.
    fn edited(title: &str, more: &str, edit: impl Fn(&str) -> String, prepare: impl Fn(&Danelaw)) -> Self {
        let mut recipe = Recipe::of(title);
        recipe.service = edit(&recipe.service);
        let danelaw = Danelaw::new();
        let quick = "    probe: \"off\"\n    grace: 0s\n";
        let ttl = if recipe.service.contains("ttl:") { "" } else { "    ttl: 1s\n" };
        let service = moved(&recipe.service, &danelaw).replace("ttl: 5m", "ttl: 1s");
        let danelaw = danelaw.also(&format!("{service}{quick}{ttl}{more}"));
        for (path, script) in &recipe.files {
            executable(&danelaw, &path[1..], &moved(script, &danelaw));
        }
        prepare(&danelaw);
        let machine = Self { danelaw: danelaw.start(), recipe };
        let (root, port) = (machine.root(), machine.danelaw.port());
        machine.program(
            "postfix",
            &format!(
                "[ \"$1\" = reload ]\n\
                 dig @127.0.0.1 -p {port} +short +norecurse _25._tcp.{HOST} TLSA > {root}/reloading\n\
                 mv {root}/reloading {root}/reloaded\n"
            ),
        );
        let danelaw = env!("CARGO_BIN_EXE_danelaw");
        machine.program("danelaw", &format!("exec {danelaw} -c {root}/danelaw.yaml \"$@\"\n"));
        machine
    }

    fn root(&self) -> String {
        self.danelaw.path("").display().to_string().trim_end_matches('/').to_owned()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.danelaw.path(path)
    }

    /// A program that recipes find before any other of that name.
    fn program(&self, name: &str, script: &str) {
        executable(&self.danelaw, &format!("bin/{name}"), &format!("#!/bin/sh\nset -eu\n{script}"));
    }

    /// The real client of this name, with further arguments before those of the recipe.
    fn client(&self, name: &str, environment: &str, arguments: &str) {
        let real = command(name).get_program().to_str().unwrap().to_owned();
        self.program(name, &format!("{environment} exec {real} {arguments} \"$@\"\n"));
    }

    /// certbot, lego and dehydrated ask this server.
    fn clients_of(&self, acme: &Acme) {
        let (root, directory, ca, port) = (self.root(), acme.directory(), acme.ca(), free_port());
        let ca = ca.display();
        self.client(
            "certbot",
            &format!("REQUESTS_CA_BUNDLE={ca}"),
            &format!(
                "--config-dir {root}/etc/letsencrypt --work-dir {root}/work --logs-dir {root}/logs \
                 --server {directory} --non-interactive --agree-tos --register-unsafely-without-email \
                 --force-renewal --http-01-port {port}"
            ),
        );
        self.client(
            "lego",
            &format!("LEGO_CA_CERTIFICATES={ca}"),
            &format!("--server {directory} --accept-tos --http.port 127.0.0.1:{port}"),
        );
        self.client("dehydrated", "", &format!("--config {root}/etc/dehydrated/config --force"));
        fs::create_dir_all(self.at("challenges")).unwrap();
        self.danelaw.write("etc/dehydrated/domains.txt", HOST);
        self.danelaw.write(
            "etc/dehydrated/config",
            &format!(
                "CA={directory}\nCURL_OPTS=\"--cacert {ca}\"\nBASEDIR={root}/var/lib/dehydrated\n\
                 DOMAINS_TXT={root}/etc/dehydrated/domains.txt\nWELLKNOWN={root}/challenges\n\
                 KEY_ALGO=prime256v1\nPRIVATE_KEY_RENEW=\"yes\"\nPRIVATE_KEY_ROLLOVER=\"yes\"\n\
                 HOOK={root}/etc/danelaw/dehydrated-hook\n"
            ),
        );
        fs::create_dir_all(self.at("var/lib/dehydrated")).unwrap();
    }

    /// Runs a script with the programs of this machine; what it said, and whether it called itself a success.
    fn sh(&self, script: &str) -> (bool, String) {
        let path = format!("{}/bin:{}", self.root(), std::env::var("PATH").unwrap());
        let mut sh = Command::new("sh");
        let output = output(sh.args(["-euc", script]).env("PATH", path).current_dir(self.at("")));
        (output.status.success(), text(&output))
    }

    /// Runs the script for the daily timer, or the commands of the recipe. The service is given a certificate.
    #[track_caller]
    fn renew(&self) -> String {
        let script = if self.recipe.commands.is_empty() {
            "etc/danelaw/renew-mail".to_owned()
        } else {
            moved(&self.recipe.commands, &self.danelaw)
        };
        // None was deployed since.
        let _ = fs::remove_file(self.at("reloaded"));
        let (success, said) = self.sh(&script);
        assert!(success, "{said}");
        let records =
            fs::read_to_string(self.at("reloaded")).unwrap_or_else(|_| panic!("not deployed:\n{said}"));
        let records = records.split_whitespace().collect::<String>().to_ascii_uppercase();
        let deployed = tlsa_of_key(&self.at(DEPLOYED));
        assert_eq!(deployed, tlsa_of_certificate(&self.at(DEPLOYED)));
        let digest = deployed.rsplit(' ').next().unwrap();
        assert!(records.contains(digest), "{deployed} was deployed while {records} were served:\n{said}");
        said
    }

    fn records(&self) -> Vec<String> {
        let web = self.recipe.service.contains("  web:");
        let owner = if web { "_443._tcp.www.example.test".to_owned() } else { format!("_25._tcp.{HOST}") };
        dig::tlsa(self.danelaw.port(), &owner)
    }

    /// Waits until these and no others are served.
    #[track_caller]
    fn until_records(&self, wanted: &[&str]) {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        until(&format!("{wanted:?} are served"), || (self.records() == wanted).then_some(()));
    }
}

/// With the roots of its paths in danelaw's directory.
fn moved(text: &str, danelaw: &Danelaw) -> String {
    let root = danelaw.path("").display().to_string();
    let root = root.trim_end_matches('/');
    ["/etc/", "/var/", "/root/"]
        .iter()
        .fold(text.to_owned(), |text, top| text.replace(top, &format!("{root}{top}")))
}

fn executable(danelaw: &Danelaw, path: &str, script: &str) {
    danelaw.write(path, script);
    fs::set_permissions(danelaw.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Two renewals with keys that danelaw has made.
fn renewed_with_our_keys(machine: &Machine) {
    let own = |number: u32| machine.at(&format!("etc/danelaw/next/mail/{number}"));
    for number in 1..=2 {
        let ours = tlsa_of_key(&until("the next key is there", || {
            Some(own(number).join("privkey.pem")).filter(|_| own(number).join("csr.pem").exists())
        }));
        until("it is announced", || machine.records().contains(&ours).then_some(()));
        machine.renew();
        assert_eq!(tlsa_of_key(&machine.at(DEPLOYED)), ours);
        let next = until("the one after is made", || {
            Some(own(number + 1).join("privkey.pem")).filter(|_| own(number + 1).join("csr.pem").exists())
        });
        machine.until_records(&[&ours, &tlsa_of_key(&next)]);
    }
}

#[test]
fn certbot_orders_for_danelaws_keys() {
    let machine = Machine::new("certbot, with danelaw's key");
    let mut acme = Acme::start();
    machine.clients_of(&acme);
    renewed_with_our_keys(&machine);

    // What fails leaves the key where it is, for the next attempt.
    let before = machine.records();
    machine.program("certbot", "echo 'no route to the authority' >&2; exit 1");
    assert!(!machine.sh("etc/danelaw/renew-mail").0);
    assert_eq!(machine.records(), before);
    acme.forget_everything();
    fs::remove_dir_all(machine.at("etc/letsencrypt")).unwrap();
    machine.clients_of(&acme);
    machine.renew();
    assert!(before.contains(&tlsa_of_key(&machine.at(DEPLOYED))));
}

#[test]
fn any_authority_grants_certificates_for_danelaws_keys() {
    let machine = Machine::new("by hand");
    let authority = Authority::new();
    for number in 1..=2 {
        let own = machine.at(&format!("etc/danelaw/next/mail/{number}"));
        until("the next key is there", || own.join("csr.pem").exists().then_some(()));
        fs::write(own.join("fullchain.pem"), authority.grant(&own.join("csr.pem"))).unwrap();
        machine.renew();
        assert_eq!(tlsa_of_key(&machine.at(DEPLOYED)), tlsa_of_key(&own.join("privkey.pem")));
    }
}

#[test]
fn lego_orders_for_danelaws_keys() {
    let machine = Machine::new("lego, with danelaw's key");
    let acme = Acme::start();
    machine.clients_of(&acme);
    renewed_with_our_keys(&machine);
}

/// acme.sh is no Debian package. This does what it does to its files, in its order and each in place: the next key is
/// taken and another one made, then the order fails or not, then certificates are written, then `reloadcmd` is run.
fn acme_sh(machine: &Machine) {
    let (root, authority) = (machine.root(), Authority::new());
    machine.danelaw.write("ca.pem", authority.certificate());
    machine.danelaw.write_secret("ca.key", authority.key());
    machine.program(
        "acme.sh",
        &format!(
            r#"
home={root}/root/.acme.sh request= reload=
while [ $# -gt 0 ]; do
    case "$1" in
        --csr) request=$2; shift ;;
        --config-home) home=$2; shift ;;
        --reloadcmd) reload=$2; shift ;;
        --domain | --webroot) shift ;;
    esac
    shift
done
mkdir -p "$home/{HOST}_ecc"
cd "$home/{HOST}_ecc"
if [ -n "$request" ]; then
    cp "$request" {HOST}.csr
else
    if [ -s {HOST}.key.next ]; then
        cat {HOST}.key.next > {HOST}.key
        echo > {HOST}.key.next
    else
        openssl ecparam -name prime256v1 -genkey -noout > {HOST}.key
    fi
    openssl ecparam -name prime256v1 -genkey -noout > {HOST}.key.next
    openssl req -new -key {HOST}.key -subj /CN={HOST} -addext subjectAltName=DNS:{HOST} > {HOST}.csr
fi
[ ! -e {root}/down ]
openssl x509 -req -days 29 -copy_extensions copy -CAcreateserial -CA {root}/ca.pem -CAkey {root}/ca.key \
    -in {HOST}.csr > {HOST}.cer
cat {root}/ca.pem > ca.cer
cat {HOST}.cer ca.cer > fullchain.cer
export CERT_KEY_PATH="$PWD/{HOST}.key" CERT_FULLCHAIN_PATH="$PWD/fullchain.cer"
eval "$reload"
"#
        ),
    );
}

#[test]
fn acme_sh_orders_for_danelaws_keys() {
    let machine = Machine::new("acme.sh, with danelaw's key");
    acme_sh(&machine);
    renewed_with_our_keys(&machine);
}

#[test]
fn acme_sh_is_followed_through_an_order_that_fails() {
    let machine = Machine::new("acme.sh");
    acme_sh(&machine);
    let home = machine.at("root/.acme.sh/mail.example.test_ecc");
    let (key, next) = (home.join("mail.example.test.key"), home.join("mail.example.test.key.next"));
    let said = machine.renew();
    assert!(said.contains("caches may hold records without"), "{said}");
    let first = tlsa_of_key(&machine.at(DEPLOYED));
    let second = tlsa_of_key(&next);
    machine.until_records(&[&first, &second]);

    machine.danelaw.write("down", "");
    let commands = moved(&machine.recipe.commands, &machine.danelaw);
    assert!(!machine.sh(&commands).0);
    // The key has changed and the certificate has not: nothing is deployed, and nothing can be.
    assert_eq!(tlsa_of_key(&key), second);
    let third = tlsa_of_key(&next);
    machine.until_records(&[&first, &second, &third]);
    let (success, said) =
        machine.sh(&format!("etc/danelaw/deploy-mail {} {}/fullchain.cer", key.display(), home.display()));
    assert!(!success && said.contains("does not belong to its certificate"), "{said}");
    assert_eq!(tlsa_of_key(&machine.at(DEPLOYED)), first);

    // The next attempt takes the key after the one that was consumed.
    fs::remove_file(machine.at("down")).unwrap();
    machine.renew();
    assert_eq!(tlsa_of_key(&machine.at(DEPLOYED)), third);
}

#[test]
fn dehydrated_is_followed_through_an_order_that_fails() {
    let machine = Machine::new("dehydrated");
    let mut acme = Acme::start();
    machine.clients_of(&acme);
    assert!(machine.sh("dehydrated --register --accept-terms").0);
    // The first certificate's key is new to everybody: the gate lets it wait.
    let said = machine.renew();
    assert!(said.contains("caches may hold records without"), "{said}");
    let first = tlsa_of_key(&machine.at(DEPLOYED));
    let roll = machine.at("var/lib/dehydrated/certs/mail.example.test/privkey.roll.pem");
    let second = tlsa_of_key(&roll);
    machine.until_records(&[&first, &second]);
    machine.renew();
    assert_eq!(tlsa_of_key(&machine.at(DEPLOYED)), second);

    let consumed = tlsa_of_key(&roll);
    machine.until_records(&[&second, &consumed]);
    // The authority has lost the account: the order fails, after the announced key was taken for it.
    acme.forget_everything();
    let (success, said) = machine.sh("etc/danelaw/renew-mail");
    assert!(!success, "{said}");
    let fresh = tlsa_of_key(&roll);
    assert_ne!(fresh, consumed, "dehydrated has made another next key:\n{said}");
    // What is deployed is the certificate; the key that was taken may still get one.
    machine.until_records(&[&second, &consumed, &fresh]);
    fs::remove_dir_all(machine.at("var/lib/dehydrated/accounts")).unwrap();
    assert!(machine.sh("dehydrated --register --accept-terms").0);
    machine.renew();
    assert_eq!(tlsa_of_key(&machine.at(DEPLOYED)), fresh);
}

#[test]
fn certbot_waits_with_fresh_keys_until_nobody_can_miss_them() {
    fresh_keys("certbot");
}

#[test]
fn lego_waits_with_fresh_keys_until_nobody_can_miss_them() {
    fresh_keys("lego");
}

/// Two renewals, each with a key that nobody knew before.
fn fresh_keys(title: &str) {
    let machine = Machine::new(title);
    let acme = Acme::start();
    machine.clients_of(&acme);
    for _ in 0..2 {
        let before = tlsa_of_key(&machine.at(DEPLOYED));
        until("the key in use is served", || machine.records().contains(&before).then_some(()));
        let said = machine.renew();
        // For what it waits at which moment depends on how busy the machine is.
        assert!(
            said.contains("gate of mail is closed: ") && said.contains("gate of mail is open: "),
            "{said}"
        );
        let after = tlsa_of_key(&machine.at(DEPLOYED));
        assert_ne!(after, before);
        machine.until_records(&[&after]);
    }
}

#[test]
fn danebot_tells_its_next_key_itself() {
    let [one, two] = [(); 2].map(|()| Certificate::for_host(HOST));
    let combined = |certificate: &Certificate| certificate.key.clone() + &certificate.chain;
    let (live, staging) = ("le/live/mail.example.test", "le/staging/mail.example.test");
    let machine = Machine::with("danebot and danectl", "    directory: le\n", |danelaw| {
        danelaw.write(&format!("{live}/combo.pem"), &combined(&one));
    });
    machine.until_records(&[&one.tlsa]);
    machine.danelaw.write(&format!("{staging}/nextkey.pem"), &two.key);
    machine.until_records(&[&one.tlsa, &two.tlsa]);
    // danebot has seen the record; the key waits under another name.
    let staging = machine.at(staging);
    fs::rename(staging.join("nextkey.pem"), staging.join("ready.pem")).unwrap();
    fs::write(staging.join("combo.pem"), combined(&two)).unwrap();
    fs::rename(staging.join("combo.pem"), machine.at(live).join("combo.pem")).unwrap();
    machine.until_records(&[&two.tlsa]);
}

#[test]
fn danectl_tells_its_next_certificate_itself() {
    let [one, two, three] = [(); 3].map(|()| Certificate::for_host(HOST));
    let danectl = |service: &str| service.replace("store: danebot", "store: danectl");
    let machine = Machine::edited("danebot and danectl", "    directory: le\n", danectl, |danelaw| {
        for (lineage, certificate) in [(HOST, &one), ("duplicate", &two)] {
            danelaw.write(&format!("le/live/{lineage}/fullchain.pem"), &certificate.chain);
        }
        for (role, lineage) in [("current", HOST), ("next", "duplicate")] {
            fs::create_dir(danelaw.path(&format!("le/{role}"))).unwrap();
            symlink(format!("../live/{lineage}"), danelaw.path(&format!("le/{role}/{HOST}"))).unwrap();
        }
    });
    machine.until_records(&[&one.tlsa, &two.tlsa]);
    let (open, said) = machine.sh("danelaw gate mail --wait");
    assert!(open, "{said}");
    // A rollover: the links change places, one after the other, and the certificate that was in use gets another key.
    let (success, said) = machine.sh(&format!(
        "cd le; rm -f current/{HOST} next/{HOST}\n\
         ln -s ../live/duplicate current/{HOST}; ln -s ../live/{HOST} next/{HOST}"
    ));
    assert!(success, "{said}");
    machine.danelaw.write(&format!("le/live/{HOST}/fullchain.pem"), &three.chain);
    machine.until_records(&[&two.tlsa, &three.tlsa]);
}

#[test]
fn caddys_certificate_is_found_in_its_storage_as_soon_as_it_is_there() {
    let acme = Acme::start();
    let issuer = acme.directory().trim_start_matches("https://").replace([':', '/'], "-");
    let more = format!("    directory: caddy\n    issuer: {issuer}\n");
    let machine = Machine::with("Caddy", &more, |_| {});
    let (root, http, https) = (machine.root(), free_port(), free_port());
    machine.danelaw.write(
        "Caddyfile",
        &format!(
            "{{\n\tadmin off\n\thttp_port {http}\n\thttps_port {https}\n\tskip_install_trust\n\
             \tstorage file_system {root}/caddy\n\tacme_ca {}\n\tacme_ca_root {}\n}}\n\
             www.example.test {{\n\tbind 127.0.0.1\n\trespond hello\n}}\n",
            acme.directory(),
            acme.ca().display()
        ),
    );
    let file = machine.at(&format!("caddy/certificates/{issuer}/www.example.test/www.example.test.crt"));
    let mut before = Vec::new();
    for _ in 0..2 {
        // Without its files Caddy gets another certificate, with another key.
        let _ = fs::remove_dir_all(file.parent().unwrap());
        let mut caddy = command("caddy");
        caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(machine.at("Caddyfile"));
        let mut caddy = Running::start(caddy.env("HOME", &root), &machine.at("caddy.log"));
        let tlsa = until("Caddy has a certificate", || {
            caddy.must_run();
            file.exists().then(|| tlsa_of_certificate(&file))
        });
        assert!(!before.contains(&tlsa));
        until("danelaw has it, too", || machine.records().contains(&tlsa).then_some(()));
        before.push(tlsa);
        caddy.terminate();
    }
}

#[test]
fn traefiks_and_cert_managers_files_are_found() {
    let [one, two] = [(); 2].map(|()| Certificate::for_host("www.example.test"));
    let puts: [(&str, &str, Put); 2] = [
        ("Traefik", "etc/traefik", |store, _, certificate| {
            fs::write(store.join("acme.json"), stores::acme_json("www.example.test", certificate)).unwrap();
        }),
        ("cert-manager", "etc/tls/web", stores::cert_manager),
    ];
    for (title, directory, put) in puts {
        let machine = Machine::with(title, "", |danelaw| {
            fs::create_dir_all(danelaw.path(directory)).unwrap();
            put(&danelaw.path(directory), 0, &one);
        });
        machine.until_records(&[&one.tlsa]);
        put(&machine.at(directory), 1, &two);
        machine.until_records(&[&two.tlsa]);
    }
}

#[test]
fn caddy_takes_key_and_chain_from_one_file() {
    let certificate = Certificate::for_host(HOST);
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str| scratch.path().join(name);
    fs::write(file("mail.pem"), certificate.key + &certificate.chain).unwrap();
    let pem = file("mail.pem");
    let pem = pem.display();
    fs::write(file("Caddyfile"), format!("www.example.test {{\n\ttls {pem} {pem}\n}}\n")).unwrap();
    let mut caddy = command("caddy");
    caddy.args(["validate", "--adapter", "caddyfile", "--config"]).arg(file("Caddyfile"));
    program::stdout(caddy.env("HOME", scratch.path()));
}
