//! A relayed packet allocates nothing (rule 6). Alone in its program: the counter sees everything.
use bitspath_core::{Entropy, Instant, Now};
use bitspath_media::wire::{Head, RtpTime, Ssrc};
use bitspath_media::{Cmd, PortNo, Shard, Sink, Slot, StreamCfg, StreamId, Verdict};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn fill(slot: &mut Slot, port: u16, seq: u16) {
    let (time, ssrc) = (RtpTime(u32::from(seq) * 160), Ssrc(u32::from(port)));
    let mut packet = [0x55; 172];
    Head { marker: false, pt: 0, seq, time, ssrc }.emit(&mut packet);
    slot.fill(
        PortNo(port),
        false,
        SocketAddr::new(Ipv4Addr::new(10, 0, 0, 5).into(), port),
        &packet,
    );
}

#[test]
fn a_relayed_or_echoed_packet_allocates_nothing() {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    for (n, sink) in
        [Sink::Stream(StreamId(1)), Sink::Stream(StreamId(0)), Sink::Echo].into_iter().enumerate()
    {
        let (stream, port) = (StreamId(n as u64), 10_000 + 2 * n as u16);
        let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
        let cfg = StreamCfg {
            local: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            remote: Some(SocketAddr::new(ip, port)),
            rtcp: None,
            signalling: ip,
            send: true,
            receive: true,
        };
        shard.handle(Now::default(), Cmd::Open { stream, port: PortNo(port), cfg });
        shard.handle(Now::default(), Cmd::Link { stream, sink });
    }
    let mut batch = vec![Slot::default(); 3];
    let mut paced = Slot::default();
    let (mut forwarded, mut echoed) = (0, 0);
    let mut region = Region::new(GLOBAL);
    for seq in 0..1000u16 {
        if seq == 10 {
            // Latches, timers and queues have found their size.
            region.reset();
        }
        let now = Now { mono: Instant(u64::from(seq) * 20_000_000), ..Now::default() };
        for (slot, port) in batch.iter_mut().zip([10_000, 10_002, 10_004]) {
            fill(slot, port, seq);
        }
        shard.relay(now, &mut batch);
        forwarded += batch.iter().filter(|s| s.verdict != Verdict::Drop).count();
        let before = region.change().allocations;
        shard.handle_timeout(now);
        while shard.poll_packet(&mut paced) {
            echoed += 1;
        }
        while shard.poll_event().is_some() {}
        if seq >= 10 {
            assert_eq!(before, 0, "packet {seq}");
            region.reset();
        }
    }
    assert_eq!(forwarded, 2000);
    assert!(echoed >= 998, "{echoed}");
}
