"""What benches/scale and benches/serve share: the peers, a nameserver process, its processor time, and inputs.

Each nameserver has one core (MEASURED_CORE), the script and its clients the other (OWN_CORE).
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORIGIN = "big.test"
CORES = os.cpu_count()
MEASURED_CORE, OWN_CORE, EVERY_CORE = "1", "0", f"0-{CORES - 1}"
PACKAGES = {
    "named": "bind9",
    "nsd": "nsd",
    "knotd": "knot",
    "dnssec-keygen": "bind9-utils",
    "dnssec-signzone": "bind9-utils",
    "named-compilezone": "bind9-utils",
    "openssl": "openssl",
    "taskset": "util-linux",
}


def prepare(programs, script):
    """Ends here if a program is missing; keeps to one core; and when told to stop, stops the servers first."""
    os.environ["PATH"] += ":/usr/sbin"
    for program in programs:
        if not shutil.which(program):
            sys.exit(f"{script}: {program} is missing; install it with: apt-get install {PACKAGES[program]}")
    os.sched_setaffinity(0, {int(OWN_CORE)})
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: sys.exit(f"{script}: stopped"))


# --- configurations: home, port, zone file -> command ----------------------------------------------
#
# Nobody says more than what was asked for, and nobody limits rates.


def knotd(home, port, zone):
    (home / "knot.conf").write_text(f"""
server:
    listen: 127.0.0.1@{port}
    rundir: {home}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {home}/db
log:
  - target: stderr
    any: warning
zone:
  - domain: {ORIGIN}
    file: {zone}
    zonefile-sync: -1
    journal-content: none
""")
    return ["knotd", "-c", home / "knot.conf"]


def nsd(home, port, zone):
    (home / "nsd.conf").write_text(f"""
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    minimal-responses: yes
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    username: ""
    database: ""
    zonesdir: "{home}"
    pidfile: "{home}/nsd.pid"
    xfrdfile: "{home}/xfrd.state"
    zonelistfile: "{home}/zone.list"
    xfrdir: "{home}"
remote-control:
    control-enable: no
zone:
    name: {ORIGIN}
    zonefile: {zone}
""")
    return ["nsd", "-d", "-c", home / "nsd.conf"]


def named(home, port, zone):
    (home / "named.conf").write_text(f"""
options {{
    directory "{home}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file "{home}/named.pid";
    recursion no;
    dnssec-validation no;
    notify no;
    check-integrity no;
    minimal-responses yes;
}};
controls {{ }};
zone "{ORIGIN}" {{ type primary; file "{zone}"; }};
""")
    return ["named", "-g", "-n", "1", "-c", home / "named.conf"]


def danelaw(binary, policy, extra=""):
    """The same for a danelaw binary: `unsigned` serves a signed zone as it stands, `large` signs it."""
    def configure(home, port, zone):
        (home / "keys").mkdir(exist_ok=True)
        (home / "danelaw.yaml").write_text(
            f'listen: {{dns: ["127.0.0.1:{port}"]}}\nkeys: keys\nstate: state\n'
            f"policies:\n  large: {{denial: nsec3}}\n"
            f"zones:\n  {ORIGIN}: {{file: {zone}, policy: {policy}}}\n" + extra)
        return [binary, "-c", home / "danelaw.yaml", "run"]
    return configure


PEERS = {"knotd": knotd, "nsd": nsd, "named": named}


class Server:
    """A nameserver process from its start on; `elapsed` and `processor_time` are those at its first
    answer."""

    running = set()

    def __init__(self, name, command, port, log, patience, cores=MEASURED_CORE):
        self.name, self.port, self.log = name, port, log
        pin = ["taskset", "-c", cores]
        self.began = time.monotonic()
        self.deadline = self.began + patience
        with open(log, "wb") as out:
            self.child = subprocess.Popen([*pin, *map(str, command)], stdout=out, stderr=out,
                                          stdin=subprocess.DEVNULL)
        Server.running.add(self)

    def until_answer(self, host):
        while (answer := ask(self.port, host, A, 0.02))[3] & 15 or answer[7] == 0:
            # Refused or failed at once while it loads: spare the machine the storm.
            time.sleep(0.002)
            if self.child.poll() is not None:
                sys.exit(f"{self.name} ended with status {self.child.returncode}; see {self.log}")
            if time.monotonic() > self.deadline:
                used = sum(processor_time(pid) for pid in self.family())
                sys.exit(f"{self.name} gave no answer, having used {used:.0f} s of processor time; see {self.log}")
        self.elapsed = time.monotonic() - self.began
        self.processor_time = sum(processor_time(pid) for pid in self.family())

    def family(self):
        """This process and its descendants."""
        found, new = [], [self.child.pid]
        while new:
            pid = new.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                new += [int(child) for child in task.read_text().split()]
        return found

    def time_used(self):
        """Seconds of processor time of all its threads until now, to the nanosecond where they sleep."""
        used = 0
        for pid in self.family():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                try:
                    used += int((task / "schedstat").read_text().split()[0])
                except FileNotFoundError:
                    pass  # A thread that ended meanwhile; those that answer do not.
        return used / 1e9

    def memory(self):
        """MiB resident, what processes share counted once; and the largest process's peak."""
        resident = peak = 0
        for pid in self.family():
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            resident += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            peak = max(peak, int(re.search(r"^VmHWM:\s+(\d+)", status, re.M)[1]))
        return resident / 1024, peak / 1024

    def stop(self):
        Server.running.discard(self)
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(120)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def processor_time(pid):
    """Seconds of processor time of a process and of its children that ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


# --- DNS, just enough -----------------------------------------------------------------------------

A, AAAA, TLSA = 1, 28, 52


def question(name, rtype, payload=4096, dnssec=True):
    """A query's octets; DO is set if DNSSEC records are wanted."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    opt = b"\0" + struct.pack("!HHIH", 41, payload, 0x8000 if dnssec else 0, 0)
    return struct.pack("!6H", 7, 0, 1, 0, 0, 1) + labels + b"\0" + struct.pack("!2H", rtype, 1) + opt


def ask(port, name, rtype, timeout):
    """The response's octets, or zeros if there is none in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        try:
            udp.connect(("127.0.0.1", port))
            udp.send(question(name, rtype))
            return udp.recv(65535)
        except OSError:
            return bytes(12)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return tcp.getsockname()[1]


# --- inputs ---------------------------------------------------------------------------------------


def made(file, write):
    """`file`, made if it is not there; never left half written."""
    if not file.exists():
        half = file.with_name(f"{file.name}.half")
        write(half)
        half.rename(file)
    return file


def emptied(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


def generated(generate, shape, records, file):
    """A zone of this shape (benches/generate.rs) and about so many records."""
    with open(file, "wb") as out:
        subprocess.run([generate, shape, str(records)], stdout=out, check=True)


def signed(unsigned, keys, file):
    """`unsigned` signed by BIND with NSEC3 (RFC 9276), so that no program reads what it wrote itself."""
    for flag in (["-f", "KSK"], []):
        subprocess.run(["dnssec-keygen", "-q", "-K", keys, "-a", "13", *flag, ORIGIN], check=True,
                       stdout=subprocess.DEVNULL)
    full = keys / "full"
    subprocess.run(["dnssec-signzone", "-q", "-P", "-S", "-K", keys, "-d", keys, "-3", "-", "-H", "0",
                    "-e", "now+31536000", "-n", str(CORES), "-o", ORIGIN, "-f", full,
                    unsigned], check=True, stdout=subprocess.DEVNULL, preexec_fn=all_cores)
    # One record a line, as transferred or dumped zones have it.
    subprocess.run(["named-compilezone", "-q", "-i", "none", "-k", "ignore", "-s", "full", "-o", file,
                    ORIGIN, full], check=True)


# --- certificates ---------------------------------------------------------------------------------


def new_certificate(file):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", f"{file}.key", "-out", file, "-days", "30", "-subj", "/CN=bench"], check=True,
                   stderr=subprocess.DEVNULL)
    return file


def digest_of(certificate):
    """SHA-256 of a certificate's SubjectPublicKeyInfo, by OpenSSL."""
    public = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True,
                            capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True,
                         capture_output=True).stdout
    return subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, check=True,
                          capture_output=True).stdout


# --- small things ---------------------------------------------------------------------------------


def all_cores():
    os.sched_setaffinity(0, range(CORES))


def built(command, *benches):
    """The paths of danelaw and the bench programs, by name, as cargo tells them.

    `bench` builds them optimised; `test` as the tests have built them already, which will do for a smoke test.
    """
    wanted = [argument for bench in benches for argument in ("--bench", bench)]
    if command == "test":
        wanted.append("--all-features")
    out = subprocess.run(["cargo", command, "--no-run", *wanted, "--message-format", "json"], cwd=ROOT, check=True,
                         text=True, stdout=subprocess.PIPE, preexec_fn=all_cores).stdout
    messages = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}
