use super::*;
use std::time::Duration;

const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\nFrom: <sip:x@y>;tag=1\r\nTo:   <sip:a@b>\r\nCall-ID: c\r\n\
    CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_message_is_shown_line_by_line_with_its_verdict() {
    let block = decode(Layer::Sip, OPTIONS.as_bytes());
    assert_eq!(block.rejected, None);
    assert!(block.golden().starts_with("OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h"));
    assert!(block.golden().contains("\nTo: <sip:a@b>\n") && block.golden().ends_with("\nok\n"));
    let broken = OPTIONS.replace("CSeq: 1 OPTIONS\r\n", "");
    let golden = decode(Layer::Sip, broken.as_bytes()).golden();
    let last = golden.lines().last().expect("a line");
    assert!(last.starts_with("rejected: 400") && last.contains("offset"), "{golden}");
}

#[test]
fn layers_are_guessed_and_strangers_are_passed_over() {
    assert_eq!(Layer::guess(OPTIONS.as_bytes()), Some(Layer::Sip));
    assert_eq!(Layer::guess(b"v=0\r\n"), Some(Layer::Sdp));
    assert_eq!(Layer::guess(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]), Some(Layer::Rtp));
    assert_eq!(Layer::guess(&[0x80, 200, 0, 1, 0, 0, 0, 0]), Some(Layer::Rtcp));
    assert_eq!(Layer::guess(b"GET / HTTP/1.1\r\n"), None);
}

#[test]
fn a_capture_gives_a_block_per_message_over_udp_and_tcp() {
    use bitspath_trace::pcapng::Capture;
    let mut capture = Capture::new(Vec::new()).expect("memory");
    let (a, b) = (SocketAddr::from(([10, 0, 0, 1], 5060)), SocketAddr::from(([10, 0, 0, 2], 5060)));
    capture.udp(Duration::from_secs(1), a, b, OPTIONS.as_bytes()).expect("memory");
    capture.udp(Duration::from_secs(1), a, b, b"none of ours").expect("memory");
    let (first, second) = OPTIONS.as_bytes().split_at(30);
    capture.tcp(Duration::from_secs(2), a, b, first).expect("memory");
    capture.tcp(Duration::from_secs(3), a, b, second).expect("memory");
    let (blocks, fault) = blocks(&capture.finish(), None);
    assert_eq!((blocks.len(), fault), (2, None));
    assert!(blocks[0].text.starts_with("1.000000 udp 10.0.0.1:5060 > 10.0.0.2:5060\nOPTIONS"));
    assert!(blocks[1].text.starts_with("3.000000 tcp "), "{}", blocks[1].text);
    assert!(blocks.iter().all(|b| b.rejected.is_none()));
}

#[test]
fn hex_is_read_with_any_spacing_and_refused_when_it_is_not_hex() {
    assert_eq!(unhex(b"80:c8 00\n01"), Some(vec![0x80, 0xC8, 0, 1]));
    assert_eq!(unhex(b"8"), None);
    assert_eq!(unhex(b"zz"), None);
}

//= RFC 8489 §5 type=test
#[test]
fn the_class_of_stun_stands_between_the_bits_of_its_method() {
    for (kind, line) in [
        (0x0001_u16, "method=1 request"),
        (0x0011, "method=1 indication"),
        (0x0101, "method=1 success"),
        (0x0111, "method=1 error"),
        (0x3EEF, "method=4095 request"),
        (0x0020, "method=16 request"),
        (0x0200, "method=128 request"),
    ] {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0, 0x21, 0x12, 0xA4, 0x42]);
        bytes.extend_from_slice(&[7; 12]);
        let golden = decode(Layer::Stun, &bytes).golden();
        assert!(golden.starts_with(&format!("STUN {line} id=0707")), "{kind:#06x}: {golden}");
    }
}

#[test]
fn stun_is_decoded_or_blamed_at_its_offset() {
    let mut bytes = vec![0, 1, 0, 4, 0x21, 0x12, 0xA4, 0x42];
    bytes.extend_from_slice(&[7; 12]);
    bytes.extend_from_slice(&[0x80, 0x22, 0, 0]);
    let block = decode(Layer::Stun, &bytes);
    assert!(block.golden().starts_with("STUN method=1 request id=0707"), "{}", block.golden());
    bytes[3] = 8;
    assert!(
        decode(Layer::Stun, &bytes).golden().ends_with(
            "rejected: offset 2, expected the length of what follows, a multiple of 4\n"
        )
    );
}
