//! INVITE without an offer: the offer comes in a 2xx, its answer in the ACK.
use super::rig::{ANSWER, OFFER, Rig, ring, text};
use crate::call::State;
use crate::effect::LegId;
use crate::facts::{Route, Service};
use bitspath_core::store::CdrCause;
use bitspath_media::{Cmd, Sink};
use bitspath_sip::Method;

const BOB: LegId = LegId(1);

#[test]
fn the_callees_offer_goes_out_in_our_200_and_the_answer_in_both_acks() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(None);
    assert!(rig.first_invite(BOB).is_some_and(|a| a.out.body.is_none()));
    rig.reply(BOB, 183, Some(OFFER));
    assert_eq!(rig.body(txn), "", "an offer in an unreliable response is none");
    rig.reply(BOB, 200, Some(OFFER));
    assert!(rig.body(txn).contains("m=audio 10000 RTP/AVP 0 8"), "{}", rig.body(txn));
    assert!(rig.acks.is_empty() && rig.open.is_empty());
    rig.ack(LegId::CALLER, Some(ANSWER));
    let (_, ack) = rig.acks.first().expect("the ACK to bob");
    assert!(text(&ack.body).contains("m=audio 10002 RTP/AVP 0"), "{}", text(&ack.body));
    assert_eq!(rig.open.len(), 2);
    rig.request(LegId::CALLER, "BYE", None);
    rig.confirm_rest();
    rig.closed(0, 1);
    rig.closed(1, 1);
    rig.assert_at_rest();
}

#[test]
fn an_ack_without_the_answer_ends_the_call() {
    let mut rig = Rig::new(ring(1));
    rig.start(None);
    rig.reply(BOB, 200, Some(OFFER));
    rig.ack(LegId::CALLER, None);
    let (_, ack) = rig.acks.first().expect("the ACK to bob");
    assert!(text(&ack.body).contains("m=audio 0 "), "every stream refused: {}", text(&ack.body));
    assert_eq!(rig.asked.iter().filter(|a| a.out.method == Method::Bye).count(), 2);
    assert_eq!(rig.cause(), CdrCause::NotAcceptable);
    rig.confirm_rest();
    rig.assert_at_rest();
}

#[test]
fn a_callee_that_offers_nothing_is_left_and_the_caller_hears_500() {
    let mut rig = Rig::new(ring(1));
    let txn = rig.start(None);
    rig.reply(BOB, 200, None);
    assert_eq!(rig.statuses(txn), [100, 500]);
    assert_eq!(rig.acks.len(), 1);
    rig.confirm_rest();
    rig.assert_at_rest();
}

#[test]
fn the_callee_hangs_up_before_the_answer_and_still_gets_its_ack() {
    let mut rig = Rig::new(ring(1));
    rig.start(None);
    rig.reply(BOB, 200, Some(OFFER));
    rig.request(BOB, "BYE", None);
    assert_eq!(rig.acks.len(), 1);
    rig.ack(LegId::CALLER, Some(ANSWER));
    rig.confirm_rest();
    rig.assert_at_rest();
}

//= RFC 3261 §13.2.1 type=test
#[test]
fn a_service_offers_by_itself() {
    let mut rig = Rig::new(Route::Service(Service::Tone));
    let txn = rig.start(None);
    assert!(rig.body(txn).contains("m=audio 10000 RTP/AVP 0 8"));
    assert!(rig.open.is_empty());
    rig.ack(LegId::CALLER, Some(&ANSWER.replace("RTP/AVP 0", "RTP/AVP 8")));
    assert_eq!(rig.call.state(), State::Up);
    let Some(Cmd::Link { sink: Sink::Tone { pt: 8, .. }, .. }) = rig.media.last() else {
        panic!("{:?}", rig.media)
    };
    rig.request(LegId::CALLER, "BYE", None);
    rig.closed(0, 1);
    rig.assert_at_rest();
}
