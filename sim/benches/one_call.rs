//! What a scenario costs. `cargo bench -p sim --bench one_call`
//! - `one call`: two registrations with digest, a call with digest, ringing, answer, hang-up, every
//!   oracle, and the way to rest (64*T1 of virtual time), without media. Aim: 2,000 a second.
//! - `relay step`: one RTP packet through the server's shard in the World, from the sender's link
//!   to the receiver's. Aim: 3,000,000 a second.
//!
//! One thread. Criterion measures wall time; the CPU time of the same work, by the scheduler's
//! account, is printed first and is the figure that counts.
#![allow(clippy::unwrap_used)]
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sim::ladder::setting::Setting;
use sim::ladder::{Options, parse, run};
use std::hint::black_box;

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
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|w| w.parse().ok()).unwrap_or(0)
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

/// Packets that each phone sends in one iteration of the relay bench.
const PACKETS: u64 = 50 * 60;

fn relay(c: &mut Criterion) {
    let talk = |length: &str| {
        let voices = match length {
            "" => String::new(),
            l => format!("  alice ~> bob PCMU {l}\n  bob ~> alice PCMU {l}\n"),
        };
        let text = CALL.replace("  +2s\n", &format!("{voices}  +61s\n")).replace("billed 2s", "");
        Setting::new(parse("relay", &text).unwrap()).unwrap()
    };
    let (quiet, loud) = (talk(""), talk("60s"));
    let cost = |setting: &Setting| {
        let before = cpu_ns();
        for seed in 1..=40 {
            let outcome = run(setting, &Options { seed, ..Options::default() });
            assert_eq!(outcome.failure, None);
        }
        cpu_ns() - before
    };
    cost(&loud);
    let spent = cost(&loud).saturating_sub(cost(&quiet));
    let packets = 40 * 2 * PACKETS;
    let ns = spent as f64 / packets as f64;
    println!(
        "relay step: {:.0} packets a second of CPU time ({ns:.0} ns each: phone, link, shard, link, \
         phone, oracles)",
        1e9 / ns
    );
    let mut group = c.benchmark_group("world");
    group.throughput(Throughput::Elements(2 * PACKETS));
    group.sample_size(10);
    group.bench_function("relayed minute", |b| {
        b.iter(|| run(&loud, &Options { seed: 1, ..Options::default() }).hash);
    });
    group.finish();
}

criterion_group!(benches, one_call, relay);
criterion_main!(benches);
