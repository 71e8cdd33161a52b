use super::*;
use bitspath_core::{Frozen, Instant, Now, UnixTime};
use proptest::prelude::*;

fn at(ns: u64) -> Now {
    Now { mono: Instant(ns), wall: UnixTime(1_000_000_000 + ns) }
}

fn header(segment: u64) -> Header {
    let opened = at(segment);
    Header { version: VERSION, build_id: 77, node: 3, segment, opened, redacted: false }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(t, bytes)| Frame::Input { now: at(t / 2), bytes }),
        any::<u64>().prop_map(|t| Frame::Timeout { now: at(t / 2) }),
        any::<u64>().prop_map(Frame::OutHash),
        any::<u64>().prop_map(|lost| Frame::Gap { lost }),
        "[a-z]{0,9}".prop_map(Frame::Mark),
    ]
}

fn encode(segments: &[(Vec<u8>, Vec<Frame>)]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    for (n, (checkpoint, frames)) in segments.iter().enumerate() {
        encoder.begin(&header(n as u64), &Frozen(checkpoint.clone()));
        frames.iter().for_each(|f| encoder.frame(f));
    }
    encoder.take()
}

fn any_recording() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<Frame>)>> {
    let checkpoint = proptest::collection::vec(any::<u8>(), 0..60);
    let frames = proptest::collection::vec(any_frame(), 0..6);
    proptest::collection::vec((checkpoint, frames), 1..4)
}

type Read = Result<(Place, Record), Damage>;

fn read(bytes: &[u8]) -> (Vec<(Place, Record)>, Option<Damage>) {
    let (good, bad): (Vec<Read>, Vec<Read>) = Reader::new(bytes).partition(Result::is_ok);
    (good.into_iter().flatten().collect(), bad.into_iter().find_map(Result::err))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read_back_with_its_place(recording in any_recording()) {
        let (records, damage) = read(&encode(&recording));
        prop_assert_eq!(damage, None);
        let mut want = Vec::new();
        for (n, (checkpoint, frames)) in recording.into_iter().enumerate() {
            want.push(Record::Header(header(n as u64)));
            want.push(Record::Checkpoint(Frozen(checkpoint)));
            want.extend(frames.into_iter().map(Record::Frame));
        }
        prop_assert!(records.windows(2).all(|w| w[0].0.offset < w[1].0.offset));
        prop_assert_eq!(records.into_iter().map(|(_, r)| r).collect::<Vec<_>>(), want);
    }

    #[test]
    fn one_flipped_byte_at_any_offset_is_reported_at_its_record(
        recording in any_recording(), flip in 1u8..=255,
    ) {
        let bytes = encode(&recording);
        let (records, _) = read(&bytes);
        let starts: Vec<u64> = records.iter().map(|(p, r)| match r {
            Record::Header(_) => p.offset - MAGIC.len() as u64,
            _ => p.offset,
        }).collect();
        for offset in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[offset] ^= flip;
            let (good, damage) = read(&broken);
            let damage = damage.expect("every flip is noticed");
            let hit = starts.partition_point(|s| *s <= offset as u64) - 1;
            prop_assert!(!damage.is_cut_off(), "a flip at {} looks like a cut", offset);
            prop_assert_eq!(good.len(), hit, "flip at {}: {}", offset, damage);
            prop_assert_eq!(&good[..], &records[..hit]);
        }
    }

    #[test]
    fn a_cut_tail_leaves_all_whole_records_and_says_how_much_is_missing(
        recording in any_recording(),
    ) {
        let bytes = encode(&recording);
        let (records, _) = read(&bytes);
        for cut in 0..bytes.len() {
            let (good, damage) = read(&bytes[..cut]);
            prop_assert_eq!(&good[..], &records[..good.len()]);
            match damage {
                Some(d) if cut == 0 => prop_assert_eq!(d.wrong, Wrong::Magic),
                Some(d) => prop_assert!(d.is_cut_off(), "cut at {}: {}", cut, d),
                // A cut between two records cannot be told from an end.
                None => prop_assert!(records.iter().any(|(p, _)| p.offset == cut as u64
                    || p.offset == cut as u64 + MAGIC.len() as u64)),
            }
        }
    }

    #[test]
    fn arbitrary_octets_are_never_a_recording_and_never_a_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200), with_magic in any::<bool>(),
    ) {
        if with_magic {
            bytes.splice(0..0, MAGIC);
        }
        let (good, damage) = read(&bytes);
        prop_assert!(good.is_empty() && damage.is_some());
    }
}

#[test]
fn damage_is_told_in_one_line_with_segment_record_and_offset() {
    let frames = vec![Frame::OutHash(5), Frame::OutHash(6)];
    let mut bytes = encode(&[(vec![1, 2, 3], frames)]);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let text = read(&bytes).1.expect("damaged").to_string();
    assert!(text.starts_with("segment 0, record 3, offset "), "{text}");
    assert!(text.ends_with("the record is damaged (checksum)"), "{text}");
    let text = read(&bytes[..last - 2]).1.expect("cut").to_string();
    assert!(text.ends_with("ends inside this record, 3 octets are missing"), "{text}");
}

#[test]
fn another_layout_version_is_refused_by_name() {
    let mut encoder = Encoder::default();
    encoder.begin(&Header { version: 9, ..header(0) }, &Frozen::default());
    let damage = read(&encoder.take()).1.expect("refused");
    assert_eq!(damage.wrong, Wrong::Version(9));
}
