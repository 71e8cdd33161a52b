//! The name that each connection was opened to: it tells the tenant when From names none.
//! Owns: names of live connections. The rules themselves are `pbx::identity`.
use bitspath_core::ConnId;
use bitspath_core::net::StreamKind;
use bitspath_core::store::TenantId;
use bitspath_pbx::{Directory, identity};
use bitspath_sip::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// SNI or WebSocket host by connection; plain TCP has none. As bounded as connections are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts(BTreeMap<ConnId, String>);

impl Hosts {
    pub fn opened(&mut self, conn: ConnId, kind: &StreamKind) {
        if let Some(host) = identity::connection_host(kind) {
            self.0.insert(conn, host.to_owned());
        }
    }

    pub fn closed(&mut self, conn: ConnId) {
        self.0.remove(&conn);
    }

    /// The tenant for which a request on this connection speaks.
    pub fn tenant(
        &self,
        directory: &Directory,
        msg: &Message,
        conn: Option<ConnId>,
        default: TenantId,
    ) -> TenantId {
        let named = conn.and_then(|conn| self.0.get(&conn)).map(String::as_str);
        let from = msg.from().uri();
        let host = from.as_ref().map_or("", |uri| uri.host);
        identity::tenant_of(directory, host, named, default)
    }
}
