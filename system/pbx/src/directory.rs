//! Tenants and their numbers: a snapshot that the configuration (later a change feed) replaces.
//! Owns: look-ups by id, host and number. Does not know: passwords (only HA1), who is registered.
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bitspath_core::Duration;
use bitspath_core::store::TenantId;
use bitspath_sip::digest::Algorithm;
use core::net::IpAddr;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// All tenants. Their order is that of the configuration; the first is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    tenants: Vec<Tenant>,
    ids: BTreeMap<TenantId, u32>,
    /// Domains in lower case.
    hosts: BTreeMap<String, TenantId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    /// Stable over restarts; stands in the store's rows.
    pub name: String,
    pub domains: Vec<String>,
    pub realm: String,
    /// RFC 8760: what is challenged, the best first.
    pub algorithms: Vec<Algorithm>,
    /// Without it nobody is challenged (tests, closed networks).
    pub auth: bool,
    /// Networks that may call services unauthenticated.
    pub guests: Vec<IpNet>,
    pub extensions: BTreeMap<String, Extension>,
    pub services: BTreeMap<String, Service>,
    /// How long a call rings before 480.
    pub ring: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    pub number: String,
    pub display: Option<String>,
    /// H(A1) under the tenant's realm, per algorithm.
    pub ha1: BTreeMap<Algorithm, String>,
    pub enabled: bool,
}

/// Numbers that the house answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Service {
    Echo,
    Tone,
}

impl Directory {
    /// Of two tenants that claim one domain, the first has it; the configuration refuses that.
    pub fn new(tenants: Vec<Tenant>) -> Self {
        let (mut ids, mut hosts) = (BTreeMap::new(), BTreeMap::new());
        for (place, tenant) in (0u32..).zip(&tenants) {
            ids.entry(tenant.id).or_insert(place);
            for domain in &tenant.domains {
                hosts.entry(canonical(domain)).or_insert(tenant.id);
            }
        }
        Directory { tenants, ids, hosts }
    }

    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(*self.ids.get(&id)? as usize)
    }

    pub fn tenant_named(&self, name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|t| t.name == name)
    }

    /// Whose domain this is; `None` for addresses and strangers.
    pub fn tenant_of_host(&self, host: &str) -> Option<TenantId> {
        self.hosts.get(&canonical(host)).copied()
    }
}

impl Tenant {
    /// The extension when it may be used.
    pub fn extension(&self, number: &str) -> Option<&Extension> {
        self.extensions.get(number).filter(|e| e.enabled)
    }

    pub fn service(&self, number: &str) -> Option<Service> {
        self.services.get(number).copied()
    }

    pub fn is_guest(&self, ip: IpAddr) -> bool {
        // A dual-stack socket shows an IPv4 peer as ::ffff:a.b.c.d.
        let ip = ip.to_canonical();
        self.guests.iter().any(|net| net.contains(&ip))
    }

    /// Guests reach services and nothing else.
    pub fn admits_guest(&self, ip: IpAddr, callee: &str) -> bool {
        self.service(callee).is_some() && self.is_guest(ip)
    }

    /// What is stored of a user's password; the look-up that `digest::verify` asks for.
    pub fn ha1(&self, user: &str, algorithm: Algorithm) -> Option<&str> {
        self.extension(user)?.ha1.get(&algorithm).map(String::as_str)
    }
}

/// RFC 3261 §19.1.4: hosts are compared without case; a root dot says nothing.
fn canonical(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}
