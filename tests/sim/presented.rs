//! The certificate that the encrypted listeners present, and its end.

use danelaw::dns::time::{DAY, MINUTE, Timestamp};
use danelaw::engine::input::Presented;
use danelaw::engine::{Effect, Engine, Input};
use danelaw::tlsa::Validity;

const START: Timestamp = Timestamp(1_800_000_000);

fn presented(days: u64) -> Presented {
    let validity = Validity { not_before: START, not_after: START + DAY * days };
    Presented { file: "server.pem".into(), validity }
}

/// What is wrong, each alarm's text, and how many lines were logged on the way.
fn step(engine: &mut Engine, now: Timestamp, input: Input) -> (Vec<String>, usize) {
    let lines = engine.step(now, input).iter().filter(|effect| matches!(effect, Effect::Log { .. })).count();
    (engine.status().alarms.into_iter().map(|alarm| alarm.text).collect(), lines)
}

#[test]
fn a_certificate_that_is_not_renewed_is_an_alarm_while_there_is_time_and_another_when_it_is_too_late() {
    let mut engine = Engine::new();
    let new = Input::ServerCertificate { presented: Some(presented(30)), problem: None };
    assert_eq!(step(&mut engine, START, new), (vec![], 0));
    let overdue = engine.wake_at();
    assert_eq!(overdue, START + DAY * 25);
    assert_eq!(step(&mut engine, overdue - MINUTE, Input::Tick).0, [""; 0]);

    let (alarms, lines) = step(&mut engine, overdue, Input::Tick);
    let expected = "server.pem expires at 2027-02-14T08:00:00Z, and should have been renewed by now; from then on \
                    clients of the encrypted listeners refuse it";
    assert_eq!((&alarms[..], lines), (&[expected.to_owned()][..], 1));
    assert!(!engine.status().well);
    assert_eq!(step(&mut engine, overdue + DAY, Input::Tick).1, 0, "said once");

    // Another in its place that does not read leaves it in use.
    let broken = Input::ServerCertificate {
        presented: Some(presented(30)),
        problem: Some("server.pem: broken".into()),
    };
    assert_eq!(step(&mut engine, overdue + DAY, broken).0.len(), 2);
    assert_eq!(engine.wake_at(), START + DAY * 30);
    let (alarms, lines) = step(&mut engine, START + DAY * 30, Input::Tick);
    assert!(alarms.iter().any(|text| text.starts_with("server.pem expired at ")) && lines == 1, "{alarms:?}");

    let renewed = Input::ServerCertificate { presented: Some(presented(60)), problem: None };
    assert_eq!(step(&mut engine, START + DAY * 31, renewed).0, [""; 0]);
    let status = engine.status();
    assert!(status.well);
    let certificate = status.listen_certificate.unwrap();
    assert_eq!((&certificate.file[..], certificate.expires), ("server.pem", START + DAY * 60));
}
