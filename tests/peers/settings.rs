//! What the configuration of a program has here, whatever it is there for: its files are in one directory, it listens on
//! one port of loopback, and does nothing that it was not asked for.

use std::fmt::Display;

/// For BIND, among `options`.
pub(crate) fn bind(here: impl Display, port: u16) -> String {
    format!(
        r#"
                directory "{here}";
                listen-on port {port} {{ 127.0.0.1; }};
                listen-on-v6 {{ none; }};
                pid-file "{here}/named.pid";
                session-keyfile "{here}/session.key";
                recursion no;
                dnssec-validation no;"#
    )
}

/// For NSD, in front of everything else; settings of the server may follow.
pub(crate) fn nsd(here: impl Display, port: u16) -> String {
    format!(
        r#"
            remote-control:
                control-enable: no
            server:
                ip-address: 127.0.0.1@{port}
                server-count: 1
                username: ""
                database: ""
                zonesdir: "{here}"
                pidfile: "{here}/nsd.pid"
                xfrdfile: "{here}/xfrd.state"
                zonelistfile: "{here}/zone.list"
                xfrdir: "{here}""#
    )
}
