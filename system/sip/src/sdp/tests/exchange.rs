//! Offers and answers: what is acceptable, what services choose, whose turn it is.
use super::*;

#[test]
fn addresses_stand_at_session_or_media_level_and_rtcp_may_be_elsewhere() {
    let s = offer(
        "m=audio 4000 RTP/AVP 0\r\n\
         m=audio 4010 RTP/AVP 0\r\nc=IN IP4 10.0.0.12\r\na=rtcp:53020\r\n\
         m=audio 4020 RTP/AVP 0\r\na=rtcp:53020 IN IP4 126.16.64.4\r\n\
         m=audio 0 RTP/AVP 0\r\n\
         m=audio 65535 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127/3\r\n",
    );
    let rtp = |n: usize| s.media[n].remote_rtp(&s).map(|a| a.to_string());
    let rtcp = |n: usize| s.media[n].remote_rtcp(&s).map(|a| a.to_string());
    assert_eq!(
        (rtp(0).as_deref(), rtcp(0).as_deref()),
        (Some("10.0.0.11:4000"), Some("10.0.0.11:4001"))
    );
    assert_eq!(
        (rtp(1).as_deref(), rtcp(1).as_deref()),
        (Some("10.0.0.12:4010"), Some("10.0.0.12:53020"))
    );
    assert_eq!(rtcp(2).as_deref(), Some("126.16.64.4:53020"));
    assert_eq!((rtp(3), rtcp(3)), (None, None));
    assert_eq!((rtp(4), rtcp(4)), (None, None));
}

//= RFC 3264 §6 type=test
#[test]
fn an_offer_is_declined_for_its_media_its_profile_or_its_codecs() {
    let verdict = |text: &str| acceptable(&offer(text));
    assert_eq!(verdict("m=audio 4000 RTP/AVP 0\r\n"), Ok(()));
    assert_eq!(verdict("m=audio 4000 RTP/AVPF 96\r\na=rtpmap:96 opus/48000/2\r\n"), Ok(()));
    assert_eq!(verdict(""), Err(Refusal::NoAudio));
    assert_eq!(verdict("m=video 4000 RTP/AVP 31\r\n"), Err(Refusal::NoAudio));
    assert_eq!(verdict("m=audio 0 RTP/AVP 0\r\n"), Err(Refusal::NoAudio));
    assert_eq!(verdict("m=audio 4000 RTP/SAVP 0\r\n"), Err(Refusal::Profile));
    assert_eq!(verdict("m=audio 4000 RTP/SAVPF 0\r\n"), Err(Refusal::Profile));
    assert_eq!(verdict("m=audio 4000 RTP/SAVP 0\r\nm=audio 4002 RTP/AVP 0\r\n"), Ok(()));
    let events = "m=audio 4000 RTP/AVP 101 13 99\r\na=rtpmap:101 telephone-event/8000\r\n";
    assert_eq!(verdict(events), Err(Refusal::NoCodec));
}

//= RFC 3264 §6.1 type=test
#[test]
fn a_service_answers_the_callers_first_common_codec_and_refuses_the_rest() {
    let asked = offer(
        "m=video 4002 RTP/AVP 31\r\n\
         m=audio 4000 RTP/AVPF 9 8 0 97 98\r\na=rtpmap:97 telephone-event/16000\r\n\
         a=rtpmap:98 telephone-event/8000\r\na=ptime:40\r\na=sendonly\r\n\
         m=audio 4004 RTP/AVP 0\r\n",
    );
    let mut origin = OwnOrigin::new(8);
    let (answer, chosen) =
        answer_for_service(&asked, &["PCMU", "PCMA"], ours(), 20_000, &mut origin).expect("PCMA");
    assert_eq!(
        (chosen.media, chosen.pt, chosen.telephone_event, chosen.ptime),
        (1, 8, Some(98), 40)
    );
    assert_eq!(chosen.direction, Direction::RecvOnly);
    let want = "o=- 2 1 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\n\
                m=video 0 RTP/AVP 31\r\nm=audio 20000 RTP/AVPF 8 98\r\na=rtpmap:8 PCMA/8000\r\n\
                a=rtpmap:98 telephone-event/8000\r\na=fmtp:98 0-15\r\na=ptime:40\r\na=recvonly\r\n\
                m=audio 0 RTP/AVP 0\r\n";
    assert!(answer.to_string().ends_with(want), "{answer}");
    assert_eq!(check_answer(&asked, &answer), Ok(()));
}

#[test]
fn without_a_common_codec_a_service_declines() {
    let asked = offer("m=audio 4000 RTP/AVP 18 3\r\n");
    let got = answer_for_service(&asked, &["PCMU", "PCMA"], ours(), 20_000, &mut OwnOrigin::new(8));
    assert_eq!(got.map(|(_, c)| c.pt), Err(Refusal::NoCodec));
    assert_eq!(
        (Refusal::NoCodec.status(), Refusal::NoCodec.warning().0),
        (crate::Status(488), 305)
    );
}

#[test]
fn a_delayed_offer_is_ours_and_its_answer_chooses() {
    let mut origin = OwnOrigin::new(8);
    let out = offer_for_delayed(ours(), 20_000, &[0, 8], &mut origin);
    assert_eq!(acceptable(&out), Ok(()));
    assert_eq!(out.media[0].formats, ["0", "8", "101"]);
    let reply = offer("m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    let chosen = chosen_by_answer(&reply, &["PCMU", "PCMA"]).expect("PCMA");
    assert_eq!((chosen.pt, chosen.telephone_event, chosen.ptime), (8, Some(101), 20));
    let off = offer("m=audio 0 RTP/AVP 8\r\n");
    assert_eq!(chosen_by_answer(&off, &["PCMU"]), None);
}

#[test]
fn an_offer_out_of_turn_is_glare_or_too_early() {
    let s = offer("m=audio 4000 RTP/AVP 0\r\n");
    let mut leg = OfferAnswer::default();
    assert_eq!(leg.answer_received(s.clone(), true), Err(Violation::NoOffer));
    leg.offer_sent(s.clone()).expect("free");
    assert_eq!(leg.offer_received(s.clone()).map_err(Violation::status), Err(crate::Status(491)));
    leg.withdraw();
    leg.offer_received(s.clone()).expect("free again");
    assert_eq!(leg.offer_received(s.clone()).map_err(Violation::status), Err(crate::Status(500)));
    assert_eq!(leg.offer_sent(s), Err(Violation::TheirsPending));
    assert_eq!(leg.agreed(), None);
}

#[test]
fn an_early_answer_is_used_but_the_final_one_settles_and_failure_keeps_the_old_session() {
    let (mine, early) = (offer("m=audio 1 RTP/AVP 0\r\n"), offer("m=audio 2 RTP/AVP 0\r\n"));
    let last = offer("m=audio 3 RTP/AVP 0\r\n");
    let mut leg = OfferAnswer::default();
    leg.offer_sent(mine.clone()).expect("free");
    leg.answer_received(early.clone(), false).expect("fits");
    assert_eq!((leg.remote(), leg.agreed()), (Some(&early), None));
    leg.answer_received(last.clone(), true).expect("fits");
    assert_eq!((leg.local(), leg.remote()), (Some(&mine), Some(&last)));
    leg.offer_sent(early).expect("free");
    let two = offer("m=audio 2 RTP/AVP 0\r\nm=audio 4 RTP/AVP 0\r\n");
    let refused = leg.answer_received(two, true);
    assert_eq!(refused, Err(Violation::Mismatch(Mismatch::Count)));
    leg.withdraw();
    assert_eq!((leg.local(), leg.remote()), (Some(&mine), Some(&last)));
}

#[test]
fn an_answer_without_the_last_streams_has_refused_them() {
    let both = offer("m=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 31\r\n");
    let mut leg = OfferAnswer::default();
    leg.offer_sent(both).expect("free");
    leg.answer_received(offer("m=audio 3 RTP/AVP 0\r\n"), true).expect("fits");
    let remote = leg.remote().expect("agreed");
    assert_eq!(remote.media[1].to_string(), "video 0 RTP/AVP 31");
}

proptest! {
    /// The machine against a model of two booleans: no order of calls confuses it.
    #[test]
    fn the_machine_is_stable_or_has_one_offer_pending(
        calls in prop::collection::vec(0u8..5, 0..40),
    ) {
        let s = offer("m=audio 4000 RTP/AVP 0\r\n");
        let (mut leg, mut pending) = (OfferAnswer::default(), None::<bool>);
        for call in calls {
            let (done, want) = match call {
                0 => (leg.offer_sent(s.clone()).is_ok(), pending.is_none()),
                1 => (leg.offer_received(s.clone()).is_ok(), pending.is_none()),
                2 => (leg.answer_received(s.clone(), true).is_ok(), pending == Some(true)),
                3 => (leg.answer_sent(s.clone(), true).is_ok(), pending == Some(false)),
                _ => { leg.withdraw(); (true, true) }
            };
            prop_assert_eq!(done, want);
            if done {
                pending = match call { 0 => Some(true), 1 => Some(false), _ => None };
            }
        }
    }
}
