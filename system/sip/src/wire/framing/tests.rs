use super::*;
use alloc::vec;
use proptest::prelude::*;

const MESSAGE: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nl:\r\n 3\r\nX: \r\n\r\nabc";

fn frames(chunks: &[&[u8]]) -> Vec<Result<Frame, Broken>> {
    let mut framer = Framer::new();
    let mut all = Vec::new();
    for chunk in chunks {
        framer.push(chunk);
        while let Some(frame) = framer.next() {
            all.push(frame);
        }
    }
    all
}

fn message(bytes: &'static [u8]) -> Result<Frame, Broken> {
    Ok(Frame::Message(Bytes::from_static(bytes)))
}

#[test]
fn keep_alives_and_messages_come_out_in_order() {
    let stream = [b"\r\n\r\n\r\n", MESSAGE, MESSAGE, b"\r\n\r\n", MESSAGE, b"\r\n"].concat();
    let want = vec![
        Ok(Frame::Ping),
        message(MESSAGE),
        message(MESSAGE),
        Ok(Frame::Ping),
        message(MESSAGE),
    ];
    assert_eq!(frames(&[&stream]), want);
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frames(&single), want);
}

//= RFC 3261 §20.14 type=test
#[test]
fn a_stream_that_cannot_be_followed_says_why_once() {
    let no_length = b"OPTIONS sip:a@b SIP/2.0\r\nX: y\r\n\r\n";
    assert_eq!(frames(&[no_length, MESSAGE]), vec![Err(Broken::NoLength)]);
    for length in ["x", "-1", "1\r\nl: 1", "99999999999", ""] {
        let head = alloc::format!("OPTIONS sip:a@b SIP/2.0\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(frames(&[head.as_bytes()]), vec![Err(Broken::BadLength)], "{length}");
    }
    let long = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 65535\r\n\r\n";
    assert_eq!(frames(&[long]), vec![Err(Broken::TooLong)]);
    assert_eq!(frames(&[&[b'a'; 65_535]]), vec![]);
    assert_eq!(frames(&[&[b'a'; 65_536]]), vec![Err(Broken::TooLong)]);
}

#[test]
fn a_frozen_framer_goes_on_where_it_was() {
    let mut framer = Framer::new();
    framer.push(&MESSAGE[..MESSAGE.len() - 1]);
    assert_eq!(framer.next(), None);
    let frozen = bitspath_core::freeze::freeze(&framer);
    let mut thawed: Framer = bitspath_core::freeze::thaw(&frozen.0).expect("thaws");
    thawed.push(b"c");
    assert_eq!(thawed.next(), Some(message(MESSAGE)));
    assert_eq!(thawed.held(), 0);
}

proptest! {
    #[test]
    fn the_frames_do_not_depend_on_how_the_octets_arrive(
        parts in proptest::collection::vec(0u8..6, 0..8),
        cuts in proptest::collection::vec(1usize..40, 1..60),
    ) {
        let parts: Vec<&[u8]> = parts
            .iter()
            .map(|p| [MESSAGE, b"\r\n", b"\r\n\r\n", b"\r", b"X\r\n\r\n", b"A\r\nl:0\r\n\r\n"][*p as usize])
            .collect();
        let stream = parts.concat();
        let mut chunks = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(chunk);
            rest = tail;
        }
        prop_assert_eq!(frames(&chunks), frames(&[&stream]));
    }

    #[test]
    fn arbitrary_octets_never_panic_and_are_bounded(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20),
    ) {
        let mut framer = Framer::new();
        for chunk in &chunks {
            framer.push(chunk);
            while framer.next().is_some() {}
            prop_assert!(framer.held() <= SIP_MESSAGE_BYTES_MAX);
        }
    }
}
