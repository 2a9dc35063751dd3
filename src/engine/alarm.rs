//! What needs a person: raised when seen, cleared when over, one a topic.

use std::collections::BTreeMap;

use crate::dns::time::Timestamp;

/// One thing that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Since when.
    pub since: Timestamp,
    /// What is wrong, what it means for what is served, what to do.
    pub text: String,
}

/// The alarms of one zone or service, by topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms(BTreeMap<String, Alarm>);

impl Alarms {
    /// Raises an alarm, or words it anew. Says whether that is news.
    pub fn raise(&mut self, topic: &str, now: Timestamp, text: impl Into<String>) -> bool {
        let text = text.into();
        match self.0.get_mut(topic) {
            Some(alarm) if alarm.text == text => false,
            Some(alarm) => {
                alarm.text = text;
                true
            }
            None => {
                self.0.insert(topic.to_owned(), Alarm { since: now, text });
                true
            }
        }
    }

    /// Ends an alarm. Says whether there was one.
    pub fn clear(&mut self, topic: &str) -> bool {
        self.0.remove(topic).is_some()
    }

    /// Whether this one is raised.
    pub fn is_raised(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    /// Those that are raised.
    pub fn iter(&self) -> impl Iterator<Item = &Alarm> {
        self.0.values()
    }

    /// The same with their topics.
    pub fn by_topic(&self) -> impl Iterator<Item = (&str, &Alarm)> {
        self.0.iter().map(|(topic, alarm)| (topic.as_str(), alarm))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
