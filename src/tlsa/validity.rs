//! From when until when a certificate is valid, and when it should have been renewed.

use crate::dns::time::{Seconds, Timestamp};

/// The period in which a certificate is valid (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// When it begins.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

/// Of the life of a certificate, the last so-manieth part belongs to whoever has to do by hand what was not done by
/// itself. ACME clients renew when a third is left: half of that has passed then without success.
const LAST_PART: u64 = 6;

impl Validity {
    /// From when on the certificate should have been renewed.
    pub fn overdue_at(self) -> Timestamp {
        let Seconds(life) = self.not_after.since(self.not_before);
        self.not_after - Seconds(life / LAST_PART)
    }

    /// The next moment after `now` at which there is something else to say of it.
    pub fn next_change(self, now: Timestamp) -> Option<Timestamp> {
        [self.overdue_at(), self.not_after].into_iter().find(|at| *at > now)
    }

    /// What a person should know of it, if anything.
    pub fn complaint(self, now: Timestamp) -> Option<String> {
        let Self { not_after, .. } = self;
        if now >= not_after {
            Some(format!("expired at {not_after}"))
        } else if now >= self.overdue_at() {
            Some(format!("expires at {not_after}, and should have been renewed by now"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::time::DAY;

    #[test]
    fn a_certificate_of_ninety_days_should_be_renewed_fifteen_days_before_its_end() {
        let start = Timestamp(1_800_000_000);
        let validity = Validity { not_before: start, not_after: start + DAY * 90 };
        let at = |days| start + DAY * days;
        assert_eq!(validity.complaint(at(75) - Seconds(1)), None);
        let complaint = validity.complaint(at(75)).unwrap();
        assert!(complaint.starts_with("expires at 2027-04-15T"), "{complaint}");
        assert!(validity.complaint(at(90)).unwrap().starts_with("expired at 2027-04-15T"));
        let changes = [0, 75, 90].map(|days| validity.next_change(at(days)));
        assert_eq!(changes, [Some(at(75)), Some(at(90)), None]);
    }

    #[test]
    fn one_that_ends_before_it_begins_has_expired_and_is_no_fault_of_arithmetic() {
        let validity = Validity { not_before: Timestamp(9), not_after: Timestamp(5) };
        assert!(validity.complaint(Timestamp(7)).unwrap().starts_with("expired"));
    }
}
