//! Keep-alives and expiry: what the clock does to bindings.
use super::*;
use crate::binding::behind_nat;
use crate::{Act, What};
use bitspath_core::node::Audit;

/// Lets time pass to `until` as a host does; gives every act with its second.
fn pass(r: &mut Registrar, until: u64) -> Vec<(u64, Act)> {
    let mut acts = Vec::new();
    while let Some((due, _)) = r.poll_timeout().filter(|(due, _)| *due <= at(until).mono) {
        r.handle_timeout(due);
        while let Some(act) = r.poll_output() {
            acts.push((due.as_secs(), act));
        }
    }
    acts
}

fn beats(acts: &[(u64, Act)]) -> Vec<u64> {
    let beat = |(at, act): &(u64, Act)| matches!(act, Act::Keepalive(_)).then_some(*at);
    acts.iter().filter_map(beat).collect()
}

#[test]
fn a_flow_behind_nat_is_kept_alive_once_however_many_contacts_share_it() {
    let mut r = registrar();
    let demo = tenant(0, "demo");
    for (n, user) in [(1, "1001"), (2, "1002")] {
        let request = register("a", n, &["Contact: <sip:x@192.168.1.2>;expires=600"]);
        r.handle(at(0), &request, udp(1, 4444), &demo, user, true);
    }
    let acts = pass(&mut r, 599);
    let beats = beats(&acts);
    assert_eq!(beats.len(), acts.len());
    assert!((20..=30).contains(&beats.len()), "{beats:?}");
    let gaps: Vec<u64> = beats.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.iter().all(|g| (20..=31).contains(g)) && gaps.iter().any(|g| *g != gaps[0]));
    let mut audit = Audit::default();
    r.audit(&mut audit);
    assert_eq!(audit.0["kept-alive flows"], 1);
    // Both expire; the schedule ends with the last of them.
    let end = pass(&mut r, 2000);
    let expired = |(_, a): &&(u64, Act)| matches!(a, Act::Changed(c) if c.what == What::Expired);
    assert_eq!(end.iter().filter(expired).count(), 2);
    assert!(end.iter().any(|(_, a)| matches!(a, Act::Write(Write::DeleteBinding { .. }))));
    r.audit(&mut audit);
    assert_eq!(audit.alive(&[]).next(), None);
    assert_eq!(pass(&mut r, 20_000), []);
    assert_eq!(r.poll_timeout(), None);
}

#[test]
fn a_phone_that_moved_behind_its_nat_is_kept_alive_at_its_new_port_only() {
    let mut r = registrar();
    for (n, port) in [(1, 4444), (2, 5555)] {
        let request = register("a", n, &["Contact: <sip:x@192.168.1.2>;expires=600"]);
        r.handle(at(0), &request, udp(1, port), &tenant(0, "demo"), "1001", true);
    }
    let acts = pass(&mut r, 100);
    assert!(!acts.is_empty());
    assert!(acts.iter().all(|(_, a)| *a == Act::Keepalive(udp(1, 5555))), "{acts:?}");
    let request = register("a", 3, &["Contact: <sip:x@192.168.1.2>;expires=600"]);
    r.handle(at(100), &request, tcp(2), &tenant(0, "demo"), "1001", true);
    assert_eq!(beats(&pass(&mut r, 300)), []);
}

#[test]
fn a_refreshed_binding_lives_on_and_a_shortened_one_ends_in_time() {
    let mut r = registrar();
    let with = |n: u32, s: u32| register("a", n, &[&format!("Contact: <sip:1@h>;expires={s}")]);
    send(&mut r, at(0), &with(1, 7200));
    assert_eq!(pass(&mut r, 7000), []);
    send(&mut r, at(7000), &with(2, 7200));
    assert_eq!(pass(&mut r, 14_199), []);
    assert_eq!(r.len(), 1);
    send(&mut r, at(14_199), &with(3, 60));
    assert_eq!(pass(&mut r, 14_258), []);
    assert_eq!(pass(&mut r, 14_260).len(), 2);
    assert!(r.is_empty());
}

#[test]
fn phones_that_come_and_go_leave_no_deadlines_behind() {
    let mut r = registrar();
    for n in 0..5000 {
        send(&mut r, at(0), &register("a", 2 * n + 1, &["Contact: <sip:1@h>"]));
        send(&mut r, at(0), &register("a", 2 * n + 2, &["Contact: <sip:1@h>;expires=0"]));
    }
    assert!(r.is_empty());
    let frozen = bitspath_core::freeze::freeze(&r);
    assert!(frozen.0.len() < 20_000, "{} octets", frozen.0.len());
}

#[test]
fn a_phone_is_behind_nat_when_it_calls_itself_otherwise_than_we_see_it() {
    let nat = |contact: &str, flow: Flow| {
        behind_nat(&register("a", 1, &[&format!("Contact: {contact}")]), &flow)
    };
    assert!(!nat("<sip:1@10.0.0.1>", udp(1, 5060)));
    assert!(!nat("<sip:1@phone.example:5060>", udp(1, 5060)));
    assert!(nat("<sip:1@10.0.0.1>", udp(2, 5060)));
    assert!(nat("<sip:1@10.0.0.1>", udp(1, 5061)));
    assert!(nat("<sip:1@192.168.1.2>", udp(1, 5060)));
}
