//! A session that changes: hold, resume, glare, refusals, CANCEL of a re-INVITE.
use super::rig::{ANSWER, HELD, HOLD, OFFER, Rig, text};
use crate::call::{Failure, State};
use crate::effect::LegId;
use crate::facts::{Route, Service};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use bitspath_core::store::CdrCause;
use bitspath_media::Cmd;
use bitspath_sip::Method;
use bitspath_sip::wire::HeaderName;

const ALICE: LegId = LegId::CALLER;
const BOB: LegId = LegId(1);

#[test]
fn hold_passes_through_and_moves_both_streams() {
    let (mut rig, first) = Rig::up(1);
    let version = |sdp: &str| sdp.lines().find_map(|l| l.strip_prefix("o=")).map(String::from);
    let before = version(&rig.body(first));
    let txn = rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
    let ask = rig.asked.last().expect("a re-INVITE").clone();
    assert_eq!((ask.leg, ask.out.method), (BOB, Method::Invite));
    assert!(text(&ask.out.body).contains("a=sendonly"));
    assert_eq!(ask.out.uri, "sip:bob1@10.0.0.12", "to the Contact of bob's 200");
    rig.reply(BOB, 200, Some(HELD));
    assert_eq!(rig.statuses(txn), [200]);
    assert!(rig.body(txn).contains("a=recvonly"));
    assert_ne!(version(&rig.body(txn)), before, "a changed session has a new version");
    rig.ack(ALICE, None);
    let modified: Vec<(bool, bool)> = rig
        .media
        .iter()
        .filter_map(|c| match c {
            Cmd::Modify { cfg, .. } => Some((cfg.send, cfg.receive)),
            _ => None,
        })
        .collect();
    // Nothing goes to alice, who speaks; bob hears and is not heard.
    assert_eq!(modified, [(false, true), (true, false)]);
    let txn = rig.request(ALICE, "INVITE", Some(OFFER)).expect("a dialog");
    rig.reply(BOB, 200, Some(ANSWER));
    assert_eq!(rig.statuses(txn), [200]);
}

#[test]
fn the_callee_may_change_the_session_too_and_without_an_offer() {
    let (mut rig, _) = Rig::up(1);
    let txn = rig.request(BOB, "INVITE", None).expect("a dialog");
    assert_eq!(rig.asked.last().map(|a| (a.leg, a.out.body.is_none())), Some((ALICE, true)));
    rig.reply(ALICE, 200, Some(OFFER));
    assert!(rig.body(txn).contains("m=audio 10002"));
    let acks = rig.acks.len();
    rig.ack(BOB, Some(ANSWER));
    let (leg, ack) = rig.acks.last().expect("an ACK");
    assert_eq!((rig.acks.len(), *leg), (acks + 1, ALICE));
    assert!(text(&ack.body).contains("m=audio 10000"));
    assert_eq!(rig.call.state(), State::Up);
}

//= RFC 3261 §14.2 type=test
#[test]
fn glare_is_491_and_a_second_invite_500_with_a_time() {
    let (mut rig, _) = Rig::up(1);
    let first = rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
    let glare = rig.request(BOB, "INVITE", Some(HELD)).expect("a dialog");
    let second = rig.request(ALICE, "INVITE", Some(OFFER)).expect("a dialog");
    assert_eq!((rig.statuses(glare), rig.statuses(second)), (vec![491], vec![500]));
    assert!(rig.heard[&second][0].extra.iter().any(|(n, _)| *n == HeaderName::RetryAfter));
    rig.reply(BOB, 200, Some(HELD));
    assert_eq!(rig.statuses(first), [200]);
}

//= RFC 3261 §14.1 type=test
#[test]
fn a_refused_change_leaves_the_session_as_it_was() {
    for (said, heard) in [(488, 488), (491, 491), (500, 500), (401, 403), (415, 488)] {
        let (mut rig, _) = Rig::up(1);
        let media = rig.media.len();
        let txn = rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
        rig.reply(BOB, said, None);
        assert_eq!(rig.statuses(txn), [heard], "bob said {said}");
        assert_eq!((rig.call.state(), rig.media.len()), (State::Up, media));
    }
}

//= RFC 3261 §14.1 type=test
#[test]
fn a_peer_that_lost_the_dialog_ends_the_call() {
    let (mut rig, _) = Rig::up(1);
    let txn = rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
    rig.reply(BOB, 481, None);
    assert_eq!(rig.statuses(txn), [481]);
    rig.confirm_rest();
    rig.closed(0, 1);
    rig.closed(1, 1);
    rig.assert_at_rest();
    assert_eq!(rig.cause(), CdrCause::CalleeHungUp);

    let (mut rig, _) = Rig::up(1);
    rig.request(BOB, "INVITE", Some(HOLD));
    let n = rig.asked.len() - 1;
    rig.failed(n, Failure::Timeout);
    rig.confirm_rest();
    rig.fire();
    rig.assert_at_rest();
    assert_eq!(rig.cause(), CdrCause::Timeout);
}

//= RFC 3261 §12.2.1.2 type=test
#[test]
fn the_2xx_to_a_change_moves_where_the_next_request_goes() {
    let (mut rig, _) = Rig::up(1);
    rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
    let n = rig.asked.len() - 1;
    assert_eq!(rig.asked[n].out.uri, "sip:bob1@10.0.0.12");
    rig.reply_to(n, 200, "moved", Some(HELD));
    rig.ack(ALICE, None);
    rig.request(ALICE, "BYE", None).expect("a dialog");
    let bye = rig.asked.last().expect("a BYE");
    assert_eq!((bye.out.method, &*bye.out.uri), (Method::Bye, "sip:moved@10.0.0.12"));
}

//= RFC 3261 §15.1.1 type=test
#[test]
fn a_leg_is_down_whatever_is_said_to_its_bye() {
    for answer in [Some(200), Some(408), Some(481), Some(503), None] {
        let (mut rig, _) = Rig::up(1);
        rig.request(ALICE, "BYE", None).expect("a dialog");
        assert!(rig.wills.is_empty(), "the session ended when the BYE was sent");
        let n = rig.asked.len() - 1;
        match answer {
            Some(status) => rig.reply_to(n, status, "any", None),
            None => rig.failed(n, Failure::Timeout),
        }
        rig.closed(0, 1);
        rig.closed(1, 1);
        rig.assert_at_rest();
        assert_eq!(rig.asked.len(), n + 1, "and nothing more is asked: {answer:?}");
    }
}

#[test]
fn a_cancelled_change_is_487_and_the_late_2xx_is_acknowledged() {
    let (mut rig, _) = Rig::up(1);
    let txn = rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
    rig.cancel(txn);
    assert_eq!(rig.statuses(txn), [487]);
    assert!(rig.asked.last().is_some_and(|a| a.cancelled));
    let acks = rig.acks.len();
    rig.reply(BOB, 200, Some(HELD));
    assert_eq!((rig.acks.len(), rig.call.state()), (acks + 1, State::Up));
}

//= RFC 3261 §15.1.2 type=test
#[test]
fn bye_during_a_change_answers_everything() {
    for who in [ALICE, BOB] {
        let (mut rig, _) = Rig::up(1);
        let change = rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
        let bye = rig.request(who, "BYE", None).expect("a dialog");
        assert_eq!((rig.statuses(change), rig.statuses(bye)), (vec![487], vec![200]));
        rig.reply(BOB, 487, None);
        rig.confirm_rest();
        rig.closed(0, 1);
        rig.closed(1, 1);
        rig.assert_at_rest();
    }
}

//= RFC 3261 §8.2.1 type=test
#[test]
fn only_what_works_is_allowed_inside_a_dialog() {
    let (mut rig, _) = Rig::up(1);
    for (method, status) in
        [("OPTIONS", 200), ("INFO", 405), ("UPDATE", 405), ("REFER", 405), ("FROB", 501)]
    {
        let txn = rig.request(ALICE, method, None).expect("a dialog");
        assert_eq!(rig.statuses(txn), [status], "{method}");
        assert!(rig.heard[&txn][0].extra.iter().any(|(n, _)| *n == HeaderName::Allow));
    }
}

#[test]
fn a_service_is_changed_by_itself() {
    let mut rig = Rig::new(Route::Service(Service::Echo));
    rig.start(Some(OFFER));
    rig.ack(ALICE, None);
    let txn = rig.request(ALICE, "INVITE", Some(HOLD)).expect("a dialog");
    assert_eq!(rig.statuses(txn), [200]);
    assert!(rig.body(txn).contains("a=recvonly"));
    rig.ack(ALICE, None);
    let txn = rig.request(ALICE, "INVITE", Some(&OFFER.replace("RTP/AVP 0 8", "RTP/AVP 18")));
    assert_eq!(rig.statuses(txn.expect("a dialog")), [488]);
    assert_eq!(rig.call.state(), State::Up);
}
