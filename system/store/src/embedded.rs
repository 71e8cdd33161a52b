//! The embedded engine: redb, one file, no threads, no server.
//! Owns: tables, row versions, group commit.  Does not know: what the rows mean.
//!
//! ```text
//!   versions  table name            ─▶ u16          the file's row layout; newer is refused
//!   bindings  tenant, user, contact ─▶ postcard row
//!   cdrs      tenant, id            ─▶ postcard row
//!   cdr_index id                    ─▶ tenant       order in time over all tenants
//!   cdr_open  id                    ─▶ tenant       answered and not yet closed
//! ```
//! Rows are postcard of `core::store` types. Missing: migrations (there is one version so far).
use crate::{CdrQuery, Engine};
use bitspath_core::Fault;
use bitspath_core::freeze::{freeze, thaw};
use bitspath_core::store::{BindingRow, CdrId, CdrRow, Outcome, Request, StoreTable, Write};
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase,
    ReadableTable, StorageBackend, StorageError, TableDefinition, TableError, WriteTransaction,
};
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const VERSIONS: TableDefinition<'_, &str, u16> = TableDefinition::new("versions");
const BINDINGS: TableDefinition<'_, (&str, &str, &str), &[u8]> = TableDefinition::new("bindings");
const CDRS: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("cdrs");
const CDR_INDEX: TableDefinition<'_, u128, &str> = TableDefinition::new("cdr_index");
const CDR_OPEN: TableDefinition<'_, u128, &str> = TableDefinition::new("cdr_open");

/// Memory that redb may use for pages; the call path never reads from here.
const CACHE_BYTES: usize = 32 << 20;

type Opener = Box<dyn FnMut() -> Result<Database, DatabaseError> + Send>;

pub struct Embedded {
    database: Option<Database>,
    /// After a failed write redb asks to be opened again.
    open: Opener,
    /// Commits that are not on disk yet.
    unsynced: bool,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("unsynced", &self.unsynced).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens or makes the file, readable by its owner only.
    pub fn open(path: &Path) -> Result<Embedded, Fault> {
        let at = path.to_owned();
        let opener = move || {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = file.open(&at).map_err(StorageError::Io)?;
            Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create_with_backend(FileBackend::new(file)?)
        };
        Self::with(Box::new(opener))
            .map_err(|e| Fault::new(format!("cannot open the store {}: {e}", path.display())))
    }

    /// The same engine on another backend; `backend` is asked again after a failed write.
    pub fn on<B: StorageBackend>(
        mut backend: impl FnMut() -> B + Send + 'static,
    ) -> Result<Embedded, Fault> {
        Self::with(Box::new(move || Database::builder().create_with_backend(backend())))
    }

    fn with(mut open: Opener) -> Result<Embedded, Fault> {
        let database = open().map_err(fault)?;
        prepare(&database)?;
        Ok(Embedded { database: Some(database), open, unsynced: false })
    }

    fn database(&mut self) -> Result<&Database, redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.open)()?,
        };
        Ok(self.database.insert(database))
    }

    fn commit(&mut self, batch: &[Request], durable: bool) -> Result<(), redb::Error> {
        let database = self.database()?;
        let mut transaction = database.begin_write()?;
        let durability = if durable { Durability::Immediate } else { Durability::None };
        transaction.set_durability(durability)?;
        for request in batch {
            write(&transaction, &request.write)?;
        }
        transaction.commit()?;
        self.unsynced = !durable;
        Ok(())
    }

    fn read(&self) -> Result<ReadTransaction, Fault> {
        let database = self.database.as_ref().ok_or_else(|| Fault::new("the store is closed"))?;
        database.begin_read().map_err(fault)
    }
}

impl Engine for Embedded {
    fn apply(&mut self, batch: &[Request]) -> Vec<Outcome> {
        let durable = batch.iter().any(|r| r.durable);
        let outcome = match self.commit(batch, durable) {
            Ok(()) => Outcome::Done,
            Err(e) => {
                // Whatever redb thinks of its file now, it is read afresh before the next write.
                self.database = None;
                if is_full(&e) { Outcome::Full } else { Outcome::Failed }
            }
        };
        vec![outcome; batch.len()]
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if !self.unsynced {
            return Ok(());
        }
        self.commit(&[], true).map_err(|e| {
            self.database = None;
            fault(e)
        })
    }

    fn bindings(&self) -> Result<Vec<BindingRow>, Fault> {
        let table = self.read()?.open_table(BINDINGS).map_err(fault)?;
        let rows = table.iter().map_err(fault)?;
        rows.map(|row| thaw(row.map_err(fault)?.1.value())).collect()
    }

    fn cdrs(&self, query: &CdrQuery) -> Result<Vec<CdrRow>, Fault> {
        let transaction = self.read()?;
        let index = if query.open_only { CDR_OPEN } else { CDR_INDEX };
        let index = transaction.open_table(index).map_err(fault)?;
        let cdrs = transaction.open_table(CDRS).map_err(fault)?;
        let from = query.after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.0));
        let mut rows = Vec::new();
        for entry in index.range((from, Bound::Unbounded)).map_err(fault)? {
            if rows.len() >= query.rows_max() {
                break;
            }
            let (id, tenant) = entry.map_err(fault)?;
            if query.tenant.as_ref().is_some_and(|t| t != tenant.value()) {
                continue;
            }
            rows.extend(row(&cdrs, tenant.value(), CdrId(id.value()))?);
        }
        Ok(rows)
    }
}

type Cdrs = ReadOnlyTable<(&'static str, u128), &'static [u8]>;

fn row(cdrs: &Cdrs, tenant: &str, id: CdrId) -> Result<Option<CdrRow>, Fault> {
    let found = cdrs.get((tenant, id.0)).map_err(fault)?;
    found.map(|row| thaw(row.value())).transpose()
}

/// Makes the tables and checks that the file's rows are of our version.
fn prepare(database: &Database) -> Result<(), Fault> {
    let transaction = database.begin_write().map_err(fault)?;
    {
        let mut versions = transaction.open_table(VERSIONS).map_err(fault)?;
        for table in StoreTable::ALL {
            let kept = versions.get(table.name()).map_err(fault)?.map(|v| v.value());
            match kept {
                Some(version) if version != table.version() => {
                    return Err(Fault::new(format!(
                        "table {} has rows of version {version}, this build knows {}",
                        table.name(),
                        table.version()
                    )));
                }
                Some(_) => {}
                None => {
                    versions.insert(table.name(), table.version()).map_err(fault)?;
                }
            }
        }
    }
    let made: Result<(), TableError> = (|| {
        transaction.open_table(BINDINGS)?;
        transaction.open_table(CDRS)?;
        transaction.open_table(CDR_INDEX)?;
        transaction.open_table(CDR_OPEN).map(|_| ())
    })();
    made.map_err(fault)?;
    transaction.commit().map_err(fault)
}

fn write(transaction: &WriteTransaction, write: &Write) -> Result<(), redb::Error> {
    match write {
        Write::PutBinding(row) => {
            let key = (row.tenant.as_str(), row.user.as_str(), row.contact.as_str());
            transaction.open_table(BINDINGS)?.insert(key, freeze(row).0.as_slice())?;
        }
        Write::DeleteBinding { tenant, user, contact } => {
            let key = (tenant.as_str(), user.as_str(), contact.as_str());
            transaction.open_table(BINDINGS)?.remove(key)?;
        }
        Write::PutCdr(row) => {
            let tenant = row.tenant.as_str();
            let bytes = freeze(row).0;
            transaction.open_table(CDRS)?.insert((tenant, row.id.0), bytes.as_slice())?;
            transaction.open_table(CDR_INDEX)?.insert(row.id.0, tenant)?;
            let mut open = transaction.open_table(CDR_OPEN)?;
            if row.ended.is_none() {
                open.insert(row.id.0, tenant)?;
            } else {
                open.remove(row.id.0)?;
            }
        }
    }
    Ok(())
}

fn is_full(e: &redb::Error) -> bool {
    let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    matches!(e, redb::Error::Io(e) if kinds.contains(&e.kind()))
}

fn fault(e: impl fmt::Display) -> Fault {
    Fault::new(e.to_string())
}
