use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn any_addr(v6: bool) -> BoxedStrategy<SocketAddr> {
    if v6 {
        (any::<u128>(), any::<u16>())
            .prop_map(|(a, p)| SocketAddr::from((Ipv6Addr::from(a), p)))
            .boxed()
    } else {
        (any::<u32>(), any::<u16>())
            .prop_map(|(a, p)| SocketAddr::from((Ipv4Addr::from(a), p)))
            .boxed()
    }
}

fn any_packet() -> impl Strategy<Value = Packet> {
    any::<bool>().prop_flat_map(|v6| {
        let carrier = prop_oneof![
            Just(Carrier::Udp),
            any::<u32>().prop_map(|seq| Carrier::Tcp { seq }),
            Just(Carrier::Ip { protocol: 132 }),
        ];
        let payload = proptest::collection::vec(any::<u8>(), 1..300);
        let at = 0u64..2_000_000_000_000_000_000;
        (at, any_addr(v6), any_addr(v6), carrier, payload).prop_map(
            |(at, mut source, mut destination, carrier, payload)| {
                if matches!(carrier, Carrier::Ip { .. }) {
                    source.set_port(0);
                    destination.set_port(0);
                }
                let at = Duration::from_nanos(at);
                Packet { at, source, destination, carrier, payload }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_captured_is_read_back(list in proptest::collection::vec(any_packet(), 0..8)) {
        let mut capture = Capture::new(Vec::new()).expect("memory");
        for packet in &list {
            capture.packet(packet, Some("why")).expect("memory");
        }
        let (back, fault) = packets(&capture.finish());
        prop_assert_eq!(fault, None);
        prop_assert_eq!(back, list);
    }

    #[test]
    fn arbitrary_files_and_frames_never_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200), as_frame in any::<bool>(),
    ) {
        if as_frame {
            let mut capture = Capture::new(Vec::new()).expect("memory");
            let source = SocketAddr::from(([1, 2, 3, 4], 5));
            capture.udp(Duration::ZERO, source, source, &bytes).expect("memory");
            let mut file = capture.finish();
            let cut = file.len() / 2;
            bytes.iter().enumerate().for_each(|(i, b)| file[cut + i % (cut - 4)] ^= b);
            bytes = file;
        }
        packets(&bytes);
    }
}

#[test]
fn a_stream_of_two_writes_gets_rising_sequence_numbers() {
    let mut capture = Capture::new(Vec::new()).expect("memory");
    let (a, b) = (SocketAddr::from(([10, 0, 0, 1], 5060)), SocketAddr::from(([10, 0, 0, 2], 5060)));
    for part in ["INVITE", " sip:"] {
        capture.tcp(Duration::from_secs(1), a, b, part.as_bytes()).expect("memory");
    }
    let (list, _) = packets(&capture.finish());
    let carriers: Vec<_> = list.iter().map(|p| p.carrier).collect();
    assert_eq!(carriers, [Carrier::Tcp { seq: 1 }, Carrier::Tcp { seq: 7 }]);
}

/// An Ethernet capture in the old format, of one UDP datagram in two fragments, the last first.
#[test]
fn fragments_are_joined_in_any_order_behind_ethernet_and_vlan() {
    let a = SocketAddr::from(([10, 0, 0, 1], 5060));
    let whole = ip::emit(a, a, Carrier::Udp, 0, 9, &[7; 100]).expect("small");
    let mut file = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend_from_slice(&1u32.to_le_bytes());
    for (offset, more, body) in [(6u16, 0u16, &whole[68..]), (0, 0x2000, &whole[20..68])] {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[0x81, 0, 0, 5, 0x08, 0]);
        frame.extend_from_slice(&whole[..20]);
        let at = frame.len() - 14;
        frame[at..at + 2].copy_from_slice(&(offset | more).to_be_bytes());
        let total = (body.len() as u16 + 20).to_be_bytes();
        frame[at - 4..at - 2].copy_from_slice(&total);
        frame.extend_from_slice(body);
        file.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0]);
        file.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        file.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        file.extend_from_slice(&frame);
    }
    let (list, fault) = packets(&file);
    assert_eq!((list.len(), fault), (1, None));
    assert_eq!((list[0].payload.as_slice(), list[0].source), (&[7u8; 100][..], a));
    assert_eq!(list[0].at, Duration::from_secs(3));
}

#[test]
fn a_cut_capture_gives_what_came_before_and_says_which_packet_is_broken() {
    let mut capture = Capture::new(Vec::new()).expect("memory");
    let a = SocketAddr::from(([10, 0, 0, 1], 5060));
    capture.udp(Duration::ZERO, a, a, b"one").expect("memory");
    capture.udp(Duration::ZERO, a, a, b"two").expect("memory");
    let file = capture.finish();
    let (list, fault) = packets(&file[..file.len() - 5]);
    assert_eq!((list.len(), fault.map(|f| f.number)), (1, Some(2)));
}
