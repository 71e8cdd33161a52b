//! From a dialled number to a plan — the caller's tenant decides, whatever host was dialled.
//! Owns: the order of look-ups (services, extensions) and the refusals.
//! Missing: forwardings, groups, trunks (later parts of the house add `Plan` variants).
use crate::directory::{Directory, Service};
use crate::registrar::Registrar;
use alloc::string::String;
use alloc::vec::Vec;
use bitspath_core::Duration;
use bitspath_core::limits::LEGS_PER_CALL_MAX;
use bitspath_core::store::TenantId;
use bitspath_sip::Status;
use bitspath_sip::endpoint::Flow;
use serde::{Deserialize, Serialize};

/// One leg to be tried: the Contact verbatim as Request-URI, sent over the flow it registered on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    pub uri: String,
    pub flow: Flow,
}

/// What is to be done with a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// All targets, the most wanted first; 480 after `ring`.
    Ring {
        targets: Vec<Target>,
        ring: Duration,
    },
    Service(Service),
    /// With the words of the log.
    Refuse(Status, &'static str),
}

/// The plan for `callee` as `caller` of `tenant` dials it. `from` is the caller's own flow: who
/// dials his own number rings his other contacts.
pub fn plan(
    directory: &Directory,
    registrar: &Registrar,
    tenant: TenantId,
    caller: &str,
    callee: &str,
    from: Option<Flow>,
) -> Plan {
    let Some(home) = directory.tenant(tenant) else {
        return Plan::Refuse(Status(404), "no such tenant");
    };
    if let Some(service) = home.service(callee) {
        return Plan::Service(service);
    }
    if home.extension(callee).is_none() {
        return Plan::Refuse(Status(404), "no such number");
    }
    let is_self = caller == callee;
    let bindings = registrar.lookup(tenant, callee);
    let targets: Vec<Target> = bindings
        .iter()
        .filter(|b| is_callable(&b.uri))
        .filter(|b| !(is_self && from.is_some_and(|f| is_same_phone(&f, &b.flow))))
        .take(LEGS_PER_CALL_MAX - 1)
        .map(|b| Target { uri: b.uri.clone(), flow: b.flow })
        .collect();
    match targets.is_empty() {
        false => Plan::Ring { targets, ring: home.ring },
        true if is_self && !bindings.is_empty() => Plan::Refuse(Status(486), "own number"),
        true => Plan::Refuse(Status(480), "not registered"),
    }
}

/// A Contact may be any URI (RFC 3261 §10.2.1); calls go to SIP ones.
fn is_callable(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or("");
    scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")
}

/// Our own address does not make it another phone.
fn is_same_phone(a: &Flow, b: &Flow) -> bool {
    Flow { local: b.local, ..*a } == *b
}
