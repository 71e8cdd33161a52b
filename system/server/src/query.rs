//! Reads between inputs (rule 10): `query(&self, Query, budget) -> Page`. Not an input: a query
//! cannot change the Node, and is not recorded. A page says where the next one begins.
use bitspath_core::UnixTime;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// Every counter and gauge; small, so it ignores the budget.
    Metrics,
    /// Live calls after this id.
    Calls { after: Option<u64> },
    /// Registrations in the order (tenant, user, contact), `after` as a page's `next` gave it.
    Bindings { after: Option<String> },
    /// What each listener tells its peers about itself.
    Addresses,
    /// Live objects by name, as `audit()`.
    Audit,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Pass it as `after` to go on; `None` at the end.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Eq)]
pub enum Row {
    Metric(Metric),
    Call(CallRow),
    Binding { tenant: String, user: String, contact: String, peer: SocketAddr, expires_s: u64 },
    Address { listener: u16, transport: String, bind: SocketAddr, advertised: Vec<SocketAddr> },
    Audit { name: String, count: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    pub name: String,
    pub help: String,
    /// Whether it only rises.
    pub counter: bool,
    pub labels: Vec<(String, String)>,
    pub value: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRow {
    pub call: u64,
    pub tenant: String,
    pub caller: String,
    pub callee: String,
    pub call_id: String,
    pub started: UnixTime,
    pub answered: Option<UnixTime>,
}
