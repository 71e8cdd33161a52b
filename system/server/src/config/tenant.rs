//! `[[tenant]]` and `[[tenant.extension]]`: who may call, by which name and password.
use super::listen::net;
use super::reader::{At, Fields, Reader, article};
use bitspath_core::limits;
use bitspath_pbx::Service;
use bitspath_sip::digest::Algorithm;
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
    pub algorithms: Vec<Algorithm>,
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
    /// Hex digests by algorithm; the password itself is not kept.
    pub ha1: BTreeMap<Algorithm, String>,
}

/// What of a tenant its extensions need to be read.
struct Policy<'a> {
    realm: &'a str,
    algorithms: &'a [Algorithm],
    services: &'a BTreeMap<String, Service>,
}

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
    let realm = realm
        .or_else(|| domains.first().cloned())
        .or_else(|| name.as_ref().map(|at| at.value.clone()))
        .unwrap_or_default();
    let authentication = table.bool(r, "authentication").unwrap_or(true);
    let mut algorithms: Vec<Algorithm> =
        table.texts(r, "algorithms", algorithm).into_iter().map(|at| at.value).collect();
    if algorithms.is_empty() {
        algorithms.push(Algorithm::Md5);
    }
    let guests = table.texts(r, "guests", net).into_iter().map(|at| at.value).collect();
    let ring = table.number(r, "ring_s", 5..=300);
    let services = read_services(r, &mut table);
    let policy = Policy { realm: &realm, algorithms: &algorithms, services: &services };
    let extensions = read_extensions(r, &mut table, &policy);
    let span = table.span.clone();
    table.finish(r);
    let Some(At { value: name, .. }) = name else {
        r.blame(&span, "a tenant needs a `name`");
        return None;
    };
    Some(Tenant {
        realm,
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
    policy: &Policy<'_>,
) -> Vec<Extension> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for mut table in tenant.tables(r, "extension") {
        let span = table.span.clone();
        let given = table.text(r, "number", number);
        let display = table.text(r, "display", display).map(|at| at.value);
        let enabled = table.bool(r, "enabled").unwrap_or(true);
        let password = table.text(r, "password", password).map(|at| at.value);
        let ha1 = read_ha1(r, &mut table, policy);
        if password.is_some() == ha1.is_some() {
            r.blame(&span, "an extension needs either a `password` or an `ha1` table");
        }
        table.finish(r);
        let Some(At { value: number, span: at }) = given else {
            r.blame(&span, "an extension needs a `number`");
            continue;
        };
        if policy.services.contains_key(&number) {
            r.blame(&at, format!("{number} is a service of this tenant already"));
        }
        if !seen.insert(number.clone()) {
            r.blame(&at, format!("there are two extensions {number} in this tenant"));
        }
        let digested = |password: String| {
            let of = |a: &Algorithm| (*a, a.ha1(&number, policy.realm, &password));
            policy.algorithms.iter().map(of).collect()
        };
        let ha1 = ha1.or_else(|| password.map(digested)).unwrap_or_default();
        out.push(Extension { number, display, enabled, ha1 });
    }
    out
}

/// One digest for each algorithm of the tenant; others are kept for a policy to come.
fn read_ha1(
    r: &mut Reader<'_>,
    table: &mut Fields<'_>,
    policy: &Policy<'_>,
) -> Option<BTreeMap<Algorithm, String>> {
    let mut ha1 = table.table(r, "ha1")?;
    let mut out = BTreeMap::new();
    for (key, value) in ha1.rest() {
        let Some(algorithm) = Algorithm::parse(&key.value) else {
            r.blame(&key.span, format!("`{}` is no algorithm of ours", key.value));
            continue;
        };
        let digits = algorithm.hex_len();
        match value.value.as_str() {
            Some(hex) if is_hex(hex, digits) => {
                out.insert(algorithm, hex.to_ascii_lowercase());
            }
            _ => r.blame(&value.span, format!("`{}` must be {digits} hex digits", key.value)),
        }
    }
    for missing in policy.algorithms.iter().filter(|a| !out.contains_key(a)) {
        let key = key_of(*missing);
        r.blame(&ha1.span, format!("`ha1` lacks {key}, which this tenant asks for"));
    }
    Some(out)
}

/// How a configuration writes an algorithm.
pub fn key_of(algorithm: Algorithm) -> String {
    algorithm.as_str().to_ascii_lowercase()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::parse(text).ok_or_else(|| {
        let all: Vec<String> = Algorithm::ALL.into_iter().map(key_of).collect();
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
