//! What has become of the keys, for the log.

use super::{KeyId, Life, Lifecycle, Part};

impl Lifecycle {
    /// One line for each state that is another one than `before`; keys by algorithm and tag.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut ids: Vec<&KeyId> = before.keys.keys().chain(self.keys.keys()).collect();
        ids.sort_unstable();
        ids.dedup();
        let state = |life: Option<&Life>, part| life.map(|life| life.phase(part).state).unwrap_or_default();
        ids.into_iter()
            .flat_map(|id| Part::ALL.map(|part| (id, part)))
            .filter_map(|(id, part)| {
                let from = state(before.keys.get(id), part);
                let to = state(self.keys.get(id), part);
                (from != to).then(|| format!("key {id}: {} {} -> {}", part.name(), from.name(), to.name()))
            })
            .collect()
    }
}
