//! A real worker on loopback: phones are plain sockets.
use super::*;
use bitspath_media::wire::{Head, Packet, RtpTime, Ssrc};
use bitspath_media::{Law, Sink, Stats, StreamCfg, g711};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::Duration as Wait;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Bench {
    worker: Handle,
    events: mpsc::Receiver<Evt>,
    ports: Vec<PortNo>,
}

#[allow(clippy::disallowed_methods)]
fn bench(ports: RangeInclusive<u16>, warm: usize) -> io::Result<Bench> {
    let (tx, events) = mpsc::channel();
    let cfg = WorkerConfig { ip: HOST, ports, warm };
    let key = Entropy::new([std::process::id() as u8; 32]);
    let tell = Box::new(move |e| tx.send(e).is_ok());
    let worker = spawn(ShardId(0), cfg, key, tell, std::time::Instant::now())?;
    let mut bench = Bench { worker, events, ports: Vec::new() };
    match bench.event() {
        Evt::Warm { ports } => bench.ports = ports,
        other => panic!("not warm: {other:?}"),
    }
    Ok(bench)
}

impl Bench {
    fn event(&self) -> Evt {
        self.events.recv_timeout(Wait::from_secs(5)).expect("an event in time")
    }
    fn send(&self, cmd: Cmd) {
        assert!(self.worker.send(cmd));
    }
    fn open(&self, stream: u64, phone: &UdpSocket, sink: Sink) -> SocketAddr {
        let (stream, port) = (StreamId(stream), self.ports[stream as usize]);
        let cfg = StreamCfg {
            local: HOST,
            remote: phone.local_addr().ok(),
            rtcp: None,
            signalling: HOST,
            send: true,
            receive: true,
        };
        self.send(Cmd::Open { stream, port, cfg });
        self.send(Cmd::Link { stream, sink });
        SocketAddr::new(HOST, port.0)
    }
    fn close(&self, stream: u64) -> Stats {
        self.send(Cmd::Close { stream: StreamId(stream) });
        loop {
            if let Evt::Closed { stats, .. } = self.event() {
                return stats;
            }
        }
    }
}

fn phone() -> UdpSocket {
    let socket = UdpSocket::bind((HOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(Wait::from_secs(5))).expect("timeout");
    socket
}
fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let time = RtpTime(u32::from(seq) * 160);
    let head = Head { marker: false, pt: 0, seq, time, ssrc: Ssrc(ssrc) };
    let mut room = [seq as u8; 172];
    head.emit(&mut room).expect("room");
    room.to_vec()
}
fn hear(phone: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut room = [0; 2000];
    let (len, from) = phone.recv_from(&mut room).expect("a packet in time");
    (room[..len].to_vec(), from)
}

#[test]
fn two_phones_hear_each_other_through_a_worker() {
    let bench = bench(40_000..=40_399, 4).expect("starts");
    let (alice, bob, evil) = (phone(), phone(), phone());
    let a = bench.open(0, &alice, Sink::Stream(StreamId(1)));
    let b = bench.open(1, &bob, Sink::Stream(StreamId(0)));
    for seq in 0..20 {
        if seq > 0 {
            // The same host, but another port and another SSRC than those that are latched.
            evil.send_to(&rtp(3, seq), a).expect("sent");
        }
        alice.send_to(&rtp(1, seq), a).expect("sent");
        assert_eq!(hear(&bob), (rtp(1, seq), b));
        bob.send_to(&rtp(2, seq), b).expect("sent");
        assert_eq!(hear(&alice), (rtp(2, seq), a));
    }
    let stats = bench.close(0);
    assert_eq!((stats.packets_in, stats.packets_out, stats.dropped_stranger), (20, 20, 19));
    assert_eq!(bench.close(1).packets_in, 20);
    assert_eq!(bench.worker.gauges().send_errors.load(Ordering::Relaxed), 0);
}

#[test]
fn rtcp_goes_the_same_way_once_it_is_due() {
    let bench = bench(40_400..=40_799, 4).expect("starts");
    let (alice, bob, bob_rtcp) = (phone(), phone(), phone());
    let a = bench.open(0, &alice, Sink::Stream(StreamId(1)));
    bench.open(1, &bob, Sink::None);
    let cfg = StreamCfg {
        local: HOST,
        remote: bob.local_addr().ok(),
        rtcp: bob_rtcp.local_addr().ok(),
        signalling: HOST,
        send: true,
        receive: true,
    };
    bench.send(Cmd::Modify { stream: StreamId(1), cfg });
    alice.send_to(&rtp(1, 0), a).expect("sent");
    hear(&bob);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    bob_rtcp.set_read_timeout(Some(Wait::from_millis(100))).expect("timeout");
    let heard = (0..50).find_map(|_| {
        alice.send_to(&report, (HOST, a.port() + 1)).ok();
        let mut room = [0; 100];
        let (len, from) = bob_rtcp.recv_from(&mut room).ok()?;
        Some((room[..len].to_vec(), from.port()))
    });
    assert_eq!(heard, Some((report.to_vec(), bench.ports[1].0 + 1)));
}

#[test]
fn the_echo_comes_back_and_the_tone_is_1004_hz() {
    let bench = bench(40_800..=41_199, 4).expect("starts");
    let (caller, listener) = (phone(), phone());
    let echo = bench.open(0, &caller, Sink::Echo);
    for seq in 0..3u16 {
        caller.send_to(&rtp(7, seq), echo).expect("sent");
        let (bytes, from) = hear(&caller);
        let packet = Packet::parse(&bytes).expect("RTP");
        assert_eq!((packet.payload, from), (&[seq as u8; 160][..], echo));
        assert_ne!(packet.head.ssrc, Ssrc(7));
    }
    bench.open(1, &listener, Sink::Tone { pt: 0, law: Law::Mu, ptime_ms: 20 });
    let mut samples: Vec<i16> = Vec::new();
    for _ in 0..25 {
        let (bytes, _) = hear(&listener);
        let packet = Packet::parse(&bytes).expect("RTP");
        samples.extend(packet.payload.iter().map(|c| g711::decode(Law::Mu, *c)));
    }
    // Half a second of 1004 Hz: 502 times from below to above.
    let rising = samples.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
    assert!((500..=503).contains(&rising), "{rising} periods in half a second");
    assert!(bench.close(1).packets_out >= 25);
}

#[test]
fn the_warm_list_is_filled_again_and_a_taken_port_is_passed_over() {
    // Three pairs fit, one of them is somebody else's.
    let taken = UdpSocket::bind((HOST, 41_302));
    let bench = bench(41_300..=41_305, 1).expect("starts");
    assert_eq!(bench.ports.len(), 1);
    bench.open(0, &phone(), Sink::None);
    let Evt::Warm { ports } = bench.event() else { panic!("not refilled") };
    let mut got = vec![bench.ports[0].0, ports[0].0];
    got.sort_unstable();
    if taken.is_ok() {
        assert_eq!(got, [41_300, 41_304]);
    }
    bench.close(0);
    drop(bench.worker);
    assert_eq!(bench.events.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[test]
fn a_range_without_a_free_port_is_refused_at_start() {
    let text = bench(41_401..=41_402, 4).map(|_| ()).expect_err("no even pair").to_string();
    assert_eq!(text, "no RTP port from 41401 to 41402 is free on 127.0.0.1");
}
