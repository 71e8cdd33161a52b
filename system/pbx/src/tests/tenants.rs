//! Whose request it is, and who may say what.
use super::*;
use crate::identity::{authorised, claimed, connection_host, registrable, tenant_of};
use bitspath_core::net::StreamKind;
use bitspath_sip::Status;

#[test]
fn the_tenant_comes_from_from_then_the_connection_then_the_listener() {
    let d = directory();
    let of = |from: &str, conn: Option<&str>| tenant_of(&d, from, conn, TenantId(0)).0;
    assert_eq!(of("other.example", Some("demo.example")), 1);
    assert_eq!(of("OTHER.example.", None), 1);
    assert_eq!(of("10.0.0.1", Some("other.example")), 1);
    assert_eq!(of("[2001:db8::1]", None), 0);
    assert_eq!(of("stranger.example", Some("stranger.example")), 0);
}

#[test]
fn a_connection_is_named_by_sni_or_by_its_host_header() {
    let name = |kind: StreamKind| connection_host(&kind).map(ToString::to_string);
    let host = || "a.example:8080".to_string();
    assert_eq!(name(StreamKind::Tcp), None);
    assert_eq!(
        name(StreamKind::Tls { sni: Some("b.example".into()) }).as_deref(),
        Some("b.example")
    );
    assert_eq!(name(StreamKind::Ws { host: host(), origin: None }).as_deref(), Some("a.example"));
    let wss = StreamKind::Wss { sni: None, host: host(), origin: None };
    assert_eq!(name(wss).as_deref(), Some("a.example"));
}

#[test]
fn nobody_speaks_for_another() {
    let request = register("a", 1, &[]);
    let number = claimed(&request);
    assert_eq!(authorised("1001", number.as_deref()), Ok(()));
    assert_eq!(authorised("1002", number.as_deref()), Err(Status(403)));
    assert_eq!(authorised("1001", None), Err(Status(403)));
}

#[test]
fn only_numbers_of_the_tenant_that_are_switched_on_can_be_registered() {
    let demo = tenant(0, "demo");
    assert_eq!(registrable(&demo, Some("1001")), Ok(()));
    for user in [Some("1009"), Some("600"), Some("7"), None] {
        assert_eq!(registrable(&demo, user), Err(Status(404)));
    }
    assert!(demo.ha1("1001", Algorithm::Md5).is_some());
    assert_eq!(demo.ha1("1001", Algorithm::Sha256), None);
    assert_eq!(demo.ha1("1009", Algorithm::Md5), None);
}

#[test]
fn guests_reach_services_from_their_network_and_nothing_else() {
    let demo = tenant(0, "demo");
    let ip = |text: &str| text.parse::<IpAddr>().expect("address");
    assert!(demo.admits_guest(ip("10.9.1.1"), "600"));
    assert!(demo.admits_guest(ip("::ffff:10.9.1.1"), "601"));
    assert!(!demo.admits_guest(ip("10.8.1.1"), "600"));
    assert!(!demo.admits_guest(ip("10.9.1.1"), "1001"));
}
