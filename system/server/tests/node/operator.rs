//! Reload, drain, commands and reads.
use crate::phone::Phone;
use crate::world::{TWO, World, status};
use bitspath_core::{Bytes, Duration};
use bitspath_server::query::Row;
use bitspath_server::{Cmd, Event, Input, Output, Query, Reply};

fn config(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn alice() -> Phone {
    Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060")
}

#[test]
fn a_bad_configuration_is_refused_and_the_old_one_stays() {
    let mut w = World::new(TWO);
    w.input(Input::Config(1, config("[listen]\nspeed = 1\n")));
    let Some(Event::ConfigRefused { generation: 1, errors }) = w.events.last() else {
        panic!("{:?}", w.events)
    };
    assert!(errors.iter().any(|e| e.starts_with("2:1: unknown key")), "{errors:?}");
    assert_eq!(status(&[alice().register(&mut w, "")]), 200);
}

#[test]
fn a_new_configuration_counts_at_once_and_registrations_keep_their_tenant() {
    let mut w = World::new(TWO);
    assert_eq!(status(&[alice().register(&mut w, "")]), 200);
    // beta now stands first, and alice has another password.
    let (head, tenants) = TWO.split_once("[[tenant]]").expect("tenants");
    let (alpha, beta) = tenants.split_once("[[tenant]]").expect("two");
    let text = format!("{head}[[tenant]]{beta}[[tenant]]{alpha}").replace("a-one", "changed");
    w.input(Input::Config(2, config(&text)));
    assert_eq!(
        w.events.last(),
        Some(&Event::ConfigLoaded { generation: 2, needs_restart: Vec::new() })
    );
    let mut old = alice();
    old.call_id.push('2');
    assert_eq!(status(&[old.register(&mut w, "")]), 403);
    let page = w.node.query(w.now, &Query::Bindings { after: None }, 10);
    let [Row::Binding { tenant, user, .. }] = &page.rows[..] else { panic!("{page:?}") };
    assert_eq!((tenant.as_str(), user.as_str()), ("alpha", "1001"));
}

#[test]
fn listeners_and_media_ports_wait_for_a_restart() {
    let mut w = World::new(TWO);
    let text = TWO
        .replace("udp = [\"0.0.0.0:5060\"]", "udp = [\"0.0.0.0:5070\"]")
        .replace("20000-20999", "30000-30999");
    w.input(Input::Config(3, config(&text)));
    let needs_restart = vec!["listen".to_owned(), "media".to_owned()];
    assert_eq!(w.events.last(), Some(&Event::ConfigLoaded { generation: 3, needs_restart }));
    let config = w.node.config().expect("alive");
    assert_eq!((config.listeners[0].bind.port(), config.media.ports.0), (5060, 20_000));
}

#[test]
fn an_unusable_start_says_why_and_stops() {
    let w = World::new("nonsense");
    assert!(matches!(&w.events[..], [Event::StartRefused { errors }] if !errors.is_empty()));
    assert!(w.stopped);
}

#[test]
fn a_draining_node_refuses_calls_serves_registrations_and_stops() {
    let mut w = World::new(TWO);
    w.input(Input::Admin(7, Cmd::Drain));
    assert!(w.outputs.contains(&Output::AdminReply(7, Reply::Done)));
    let mut alice = alice();
    assert_eq!(status(&[alice.register(&mut w, "")]), 200);
    let refused = alice.call(&mut w, "600");
    assert_eq!(status(std::slice::from_ref(&refused)), 503);
    assert_eq!(refused.header(bitspath_sip::HeaderName::RetryAfter), Some("30"));
    w.input(Input::Admin(8, Cmd::Resume));
    assert!(!w.stopped);
    // The writes of the registration are answered, then nothing is left.
    w.store();
    w.input(Input::Shutdown { now_end_calls: false });
    assert!(w.stopped);
}

#[test]
fn commands_for_nobody_say_so() {
    let mut w = World::new(TWO);
    w.input(Input::Admin(1, Cmd::HangUp { call: 99 }));
    w.input(Input::Admin(2, Cmd::Resume));
    assert!(w.outputs.contains(&Output::AdminReply(1, Reply::NotFound)));
    assert!(w.outputs.iter().any(|o| matches!(o, Output::AdminReply(2, Reply::NotNow(_)))));
}

#[test]
fn pages_of_bindings_hold_the_budget_and_miss_nobody() {
    let mut w = World::new(TWO);
    for (user, password, domain, addr) in [
        ("1001", "a-one", "alpha.example", "10.0.0.1:5060"),
        ("1002", "a-two", "alpha.example", "10.0.0.2:5060"),
        ("1001", "b-one", "beta.example", "10.0.0.3:5060"),
    ] {
        let mut p = Phone::new(user, password, domain, addr);
        assert_eq!(status(&[p.register(&mut w, "")]), 200);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = w.node.query(w.now, &Query::Bindings { after: after.clone() }, 2);
        assert!(page.rows.len() <= 2);
        seen.extend(page.rows.iter().map(|row| match row {
            Row::Binding { tenant, user, .. } => format!("{tenant}/{user}"),
            other => panic!("{other:?}"),
        }));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["alpha/1001", "alpha/1002", "beta/1001"]);
    w.advance(Duration::from_secs(40));
    w.at_rest_but(&["registrations", "bindings", "aors"]);
}
