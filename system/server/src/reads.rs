//! Answers to queries: pages of the tables, each in an order that the next page goes on from.
//! Owns: what an operator sees of the state. Cannot change it.
use crate::live::Live;
use crate::metrics;
use crate::query::{CallRow, Page, Query, Row};
use bitspath_core::{Audit, Now};
use bitspath_pbx::Binding;

impl Live {
    /// At most `budget` rows. Metrics, addresses and the audit are small and come whole.
    pub fn query(&self, now: Now, query: &Query, budget: usize) -> Page {
        match query {
            Query::Metrics => {
                let rows = metrics::rows(&self.counters, self.endpoint.counters(), &self.audit());
                whole(rows.into_iter().map(Row::Metric))
            }
            Query::Addresses => {
                whole(self.advertise.addresses().zip(0..).map(|((l, told), n)| Row::Address {
                    listener: n,
                    transport: l.transport.to_string(),
                    bind: l.bind,
                    advertised: told,
                }))
            }
            Query::Audit => whole(
                self.audit()
                    .0
                    .into_iter()
                    .map(|(name, count)| Row::Audit { name: name.to_owned(), count }),
            ),
            Query::Calls { after } => self.calls_page(*after, budget),
            Query::Bindings { after } => self.bindings_page(now, after.as_deref(), budget),
        }
    }

    /// What is alive, under the names that everybody uses, then each part's own.
    pub fn audit(&self) -> Audit {
        let mut audit = Audit::default();
        self.endpoint.audit(&mut audit);
        self.calls.audit(&mut audit);
        self.registrar.audit(&mut audit);
        self.ports.audit(&mut audit);
        self.records.audit(&mut audit);
        audit.set("transactions", self.endpoint.transactions());
        audit.set("connections", self.endpoint.connections());
        audit.set("registrations", self.registrar.len());
        audit.set("relays", self.calls.relays());
        audit.set("pending", self.records.pending());
        audit.set("outputs", self.out.len());
        audit
    }

    fn calls_page(&self, after: Option<u64>, budget: usize) -> Page {
        let mut page = Page::default();
        for (call, row) in self.calls.rows(after).take(budget) {
            page.next = Some(call.to_string());
            page.rows.push(Row::Call(CallRow {
                call,
                tenant: row.tenant.clone(),
                caller: row.caller.clone(),
                callee: row.callee.clone(),
                call_id: row.call_id.clone(),
                started: row.started,
                answered: row.answered,
            }));
        }
        if page.rows.len() < budget {
            page.next = None;
        }
        page
    }

    /// `after` counts the rows already seen.
    fn bindings_page(&self, now: Now, after: Option<&str>, budget: usize) -> Page {
        let seen: usize = after.and_then(|n| n.parse().ok()).unwrap_or(0);
        let row = |(tenant, user, binding): (_, &str, &Binding)| Row::Binding {
            tenant: self.tenant_name(tenant),
            user: user.to_owned(),
            contact: binding.uri.clone(),
            peer: binding.flow.peer,
            expires_s: binding.expires.since(now.mono).as_secs(),
        };
        let rows: Vec<Row> = self.registrar.bindings().skip(seen).take(budget).map(row).collect();
        let next = (rows.len() == budget).then(|| (seen + budget).to_string());
        Page { rows, next }
    }
}

fn whole(rows: impl Iterator<Item = Row>) -> Page {
    Page { rows: rows.collect(), next: None }
}
