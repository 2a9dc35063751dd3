//! The whole state as it was at one moment, copied while commits go on.

use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};

use super::error::StateError;
use super::journal::JOURNAL;
use super::store::{CACHE_OCTETS, META, NODES, SERVICES, ZONES};
use super::updates::UPDATES;

/// What the state was at a moment. What is committed later does not change it; it keeps room on the disk for as long as
/// it lives.
pub struct Moment(ReadTransaction);

impl Moment {
    pub(super) fn of(database: &Database) -> Result<Self, StateError> {
        Ok(Self(database.begin_read()?))
    }

    /// Writes it as a state of its own to `backend`, which must be empty.
    pub fn copy(&self, backend: impl StorageBackend) -> Result<(), StateError> {
        let database = Builder::new().set_cache_size(CACHE_OCTETS).create_with_backend(backend)?;
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            for entry in self.0.open_table(META)?.iter()? {
                let (key, value) = entry?;
                meta.insert(key.value(), value.value())?;
            }
            let mut services = transaction.open_table(SERVICES)?;
            for entry in self.0.open_table(SERVICES)?.iter()? {
                let (key, value) = entry?;
                services.insert(key.value(), value.value())?;
            }
            for table in OF_OCTETS {
                let mut copy = transaction.open_table(table)?;
                for entry in self.0.open_table(table)?.iter()? {
                    let (key, value) = entry?;
                    copy.insert(key.value(), value.value())?;
                }
            }
        }
        transaction.commit()?;
        Ok(database.close()?)
    }
}

/// Tables of one type; all there are beside `meta` and `services`.
const OF_OCTETS: [TableDefinition<'_, &[u8], &[u8]>; 4] = [ZONES, NODES, JOURNAL, UPDATES];

#[cfg(test)]
mod tests {
    use redb::TableHandle;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::state::Store;

    #[test]
    fn every_table_is_copied() {
        let mut store = Store::open(InMemoryBackend::new()).unwrap();
        let Moment(transaction) = store.moment().unwrap();
        let mut tables: Vec<String> =
            transaction.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
        tables.sort();
        let mut copied: Vec<&str> = OF_OCTETS.iter().map(TableHandle::name).collect();
        copied.extend([META.name(), SERVICES.name()]);
        copied.sort_unstable();
        assert_eq!(copied, tables, "a table that is new is to be copied, too");
    }
}
