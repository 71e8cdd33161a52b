//! A panic planted at every step of a call ends that call and no other — rule 5 of the house.
//! Peers hear a final answer, CANCEL or BYE; nothing is left in any table; one record says `bug`.
#![allow(clippy::expect_used, clippy::panic)]
#[path = "node/phone.rs"]
mod phone;
#[path = "containment/ua.rs"]
mod ua;
#[path = "node/world.rs"]
mod world;

use bitspath_core::store::CdrCause;
use bitspath_core::{Duration, Node as _};
use bitspath_server::{Cmd, Event, Input};
use std::sync::Once;
use ua::{OFFER, Stage, Takes};
use world::World;

const CONFIG: &str = r#"
[listen]
udp = ["0.0.0.0:5060"]
[media]
ports = "20000-20999"
[[tenant]]
name = "open"
domains = ["example.com"]
authentication = false
services = { 600 = "echo", 601 = "tone" }
[[tenant.extension]]
number = "1001"
password = "x"
[[tenant.extension]]
number = "1002"
password = "x"
[[tenant.extension]]
number = "1003"
password = "x"
"#;

type Story = fn(&mut Stage);

/// What people do; written so that it makes sense up to whatever step the call survives.
const STORIES: [(&str, Story); 9] = [
    ("talk, hold, resume, hang up", |s| {
        s.bobs(Takes::Ring);
        s.call("1002", Some(OFFER));
        s.pick_up(0);
        s.reinvite(true);
        s.reinvite(false);
        s.wait(2);
        s.bye();
    }),
    ("the callee holds and hangs up", |s| {
        s.bobs(Takes::Answer);
        s.call("1002", Some(OFFER));
        s.callee_reinvite();
        s.callee_bye();
    }),
    ("no offer in the INVITE", |s| {
        s.bobs(Takes::Answer);
        s.call("1002", None);
        s.wait(1);
        s.bye();
    }),
    ("cancelled while it rings", |s| {
        s.bobs(Takes::Ring);
        s.call("1002", Some(OFFER));
        s.cancel();
    }),
    ("nobody answers", |s| {
        s.bobs(Takes::Ring);
        s.call("1002", Some(OFFER));
        s.wait(70);
    }),
    ("busy", |s| {
        s.bobs(Takes::Busy);
        s.call("1002", Some(OFFER));
    }),
    ("two phones, one picks up", |s| {
        s.bobs(Takes::Ring);
        s.second_bob();
        s.call("1002", Some(OFFER));
        s.pick_up(1);
        s.pick_up(0);
        s.bye();
    }),
    ("the tone service, ended by the operator", |s| {
        s.call("601", Some(OFFER));
        s.reinvite(true);
        let calls = s.calls();
        for call in calls.iter().skip(1) {
            s.world.input(Input::Admin(1, Cmd::HangUp { call: *call }));
        }
        s.pump();
    }),
    ("answers that nobody acknowledges", |s| {
        s.alice.acknowledges = false;
        s.bobs(Takes::Answer);
        s.call("1002", Some(OFFER));
        s.wait(40);
    }),
];

/// Planted panics are expected; every other one is told.
fn quiet_plants() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let planted = info.payload_as_str().is_some_and(|p| p.contains("planted"));
            if !planted {
                told(info);
            }
        }));
    });
}

fn causes(w: &World) -> Vec<CdrCause> {
    let cause = |e: &Event| match e {
        Event::CallEnded { cdr, .. } => Some(cdr.cause),
        _ => None,
    };
    w.events.iter().filter_map(cause).collect()
}

/// Plays one story with a panic in the n-th step; false when the story has fewer steps.
fn play(name: &str, story: Story, plant: u64) -> bool {
    let mut stage = Stage::new(World::new(CONFIG));
    // A stranger's call, which must not notice.
    stage.bystander_calls();
    stage.world.node.plant(Some(plant));
    story(&mut stage);
    stage.settle();
    let planted = stage.world.metric("bugs_total", "") == 1;
    let bugs = stage.world.events.iter().filter(|e| matches!(e, Event::Bug { .. })).count();
    assert_eq!(bugs, usize::from(planted), "{name}, step {plant}");
    stage.world.node.plant(None);

    assert_eq!(stage.calls().len(), 1, "{name}, step {plant}: the bystander talks on");
    let ended = causes(&stage.world);
    assert_eq!(ended.len(), 1, "{name}, step {plant}: {ended:?}");
    if planted {
        // Unless the record was closed before: then it stands as it was written.
        let bug = ended == [CdrCause::Bug];
        assert!(bug || ended[0] != CdrCause::Open, "{name}, step {plant}: {ended:?}");
    }
    stage.alice.assert_answered(&format!("{name}, step {plant}"));
    stage.assert_hung_up(&format!("{name}, step {plant}"));
    stage.bystander_hangs_up();
    stage.settle();
    assert_eq!(causes(&stage.world).last(), Some(&CdrCause::CallerHungUp));
    stage.world.store();
    let audit = stage.world.node.audit();
    let left: Vec<_> =
        audit.alive(&["registrations", "bindings", "aors", "kept-alive flows"]).collect();
    assert!(left.is_empty(), "{name}, step {plant}: {left:?}");
    planted
}

#[test]
fn a_panic_at_any_step_ends_that_call_only_and_leaves_nothing() {
    quiet_plants();
    let mut steps = 0;
    for (name, story) in STORIES {
        let mut plant = 0;
        while play(name, story, plant) {
            plant += 1;
            assert!(plant < 500, "{name} never ends");
        }
        assert!(plant >= 2, "{name}: only {plant} steps");
        steps += plant;
    }
    println!("{steps} steps, each with a panic");
    assert!(steps > 60, "{steps} steps were tried");
}

#[test]
fn two_calls_buried_at_once_leave_nothing_either() {
    quiet_plants();
    let mut stage = Stage::new(World::new(CONFIG));
    stage.bobs(Takes::Answer);
    for _ in 0..3 {
        stage.world.node.plant(Some(2));
        stage.alice.next_call();
        stage.call("1002", Some(OFFER));
        stage.wait(Duration::from_secs(3).as_secs());
    }
    stage.settle();
    assert_eq!(causes(&stage.world), [CdrCause::Bug; 3]);
    stage.world.at_rest_but(&["registrations", "bindings", "aors", "kept-alive flows"]);
}
