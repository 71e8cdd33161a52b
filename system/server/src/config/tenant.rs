//! `[[tenant]]` and `[[tenant.extension]]`: who may call, by which name and password.
use super::listen::net;
use super::reader::{At, Fields, Reader, article};
use bitspath_core::limits;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub name: String,
    /// Lower case; an address of record may name any of them.
    pub domains: Vec<String>,
    pub realm: String,
    /// Off in test worlds only.
    pub authentication: bool,
    /// One challenge each, in this order (RFC 8760 §2.4: the preferred first).
    pub algorithms: Vec<String>,
    /// Networks whose unauthenticated calls reach the services.
    pub guests: Vec<IpNet>,
    pub ring: Duration,
    pub extensions: Vec<Extension>,
    pub services: BTreeMap<String, Service>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    pub number: String,
    pub display: Option<String>,
    pub enabled: bool,
    pub password: Option<String>,
    /// Hex digests by algorithm.
    pub ha1: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    Echo,
    Tone,
}

const ALGORITHMS: [(&str, usize); 3] = [("md5", 32), ("sha-256", 64), ("sha-512-256", 64)];

/// Every `[[tenant]]`; names, domains and numbers are unique where they must be.
pub fn read(r: &mut Reader<'_>, top: &mut Fields<'_>) -> Vec<Tenant> {
    let mut out: Vec<Tenant> = Vec::new();
    let mut domains = BTreeSet::new();
    let mut names = BTreeSet::new();
    let tables = top.tables(r, "tenant");
    if tables.is_empty() && r.is_clean() {
        r.blame(&(0..0), "there is no [[tenant]]: nobody could call");
    }
    for table in tables {
        let span = table.span.clone();
        let Some(tenant) = read_one(r, table, &mut domains) else { continue };
        if !names.insert(tenant.name.clone()) {
            r.blame(&span, format!("there are two tenants `{}`", tenant.name));
        }
        out.push(tenant);
    }
    out
}

fn read_one(
    r: &mut Reader<'_>,
    mut table: Fields<'_>,
    seen: &mut BTreeSet<String>,
) -> Option<Tenant> {
    let name = table.text(r, "name", name);
    let mut domains = Vec::new();
    for At { value, span } in table.texts(r, "domains", domain) {
        if !seen.insert(value.clone()) {
            r.blame(&span, format!("the domain `{value}` is given twice"));
        }
        domains.push(value);
    }
    let realm = table.text(r, "realm", realm).map(|at| at.value);
    let authentication = table.bool(r, "authentication").unwrap_or(true);
    let mut algorithms: Vec<String> =
        table.texts(r, "algorithms", algorithm).into_iter().map(|at| at.value).collect();
    if algorithms.is_empty() {
        algorithms.push("md5".to_owned());
    }
    let guests = table.texts(r, "guests", net).into_iter().map(|at| at.value).collect();
    let ring = table.number(r, "ring_s", 5..=300);
    let services = read_services(r, &mut table);
    let extensions = read_extensions(r, &mut table, &services);
    let span = table.span.clone();
    table.finish(r);
    let Some(At { value: name, .. }) = name else {
        r.blame(&span, "a tenant needs a `name`");
        return None;
    };
    Some(Tenant {
        realm: realm.or_else(|| domains.first().cloned()).unwrap_or_else(|| name.clone()),
        domains,
        authentication,
        algorithms,
        guests,
        ring: ring.map_or(limits::RING_DEFAULT, |at| Duration::from_secs(at.value)),
        extensions,
        services,
        name,
    })
}

fn read_services(r: &mut Reader<'_>, tenant: &mut Fields<'_>) -> BTreeMap<String, Service> {
    let mut out = BTreeMap::new();
    let Some(mut table) = tenant.table(r, "services") else { return out };
    for (key, value) in table.rest() {
        if let Err(why) = number(&key.value) {
            r.blame(&key.span, why);
        }
        match value.value.as_str() {
            Some("echo") => drop(out.insert(key.value, Service::Echo)),
            Some("tone") => drop(out.insert(key.value, Service::Tone)),
            Some(other) => {
                r.blame(&value.span, format!("`{other}` is no service: echo or tone"));
            }
            None => {
                let what = article(&value.value);
                r.blame(&value.span, format!("a service is \"echo\" or \"tone\", not {what}"));
            }
        }
    }
    out
}

fn read_extensions(
    r: &mut Reader<'_>,
    tenant: &mut Fields<'_>,
    services: &BTreeMap<String, Service>,
) -> Vec<Extension> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for mut table in tenant.tables(r, "extension") {
        let span = table.span.clone();
        let given = table.text(r, "number", number);
        let display = table.text(r, "display", display).map(|at| at.value);
        let enabled = table.bool(r, "enabled").unwrap_or(true);
        let password = table.text(r, "password", password).map(|at| at.value);
        let ha1 = read_ha1(r, &mut table);
        if password.is_some() == ha1.is_some() {
            r.blame(&span, "an extension needs either a `password` or an `ha1` table");
        }
        table.finish(r);
        let Some(At { value: number, span: at }) = given else {
            r.blame(&span, "an extension needs a `number`");
            continue;
        };
        if services.contains_key(&number) {
            r.blame(&at, format!("{number} is a service of this tenant already"));
        }
        if !seen.insert(number.clone()) {
            r.blame(&at, format!("there are two extensions {number} in this tenant"));
        }
        out.push(Extension { number, display, enabled, password, ha1: ha1.unwrap_or_default() });
    }
    out
}

fn read_ha1(r: &mut Reader<'_>, table: &mut Fields<'_>) -> Option<BTreeMap<String, String>> {
    let mut ha1 = table.table(r, "ha1")?;
    let mut out = BTreeMap::new();
    for (key, value) in ha1.rest() {
        let Some((name, digits)) = ALGORITHMS.iter().find(|(name, _)| *name == key.value) else {
            r.blame(&key.span, format!("`{}` is no algorithm of ours", key.value));
            continue;
        };
        match value.value.as_str() {
            Some(hex) if is_hex(hex, *digits) => {
                out.insert((*name).to_owned(), hex.to_ascii_lowercase());
            }
            _ => r.blame(&value.span, format!("`{name}` must be {digits} hex digits")),
        }
    }
    if out.is_empty() {
        r.blame(&ha1.span, "`ha1` needs at least one algorithm");
    }
    Some(out)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn algorithm(text: &str) -> Result<String, String> {
    let known = ALGORITHMS.iter().any(|(name, _)| *name == text);
    known.then(|| text.to_owned()).ok_or_else(|| {
        let all: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        format!("`{text}` is no algorithm of ours: {}", all.join(", "))
    })
}

fn name(text: &str) -> Result<String, String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (!text.is_empty() && text.len() <= 63 && text.bytes().all(fine))
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` must be 1 to 63 letters, digits, - or _"))
}

/// RFC 3261 §25.1 hostname, or an IP literal, in lower case.
fn domain(text: &str) -> Result<String, String> {
    let label = |l: &str| {
        !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let bare = text.strip_suffix('.').unwrap_or(text);
    (bare.len() <= 253 && bare.split('.').all(label))
        .then(|| bare.to_ascii_lowercase())
        .ok_or_else(|| format!("`{text}` is not a host name"))
}

/// It is sent inside quotes; what would need escaping is refused.
fn realm(text: &str) -> Result<String, String> {
    (!text.is_empty() && text.len() <= 255 && text.chars().all(|c| !c.is_control()))
        .then_some(text)
        .filter(|t| !t.contains(['"', '\\']))
        .map(str::to_owned)
        .ok_or_else(|| "a realm is plain text without quotes or backslashes".to_owned())
}

/// RFC 3261 §25.1 `user` without escapes, which nobody can dial.
fn number(text: &str) -> Result<String, String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.*+#!~".contains(&b);
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(fine))
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` is not a number or name that can be dialled"))
}

fn display(text: &str) -> Result<String, String> {
    (text.len() <= 128 && text.chars().all(|c| !c.is_control()))
        .then(|| text.to_owned())
        .ok_or_else(|| "a display name is at most 128 octets without control characters".to_owned())
}

fn password(text: &str) -> Result<String, String> {
    (!text.is_empty() && text.len() <= 256)
        .then(|| text.to_owned())
        .ok_or_else(|| "a password has 1 to 256 octets".to_owned())
}
