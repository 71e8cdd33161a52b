//! The model: rows in maps. What it holds after a sequence of requests is right by definition.
use crate::{CdrQuery, Engine};
use bitspath_core::Fault;
use bitspath_core::store::{BindingRow, CdrId, CdrRow, Outcome, Request, Write};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Nothing here survives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    bindings: BTreeMap<(String, String, String), BindingRow>,
    cdrs: BTreeMap<CdrId, CdrRow>,
}

impl Memory {
    fn write(&mut self, write: &Write) {
        match write {
            Write::PutBinding(row) => {
                let key = (row.tenant.clone(), row.user.clone(), row.contact.clone());
                self.bindings.insert(key, row.clone());
            }
            Write::DeleteBinding { tenant, user, contact } => {
                self.bindings.remove(&(tenant.clone(), user.clone(), contact.clone()));
            }
            Write::PutCdr(row) => {
                self.cdrs.insert(row.id, row.clone());
            }
        }
    }
}

impl Engine for Memory {
    fn apply(&mut self, batch: &[Request]) -> Vec<Outcome> {
        batch.iter().for_each(|r| self.write(&r.write));
        vec![Outcome::Done; batch.len()]
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn bindings(&self) -> Result<Vec<BindingRow>, Fault> {
        Ok(self.bindings.values().cloned().collect())
    }

    fn cdrs(&self, query: &CdrQuery) -> Result<Vec<CdrRow>, Fault> {
        let from = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.cdrs.range((from, Bound::Unbounded)).map(|(_, row)| row);
        Ok(rows.filter(|r| query.wants(r)).take(query.rows_max()).cloned().collect())
    }
}
