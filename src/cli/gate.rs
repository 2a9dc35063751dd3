//! `danelaw gate` and `danelaw rollover`: may the next certificate be deployed, and must the one in use go at once.

use std::fmt::Write as _;
use std::io::{Write, stderr};
use std::path::Path;
use std::time::Duration;

use super::args::{Cli, GateArgs, RolloverArgs};
use super::daemon::{socket, text_segment};
use super::exit::{Exit, Failure};
use crate::engine::status::GateStatus;
use crate::host::client::{ClientError, Method, Patience, StatusCode, request, request_with};
use crate::host::files;
use crate::tlsa::Material;

/// How often somebody who waits asks.
const PAUSE: Duration = Duration::from_secs(1);

/// `danelaw gate`: [`Exit::Done`] when it is open, [`Exit::Wrong`] when it is closed.
pub(super) fn gate(cli: &Cli, args: &GateArgs) -> Result<Exit, Failure> {
    let socket = socket(cli)?;
    let wanted = match &args.certificate {
        Some(path) => public_part(path)?,
        None => Vec::new(),
    };
    let path =
        format!("/gate/{}?except={}", text_segment(&args.service), text_segment(&args.except.join(",")));
    let patience = Patience::until(args.timeout.map(|timeout| Duration::from_secs(timeout.0)));
    let mut said = String::new();
    loop {
        let outcome = ask(&socket, &path, &wanted);
        let status = match outcome {
            Err(Failure::Client(error)) if args.wait && is_temporary(&error) => {
                tell(&mut said, format!("{error}\nwaiting for the daemon to come back\n"))?;
                None
            }
            other => Some(other?),
        };
        if let Some(status) = status {
            if args.output.json && (status.open || !args.wait) {
                println!("{}", serde_json::to_string_pretty(&status)?);
            } else {
                tell(&mut said, text(&status))?;
            }
            if status.open {
                return Ok(Exit::Done);
            }
            if !args.wait {
                return Ok(Exit::Wrong);
            }
        }
        if !patience.pause(PAUSE) {
            writeln!(stderr(), "gave up waiting: the gate is closed")?;
            return Ok(Exit::Wrong);
        }
    }
}

/// `danelaw rollover SERVICE --compromised`
pub(super) fn rollover(cli: &Cli, args: &RolloverArgs) -> Result<Exit, Failure> {
    let socket = socket(cli)?;
    let path = format!("/rollover/{}?compromised=true", text_segment(&args.service));
    let mut said = Vec::new();
    let method = if args.yes { Method::POST } else { Method::GET };
    let status = request(&socket, &method, &path, &mut said)?;
    stderr().write_all(&said)?;
    if status == StatusCode::OK && !args.yes {
        writeln!(
            stderr(),
            "nothing has been changed; to do it: danelaw rollover {} --compromised --yes",
            args.service
        )?;
    }
    Ok(if status == StatusCode::OK && args.yes { Exit::Done } else { Exit::Wrong })
}

/// What a file says of a key, without what is secret.
fn public_part(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |reason: String| Failure::File { file: path.display().to_string(), reason };
    let octets = files::read(path).map_err(|error| failure(error.to_string()))?;
    let material = Material::parse(&octets).map_err(|error| failure(error.to_string()))?;
    Ok(material.to_pem().into_bytes())
}

fn ask(socket: &Path, path: &str, wanted: &[u8]) -> Result<GateStatus, Failure> {
    let mut body = Vec::new();
    let status = request_with(socket, &Method::POST, path, wanted.to_vec(), &mut body)?;
    match status {
        StatusCode::OK | StatusCode::CONFLICT => Ok(serde_json::from_slice(&body)?),
        StatusCode::SERVICE_UNAVAILABLE => Err(ClientError::Stopping.into()),
        _ => Err(Failure::Refused(String::from_utf8_lossy(&body).trim_end().to_owned())),
    }
}

/// Whether the daemon may be back soon.
fn is_temporary(error: &ClientError) -> bool {
    matches!(error, ClientError::NoDaemon { .. } | ClientError::Broken(_) | ClientError::Stopping)
}

/// Says what has changed since it was said last.
fn tell(said: &mut String, text: String) -> std::io::Result<()> {
    if *said != text {
        stderr().write_all(text.as_bytes())?;
        *said = text;
    }
    Ok(())
}

fn text(status: &GateStatus) -> String {
    let GateStatus { service, open, keys, until, reasons } = status;
    let names: Vec<String> = keys.iter().map(|key| format!("{} ({})", key.tlsa, key.state)).collect();
    let verdict = if *open { "open" } else { "closed" };
    let opens = until.filter(|_| !open).map(|until| format!("; opens at {until}")).unwrap_or_default();
    let mut out = format!("gate of {service} is {verdict}: {}{opens}\n", names.join(", "));
    for reason in reasons {
        let _ = writeln!(out, "  {reason}");
    }
    for key in keys.iter().filter(|key| !key.except.is_empty()) {
        let _ =
            writeln!(out, "  {} does not wait for {}, as somebody asked", key.tlsa, key.except.join(", "));
    }
    out
}
