//! What crosses from one leg to another, and what must not.
use super::*;

fn lowered(session: &Session) -> String {
    session.to_string().to_ascii_lowercase()
}

/// Addresses as the source names them: literals, names, and those inside attributes.
fn addresses(session: &Session) -> Vec<String> {
    let mut all = vec![session.origin.connection.address.clone()];
    all.extend(session.connection.iter().map(|c| c.address.clone()));
    all.extend(session.media.iter().flat_map(|m| &m.connections).map(|c| c.address.clone()));
    let inner = session.media.iter().flat_map(|m| &m.attributes).chain(&session.attributes);
    for a in inner.filter(|a| a.is("rtcp") || a.is("candidate")) {
        all.extend(a.value().split(' ').filter(|w| w.parse::<IpAddr>().is_ok()).map(String::from));
    }
    all
}

proptest! {
    #[test]
    fn nothing_of_the_other_sides_transport_crosses(
        from in sessions(),
        ports in prop::collection::vec(prop::option::of(20_000u16..30_000), 0..4),
    ) {
        let out = relayed(&from, &mut OwnOrigin::new(77), ours(), &ports);
        let text = lowered(&out);
        for address in addresses(&from) {
            prop_assert!(!text.contains(&address.to_ascii_lowercase()), "{address} in {text}");
        }
        for word in ["ice-", "candidate", "crypto", "fingerprint", "inline"] {
            prop_assert!(!text.contains(word), "{word} in {text}");
        }
        prop_assert_eq!(out.media.len(), from.media.len());
        for (n, (o, f)) in out.media.iter().zip(&from.media).enumerate() {
            prop_assert_eq!((&o.kind, &o.proto), (&f.kind, &f.proto));
            let granted = ports.get(n).copied().flatten().filter(|_| is_relayable(f));
            prop_assert_eq!(o.port, granted.unwrap_or(0));
            let rtcp = o.remote_rtcp(&out).map(|a| (a.ip(), a.port()));
            prop_assert_eq!(rtcp, granted.map(|p| (ours(), p + 1)));
            if granted.is_some() {
                prop_assert_eq!(o.direction(&out), f.direction(&from));
                prop_assert_eq!(&o.formats, &f.formats);
            }
        }
        prop_assert_eq!(Session::parse(&out.emit()), Ok(out));
    }

    #[test]
    fn a_relayed_answer_always_fits_its_offer(
        offer in sessions(),
        answer in sessions(),
        ports in prop::collection::vec(prop::option::of(20_000u16..30_000), 0..4),
    ) {
        let mut origin = OwnOrigin::new(1);
        let out = relayed_answer(&offer, &answer, &mut origin, ours(), &ports);
        prop_assert_eq!(check_answer(&offer, &out), Ok(()));
        for (o, a) in offer.media.iter().zip(&out.media) {
            prop_assert!(a.port == 0 || a.proto == o.proto);
        }
    }
}

//= RFC 3605 §2.1 type=test
#[test]
fn codecs_ptime_and_event_numbers_stay_as_their_side_gave_them() {
    let from = offer(
        "m=audio 4000 RTP/AVP 9 96 8\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n\
         a=ptime:30\r\na=rtcp:4001\r\na=x-note:kept\r\na=x-port:4000\r\n",
    );
    let out = relayed(&from, &mut OwnOrigin::new(4), ours(), &[Some(20_000)]);
    let want = "m=audio 20000 RTP/AVP 9 96 8\r\na=rtpmap:96 telephone-event/8000\r\n\
                a=fmtp:96 0-15\r\na=ptime:30\r\na=x-note:kept\r\na=sendrecv\r\na=rtcp:20001\r\n";
    assert!(out.to_string().ends_with(want), "{out}");
    assert_eq!(out.media[0].telephone_event_pts(), [96]);
}

#[test]
fn ice_keys_and_bundles_end_at_the_border_and_their_streams_are_refused() {
    let from = offer(
        "a=group:BUNDLE 0 1\r\na=ice-options:trickle\r\na=fingerprint:sha-256 AA:BB\r\n\
         m=audio 4000 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-pwd:x\r\n\
         m=audio 4002 RTP/AVP 0\r\na=mid:1\r\na=rtcp-mux\r\na=setup:actpass\r\na=ssrc:1 cname:a\r\n\
         a=candidate:1 1 UDP 1 0f.local 4002 typ host\r\na=crypto:1 X inline:k\r\n",
    );
    let out = relayed(&from, &mut OwnOrigin::new(4), ours(), &[Some(20_000), Some(20_002)]);
    let want =
        "t=0 0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 111\r\nm=audio 20002 RTP/AVP 0\r\na=sendrecv\r\n";
    assert!(out.to_string().ends_with(want), "{out}");
}

//= RFC 3264 §8 type=test
#[test]
fn the_version_rises_only_when_the_description_changed() {
    let mut origin = OwnOrigin::new(u64::MAX);
    let a = offer("m=audio 4000 RTP/AVP 0\r\n");
    let held = offer("m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n");
    let versions: Vec<u64> = [&a, &a, &held, &held, &a]
        .map(|s| relayed(s, &mut origin, ours(), &[Some(20_000)]).origin.session_version)
        .to_vec();
    assert_eq!(versions, [1, 1, 2, 2, 3]);
    let o = relayed(&a, &mut origin, ours(), &[Some(20_000)]).origin;
    assert!(o.session_id < 1 << 62);
}

#[test]
fn the_old_hold_by_an_unspecified_address_crosses_as_sendonly() {
    let held = parsed(
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
                       m=audio 4000 RTP/AVP 0\r\n",
    );
    assert!(held.media[0].is_held(&held));
    assert_eq!(held.media[0].remote_rtp(&held), None);
    let out = relayed(&held, &mut OwnOrigin::new(4), ours(), &[Some(20_000)]);
    assert_eq!(out.media[0].direction(&out), Direction::SendOnly);
}

//= RFC 4585 §4 type=test
#[test]
fn avpf_is_answered_as_avpf_though_the_callee_knows_only_avp() {
    let asked = offer("m=audio 4000 RTP/AVPF 0 8\r\nm=video 4002 RTP/AVP 96\r\n");
    let reply = offer("m=audio 5000 RTP/AVP 0\r\n");
    let mut origin = OwnOrigin::new(3);
    let out = relayed_answer(&asked, &reply, &mut origin, ours(), &[Some(20_000), Some(20_002)]);
    assert_eq!(out.media[0].to_string(), "audio 20000 RTP/AVPF 0");
    assert_eq!(out.media[1].to_string(), "video 0 RTP/AVP 96");
}
