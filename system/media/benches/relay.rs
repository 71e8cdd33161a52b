//! The relay step alone: packets per second of one core, no sockets.
//! `hot`: 100 streams, slots decided again and again. `world`: 2000 streams in scattered order and
//! every slot filled anew, as the simulator and a loaded server have them.
use bitspath_core::{Entropy, Instant, Now};
use bitspath_media::wire::{Head, RtpTime, Ssrc};
use bitspath_media::{Cmd, PortNo, Shard, Sink, Slot, StreamCfg, StreamId, Verdict};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const BATCH: usize = 64;

fn peer(stream: u64) -> SocketAddr {
    let ip = Ipv4Addr::from(0x0a00_0000 + stream as u32);
    SocketAddr::new(IpAddr::V4(ip), 4000)
}
fn port(stream: u64) -> PortNo {
    PortNo(10_000 + 2 * stream as u16)
}

fn shard(streams: u64) -> Shard {
    let mut shard = Shard::new(Entropy::new([1; 32]));
    for n in 0..streams {
        let remote = peer(n);
        let cfg = StreamCfg {
            local: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
            remote: Some(remote),
            rtcp: None,
            signalling: remote.ip(),
            send: true,
            receive: true,
        };
        shard.handle(Now::default(), Cmd::Open { stream: StreamId(n), port: port(n), cfg });
        let sink = Sink::Stream(StreamId(n ^ 1));
        shard.handle(Now::default(), Cmd::Link { stream: StreamId(n), sink });
    }
    shard
}

fn packet(ssrc: u32, seq: u16) -> [u8; 172] {
    let head =
        Head { marker: false, pt: 0, seq, time: RtpTime(u32::from(seq) * 160), ssrc: Ssrc(ssrc) };
    let mut packet = [0x55; 172];
    head.emit(&mut packet);
    packet
}

/// One batch that visits streams in scattered order; every stream's numbers rise.
fn fill(batch: &mut [Slot], at: &mut u64, streams: u64) {
    for slot in batch {
        let stream = at.wrapping_mul(0x9E37_79B1) % streams;
        let packet = packet(stream as u32, (*at / streams) as u16);
        slot.fill(port(stream), false, peer(stream), &packet);
        *at += 1;
    }
}

fn relay(c: &mut Criterion) {
    let mut group = c.benchmark_group("relay");
    group.throughput(Throughput::Elements(BATCH as u64));

    let mut hot = shard(100);
    let mut batch = vec![Slot::default(); BATCH];
    let mut at = 0;
    fill(&mut batch, &mut at, 100);
    let sources: Vec<SocketAddr> = batch.iter().map(|s| s.peer).collect();
    let mut now = Now::default();
    group.bench_function("hot", |b| {
        b.iter(|| {
            now.mono = Instant(now.mono.0 + 1_000_000);
            for (slot, source) in batch.iter_mut().zip(&sources) {
                slot.peer = *source;
            }
            hot.relay(now, black_box(&mut batch));
        })
    });
    assert!(batch.iter().all(|s| s.verdict != Verdict::Drop));

    let mut world = shard(2000);
    let mut at = 0;
    group.bench_function("world", |b| {
        b.iter(|| {
            now.mono = Instant(now.mono.0 + 1_000_000);
            fill(&mut batch, &mut at, 2000);
            world.relay(now, black_box(&mut batch));
        })
    });
    assert!(batch.iter().all(|s| s.verdict != Verdict::Drop));

    let mut scattered = shard(2000);
    let mut at = 0;
    group.bench_function("scattered, without the filling", |b| {
        b.iter_batched_ref(
            || {
                let mut batch = vec![Slot::default(); BATCH];
                fill(&mut batch, &mut at, 2000);
                batch
            },
            |batch| scattered.relay(now, batch),
            BatchSize::SmallInput,
        )
    });
    group.finish();
}

criterion_group!(benches, relay);
criterion_main!(benches);
