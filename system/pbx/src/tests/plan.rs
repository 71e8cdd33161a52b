//! Who rings for which number.
use super::*;
use crate::{Plan, plan};
use bitspath_sip::Status;

fn dial(r: &Registrar, caller: &str, callee: &str) -> Plan {
    plan(&directory(), r, TenantId(0), caller, callee, Some(udp(1, 5060)))
}

fn targets(plan: Plan) -> Vec<String> {
    match plan {
        Plan::Ring { targets, .. } => targets.into_iter().map(|t| t.uri).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_services_phones_or_nobody() {
    let r = registrar();
    assert_eq!(dial(&r, "1002", "600"), Plan::Service(Service::Echo));
    assert_eq!(dial(&r, "1002", "601"), Plan::Service(Service::Tone));
    let refused = |callee: &str| match dial(&r, "1002", callee) {
        Plan::Refuse(status, _) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("1001"), Status(480));
    assert_eq!(refused("1009"), Status(404));
    assert_eq!(refused("7777"), Status(404));
    assert_eq!(refused(""), Status(404));
}

#[test]
fn all_phones_of_a_number_ring_the_most_wanted_first() {
    let mut r = registrar();
    let lines = ["Contact: <sip:1@h>;q=0.2, <sip:2@h>;q=0.9, <sip:3@h>;q=0.2, <mailto:1@h>"];
    send(&mut r, at(0), &register("a", 1, &lines));
    assert_eq!(targets(dial(&r, "1002", "1001")), ["sip:2@h", "sip:3@h", "sip:1@h"]);
}

#[test]
fn the_own_number_rings_the_other_phones_or_is_busy() {
    let mut r = registrar();
    send(&mut r, at(0), &register("a", 1, &["Contact: <sip:desk@h>"]));
    assert_eq!(dial(&r, "1001", "1001"), Plan::Refuse(Status(486), "own number"));
    send_over(&mut r, at(0), &register("b", 1, &["Contact: <sip:cell@h>"]), udp(2, 5060));
    assert_eq!(targets(dial(&r, "1001", "1001")), ["sip:cell@h"]);
    assert_eq!(targets(dial(&r, "1002", "1001")).len(), 2);
}

#[test]
fn the_same_number_of_another_tenant_never_rings() {
    let mut r = registrar();
    send(&mut r, at(0), &register("a", 1, &["Contact: <sip:1@h>"]));
    let other = plan(&directory(), &r, TenantId(1), "1002", "1001", None);
    assert_eq!(other, Plan::Refuse(Status(480), "not registered"));
    let nowhere = plan(&directory(), &r, TenantId(7), "1002", "1001", None);
    assert_eq!(nowhere, Plan::Refuse(Status(404), "no such tenant"));
}
