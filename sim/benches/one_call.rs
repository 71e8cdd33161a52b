//! What a scenario costs. `cargo bench -p sim --bench one_call`
//! - `one call`: two registrations with digest, a call with digest, ringing, answer, hang-up, every
//!   oracle, and the way to rest (64*T1 of virtual time), without media. Aim: 2,000 a second.
//! - `relay step`: one step of the World in which the server takes an RTP packet from the heap,
//!   decides, and puts it on the next link: trace hash, oracles, link and heap included, the
//!   phones not. Aim: 3,000,000 a second.
//!
//! One thread. Criterion measures wall time; the CPU time of the same work, by the scheduler's
//! account, is printed first and is the figure that counts.
#![allow(clippy::unwrap_used)]
use bitspath_core::{Bytes, Duration, Instant};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sim::host::HostId;
use sim::ladder::setting::Setting;
use sim::ladder::{Options, parse, run};
use sim::peers::{Do, Phone};
use sim::world::World;
use std::hint::black_box;
use std::net::SocketAddr;

const CALL: &str = "# one call
world
  pbx    server   203.0.113.10
  alice  phone    10.0.0.11
  bob    phone    10.0.0.12
  alice, bob registered at pbx
ladder
  alice -> pbx    INVITE bob
  pbx   -> bob    INVITE bob
  bob   -> pbx    180
  pbx   -> alice  180
  +1s
  bob   -> pbx    200 INVITE
  pbx   -> alice  200 INVITE
  +2s
  alice -> pbx    BYE
  pbx   -> bob    BYE
expect
  cdr alice to bob caller-hung-up billed 2s
  pbx at rest
";

/// Time on the CPU of this thread, in nanoseconds.
fn cpu_ns() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

fn one_call(c: &mut Criterion) {
    let setting = Setting::new(parse("one_call", CALL).unwrap()).unwrap();
    let mut seed = 0;
    let mut once = || {
        seed += 1;
        let outcome = run(&setting, &Options { seed, ..Options::default() });
        assert_eq!(outcome.failure, None);
        outcome.hash
    };
    let before = cpu_ns();
    for _ in 0..4_000 {
        black_box(once());
    }
    let spent = cpu_ns() - before;
    let rate = 4_000.0 * 1e9 / spent as f64;
    println!("one call: {rate:.0} scenarios a second of CPU time ({} us each)", spent / 4_000_000);
    let mut group = c.benchmark_group("world");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one call", |b| b.iter(&mut once));
    group.finish();
}

/// Packets at the server's door in one batch, a nanosecond apart.
const BATCH: u64 = 10_000;

/// A call that is up, its World, and where the two phones send.
struct Up {
    world: World,
    ways: [(SocketAddr, SocketAddr); 2],
    sequence: u16,
    at: Instant,
}

fn established() -> Up {
    let setting = Setting::new(parse("relay", CALL).unwrap()).unwrap();
    let (mut world, cast) = setting.build(1);
    let (alice, bob) = (cast.phones["alice"], cast.phones["bob"]);
    let second = Duration::from_secs(1);
    let mut act = |id: HostId, wish: Do| {
        assert_eq!(world.act(id, |p: &mut Phone, cx| p.perform(cx, &wish)), Some(true));
        world.run_until(world.kernel.now + second);
    };
    for id in [alice, bob] {
        act(id, Do::Register { expires: None, headers: Vec::new() });
    }
    let (offer, headers) = (Some(Default::default()), Vec::new());
    act(alice, Do::Invite { target: "1002".into(), offer, headers });
    act(bob, Do::Answer { status: 200, method: None, answer: None, headers: Vec::new() });
    let way = |id: HostId| {
        let phone: &Phone = world.host(id).unwrap();
        let call = phone.calls.last().unwrap();
        (call.rtp(), call.heard.as_ref().unwrap().audio)
    };
    let ways = [way(alice), way(bob)];
    let at = world.kernel.now;
    Up { world, ways, sequence: 0, at }
}

impl Up {
    /// Puts a batch at the server's door, both directions in turn.
    fn load(&mut self) {
        for n in 0..BATCH {
            let (from, to) = self.ways[(n % 2) as usize];
            self.sequence = self.sequence.wrapping_add((n % 2) as u16);
            let mut packet = [0u8; 172];
            packet[0] = 0x80;
            packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
            packet[11] = (n % 2) as u8 + 1;
            let at = Instant(self.at.0 + n);
            self.world.inject(at, from, to, Bytes::copy_from_slice(&packet));
        }
    }
    /// The server takes, decides and sends every one; the phones have not heard yet.
    fn relay(&mut self) {
        self.world.run_until(Instant(self.at.0 + BATCH));
        self.at = Instant(self.at.0 + BATCH);
    }
    /// The phones hear; the time of the next batch comes.
    fn clear(&mut self) {
        self.at = Instant(self.at.0 + 100_000_000);
        self.world.run_until(self.at);
        assert_eq!(self.world.kernel.oracles.broken, []);
    }
}

fn relay(c: &mut Criterion) {
    let mut up = established();
    let mut spent = 0;
    let before_relayed = up.world.kernel.oracles.media.relayed;
    for _ in 0..50 {
        up.load();
        let before = cpu_ns();
        up.relay();
        spent += cpu_ns() - before;
        up.clear();
    }
    assert_eq!(up.world.kernel.oracles.media.relayed - before_relayed, 50 * BATCH);
    let ns = spent as f64 / (50 * BATCH) as f64;
    println!("relay step: {:.0} packets a second of CPU time ({ns:.0} ns each)", 1e9 / ns);
    let mut group = c.benchmark_group("world");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("relay step", |b| {
        b.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for round in 0..rounds {
                // A call does not last for ever, not even here.
                if round % 50 == 0 {
                    up = established();
                }
                let relayed = up.world.kernel.oracles.media.relayed;
                up.load();
                let before = cpu_ns();
                up.relay();
                spent += Duration::from_nanos(cpu_ns() - before);
                assert_eq!(up.world.kernel.oracles.media.relayed - relayed, BATCH);
                up.clear();
            }
            spent
        });
    });
    group.finish();
}

criterion_group!(benches, one_call, relay);
criterion_main!(benches);
