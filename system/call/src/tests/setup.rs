//! From INVITE to answer, refusal, CANCEL and hang-up.
use super::rig::{ANSWER, OFFER, Rig, ring, text};
use crate::call::{Failure, State};
use crate::effect::LegId;
use crate::facts::{Route, Service};
use alloc::vec;
use alloc::vec::Vec;
use bitspath_core::Duration;
use bitspath_core::store::CdrCause;
use bitspath_media::{Cmd, Sink};
use bitspath_sip::wire::HeaderName;
use bitspath_sip::{Method, Status};

const BOB: LegId = LegId(1);

//= RFC 3261 §16.6 type=test
#[test]
fn nothing_of_the_callers_leg_crosses_but_names_numbers_and_the_session() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(Some(OFFER));
    let ask = rig.first_invite(BOB).expect("an INVITE").out;
    assert_eq!(rig.statuses(txn), [100]);
    assert_eq!(ask.uri, "sip:bob@10.0.0.12;ob=x");
    assert_ne!(ask.call_id, "call-a");
    assert_eq!(ask.max_forwards, 69);
    assert!(ask.from.starts_with("\"Alice A\" <sip:alice@demo.example>;tag=00"), "{}", ask.from);
    assert_eq!(ask.to, "<sip:bob@demo.example>");
    assert!(ask.contact.as_ref().is_some_and(|c| c.ends_with("@192.0.2.1:5060;transport=tcp>")));
    let names: Vec<HeaderName> = ask.extra.iter().map(|(n, _)| *n).collect();
    assert_eq!(names, [HeaderName::Allow]);
    let sdp = text(&ask.body);
    assert!(sdp.contains("c=IN IP4 192.0.2.1") && sdp.contains("m=audio 10002 RTP/AVP 0 8"));
    assert!(!sdp.contains("10.0.0.11"), "{sdp}");
}

#[test]
fn a_call_rings_is_answered_and_hung_up_by_the_caller() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(Some(OFFER));
    rig.reply(BOB, 180, None);
    rig.advance(Duration::from_secs(3));
    rig.reply(BOB, 200, Some(ANSWER));
    assert_eq!(rig.statuses(txn), [100, 180, 200]);
    assert!(rig.body(txn).contains("m=audio 10000 RTP/AVP 0"), "{}", rig.body(txn));
    assert_eq!((rig.acks.len(), rig.rows.len(), rig.open.len()), (1, 1, 2));
    rig.ack(LegId::CALLER, None);
    rig.advance(Duration::from_secs(10));
    let bye = rig.request(LegId::CALLER, "BYE", None).expect("a dialog");
    assert_eq!(rig.statuses(bye), [200]);
    assert_eq!(rig.asked.last().map(|a| a.out.method), Some(Method::Bye));
    rig.closed(0, 500);
    rig.closed(1, 490);
    rig.confirm_rest();
    rig.assert_at_rest();
    let row = rig.rows.last().expect("a record");
    assert_eq!((row.cause, row.billed), (CdrCause::CallerHungUp, Duration::from_secs(10)));
    assert_eq!((row.packets, row.status), ([500, 490], 200));
}

#[test]
fn the_record_waits_one_second_for_statistics_and_no_longer() {
    let (mut rig, _) = Rig::up(1);
    rig.request(BOB, "BYE", None);
    assert_eq!(rig.rows.len(), 1);
    let before = rig.now.mono;
    rig.fire();
    assert_eq!(rig.now.mono.since(before), Duration::from_secs(1));
    assert_eq!(rig.cause(), CdrCause::CalleeHungUp);
    rig.closed(0, 3);
    rig.confirm_rest();
    rig.assert_at_rest();
}

#[test]
fn early_media_is_open_before_the_answer() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(Some(OFFER));
    rig.reply(BOB, 183, Some(ANSWER));
    assert_eq!(rig.statuses(txn), [100, 183]);
    assert!(rig.body(txn).contains("m=audio 10000"));
    assert!(matches!(
        rig.media[..],
        [Cmd::Open { .. }, Cmd::Open { .. }, Cmd::Link { .. }, Cmd::Link { .. }]
    ));
    let said = rig.media.len();
    // The 200 without a body: its answer stood in the 183.
    rig.reply(BOB, 200, None);
    assert!(rig.body(txn).contains("m=audio 10000"));
    assert_eq!(rig.media.len(), said);
}

#[test]
fn a_cancelled_caller_hears_487_and_the_callee_is_cancelled() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(Some(OFFER));
    rig.reply(BOB, 180, None);
    rig.cancel(txn);
    assert_eq!(rig.statuses(txn), [100, 180, 487]);
    assert!(rig.asked[0].cancelled);
    assert_eq!(rig.cause(), CdrCause::Cancelled);
    assert!(!rig.gone, "the callee still owes its 487");
    rig.reply(BOB, 487, None);
    rig.assert_at_rest();
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(Some(OFFER));
    rig.reply(BOB, 180, None);
    rig.cancel(txn);
    rig.reply(BOB, 200, Some(ANSWER));
    assert_eq!(rig.statuses(txn), [100, 180, 487]);
    assert_eq!(rig.acks.len(), 1);
    assert_eq!(rig.asked.last().map(|a| a.out.method), Some(Method::Bye));
    rig.confirm_rest();
    rig.assert_at_rest();
}

#[test]
fn nobody_answers_in_the_ring_time_is_480_and_no_answer() {
    let mut rig = Rig::new(ring(2));
    let txn = rig.start(Some(OFFER));
    rig.reply(BOB, 180, None);
    rig.fire();
    assert_eq!(rig.statuses(txn), [100, 180, 480]);
    assert!(rig.asked.iter().all(|a| a.cancelled));
    assert_eq!(rig.cause(), CdrCause::NoAnswer);
    rig.reply(BOB, 487, None);
    rig.reply(LegId(2), 487, None);
    rig.assert_at_rest();
}

#[test]
fn refusals_of_the_callee_reach_the_caller_as_they_should() {
    let table = [
        (486, 486, CdrCause::Busy),
        (600, 600, CdrCause::Busy),
        (603, 603, CdrCause::Declined),
        (404, 404, CdrCause::NotFound),
        (480, 480, CdrCause::Unavailable),
        (488, 488, CdrCause::NotAcceptable),
        (401, 480, CdrCause::Unavailable),
        (302, 480, CdrCause::Unavailable),
        (420, 480, CdrCause::Unavailable),
        (503, 500, CdrCause::Unavailable),
        (500, 500, CdrCause::Unavailable),
    ];
    for (said, heard, cause) in table {
        let mut rig = Rig::new(ring(1));
        let txn = rig.start(Some(OFFER));
        rig.reply(BOB, said, None);
        assert_eq!(rig.statuses(txn), [100, heard], "callee said {said}");
        assert_eq!(rig.cause(), cause);
        rig.assert_at_rest();
    }
}

#[test]
fn an_unreachable_callee_is_480_and_a_silent_one_408() {
    for (why, heard) in [(Failure::Transport, 480), (Failure::Timeout, 408), (Failure::Full, 500)] {
        let mut rig = Rig::new(ring(1));
        let txn = rig.start(Some(OFFER));
        rig.failed(0, why);
        assert_eq!(rig.statuses(txn), [100, heard]);
        rig.assert_at_rest();
    }
}

#[test]
fn the_first_of_several_phones_wins_and_the_rest_are_cancelled() {
    let mut rig = Rig::new(ring(3));
    let txn = rig.start(Some(OFFER));
    rig.reply(LegId(2), 180, None);
    rig.reply(LegId(3), 180, None);
    rig.reply(LegId(1), 486, None);
    rig.reply(LegId(2), 200, Some(ANSWER));
    assert_eq!(rig.statuses(txn), [100, 180, 200]);
    assert_eq!(rig.asked.iter().map(|a| a.cancelled).collect::<Vec<_>>(), [false, false, true]);
    // The third picks up all the same.
    rig.reply(LegId(3), 200, Some(ANSWER));
    assert_eq!(rig.acks.len(), 2);
    let bye = rig.asked.last().expect("a request");
    assert_eq!((bye.leg, bye.out.method), (LegId(3), Method::Bye));
    assert_eq!(rig.call.state(), State::Up);
    rig.ack(LegId::CALLER, None);
    rig.request(LegId(2), "BYE", None);
    rig.confirm_rest();
    rig.closed(0, 1);
    rig.closed(1, 1);
    rig.assert_at_rest();
}

//= RFC 3261 §16.7 type=test
#[test]
fn of_several_refusals_the_caller_hears_the_best() {
    let mut rig = Rig::new(ring(3));
    let txn = rig.start(Some(OFFER));
    rig.reply(LegId(1), 503, None);
    rig.reply(LegId(2), 486, None);
    assert_eq!(rig.statuses(txn), [100]);
    rig.reply(LegId(3), 408, None);
    assert_eq!(rig.statuses(txn), [100, 486]);
    rig.assert_at_rest();

    let mut rig = Rig::new(ring(2));
    let txn = rig.start(Some(OFFER));
    rig.reply(LegId(1), 603, None);
    assert_eq!(rig.statuses(txn), [100, 603]);
    rig.reply(LegId(2), 487, None);
    rig.assert_at_rest();
}

#[test]
fn without_ports_the_call_is_refused_with_503_and_a_time() {
    let mut rig = Rig::new(ring(1));
    rig.ports.truncate(1);
    let txn = rig.start(Some(OFFER));
    let refusal = &rig.heard[&txn][0];
    assert_eq!(refusal.status, Status::SERVICE_UNAVAILABLE);
    assert!(refusal.extra.iter().any(|(n, _)| *n == HeaderName::RetryAfter));
    rig.assert_at_rest();
}

#[test]
fn an_offer_that_cannot_be_carried_is_refused_by_its_kind() {
    let savp = OFFER.replace("RTP/AVP", "RTP/SAVP");
    for (body, status) in [(savp.as_str(), 488), ("nonsense", 400)] {
        for route in [ring(1), Route::Service(Service::Echo)] {
            let mut rig = Rig::new(route);
            let txn = rig.start(Some(body));
            assert_eq!(rig.statuses(txn), [status]);
            rig.assert_at_rest();
        }
    }
}

#[test]
fn a_plan_that_refuses_leaves_one_record() {
    let mut rig = Rig::new(Route::Refuse(Status::NOT_FOUND));
    let txn = rig.start(Some(OFFER));
    assert_eq!(rig.statuses(txn), [404]);
    assert_eq!(rig.cause(), CdrCause::NotFound);
    rig.assert_at_rest();
}

#[test]
fn echo_and_tone_answer_at_once_and_feed_the_stream() {
    for (service, tone) in [(Service::Echo, false), (Service::Tone, true)] {
        let mut rig = Rig::new(Route::Service(service));
        let txn = rig.start(Some(OFFER));
        assert_eq!(rig.statuses(txn), [200]);
        rig.ack(LegId::CALLER, None);
        let Some(Cmd::Link { sink, .. }) = rig.media.last() else { panic!("{:?}", rig.media) };
        assert_eq!(matches!(sink, Sink::Tone { pt: 0, ptime_ms: 20, .. }), tone);
        rig.request(LegId::CALLER, "BYE", None);
        rig.closed(0, 50);
        rig.assert_at_rest();
        assert_eq!(rig.rows.last().map(|r| r.packets), Some([50, 0]));
    }
}

#[test]
fn a_2xx_is_repeated_until_its_ack_and_given_up_with_bye() {
    let mut rig = Rig::new(ring(1));
    rig.start(Some(OFFER));
    rig.reply(BOB, 200, Some(ANSWER));
    let from = rig.now.mono;
    while rig.call.state() == State::Up && rig.fire() {}
    assert_eq!(rig.now.mono.since(from), Duration::from_secs(32));
    assert!(rig.repeats >= 9, "{}", rig.repeats);
    let byes = rig.asked.iter().filter(|a| a.out.method == Method::Bye).count();
    assert_eq!(byes, 2, "both sides hear a BYE");
    rig.confirm_rest();
    rig.fire();
    assert_eq!(rig.cause(), CdrCause::Timeout);
    rig.assert_at_rest();
}

//= RFC 3261 §15 type=test
#[test]
fn no_bye_goes_to_a_caller_whose_ack_is_on_its_way() {
    let mut rig = Rig::new(ring(1));
    rig.start(Some(OFFER));
    rig.reply(BOB, 200, Some(ANSWER));
    rig.request(BOB, "BYE", None);
    assert!(rig.asked.iter().all(|a| a.out.method != Method::Bye));
    rig.ack(LegId::CALLER, None);
    assert_eq!(rig.asked.last().map(|a| a.out.method), Some(Method::Bye));
    rig.confirm_rest();
    rig.closed(0, 0);
    rig.closed(1, 0);
    rig.assert_at_rest();
}

#[test]
fn a_fork_beyond_us_that_lost_is_acknowledged_and_ended() {
    let (mut rig, _) = Rig::up(1);
    rig.reply_to(0, 200, "somebody-else", Some(ANSWER));
    assert_eq!(rig.acks.len(), 2);
    let bye = rig.asked.last().expect("a BYE");
    assert_eq!(bye.out.method, Method::Bye);
    assert!(bye.out.to.ends_with(";tag=somebody-else"));
    assert_eq!(rig.call.state(), State::Up);
}

#[test]
fn a_caller_may_give_up_with_bye_before_the_answer() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(Some(OFFER));
    let bye = rig.request(LegId::CALLER, "BYE", None).expect("a dialog");
    assert_eq!((rig.statuses(bye), rig.statuses(txn)), (vec![200], vec![100, 487]));
    rig.reply(BOB, 487, None);
    rig.assert_at_rest();
    assert_eq!(rig.cause(), CdrCause::Cancelled);
}
