//! From the configuration's text to the directory's snapshot. Owns: tenant ids, which stay with
//! their names over every reload, so that registrations keep their tenant.
use super::{Config, Tenant};
use bitspath_core::store::TenantId;
use bitspath_pbx as pbx;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Every name that a tenant ever had in this run. Bounded by what the operator writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantIds(BTreeMap<String, TenantId>);

impl TenantIds {
    fn of(&mut self, name: &str) -> TenantId {
        let next = TenantId(self.0.len() as u32);
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

impl Config {
    /// The snapshot that serves requests; `guest` is admitted to the services of every tenant.
    pub fn directory(&self, ids: &mut TenantIds, guest: Option<IpNet>) -> pbx::Directory {
        let tenant = |t: &Tenant| tenant(t, ids.of(&t.name), guest);
        pbx::Directory::new(self.tenants.iter().map(tenant).collect())
    }
}

fn tenant(t: &Tenant, id: TenantId, guest: Option<IpNet>) -> pbx::Tenant {
    let extension = |e: &super::Extension| {
        let extension = pbx::Extension {
            number: e.number.clone(),
            display: e.display.clone(),
            ha1: e.ha1.clone(),
            enabled: e.enabled,
        };
        (e.number.clone(), extension)
    };
    pbx::Tenant {
        id,
        name: t.name.clone(),
        domains: t.domains.clone(),
        realm: t.realm.clone(),
        algorithms: t.algorithms.clone(),
        auth: t.authentication,
        guests: t.guests.iter().copied().chain(guest).collect(),
        extensions: t.extensions.iter().map(extension).collect(),
        services: t.services.clone(),
        ring: t.ring,
    }
}
