use super::*;
use crate::link::{Fault, Ledger, Rates};
use crate::peers::{Do, Habits, Identity, Phone};
use crate::toy::Toy;
use bitspath_core::freeze::{freeze, thaw};
use bitspath_core::{Audit, Bytes, Duration, Fault as Broke, Frozen, NetIn, NetOut, Node, Now};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Answers every request after a second, and keeps count: enough state to freeze.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Slow {
    waiting: VecDeque<(Instant, NetOut)>,
    out: VecDeque<NetOut>,
    answered: u32,
}

impl Node for Slow {
    type Input = NetIn;
    type Output = NetOut;
    fn handle(&mut self, now: Now, input: NetIn) {
        let NetIn::Datagram { listener, peer, local, bytes } = input else { return };
        let Ok(seen) = crate::seen::Seen::parse(&bytes) else { return };
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=toy\r\nCall-ID: {}\r\nCSeq: {} {}\r\n\
             Content-Length: 0\r\n\r\n",
            seen.via(),
            seen.from(),
            seen.to(),
            seen.call_id(),
            seen.cseq(),
            seen.method()
        );
        let local = local.ip();
        let out = NetOut::Datagram { listener, local, peer, bytes: Bytes::from(text) };
        self.waiting.push_back((now.mono + Duration::from_millis(100), out));
    }
    fn handle_timeout(&mut self, now: Now) {
        while let Some((at, _)) = self.waiting.front()
            && *at <= now.mono
        {
            self.answered += 1;
            self.out.extend(self.waiting.pop_front().map(|(_, out)| out));
        }
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.waiting.front().map(|(at, _)| (*at, "answer"))
    }
    fn poll_output(&mut self) -> Option<NetOut> {
        self.out.pop_front()
    }
    fn freeze(&self) -> Frozen {
        freeze(self)
    }
    fn thaw(frozen: &Frozen) -> Result<Self, Broke> {
        thaw(&frozen.0)
    }
    fn audit(&self) -> Audit {
        Audit::default()
    }
}

fn identity(n: u8) -> Identity {
    Identity {
        name: format!("phone{n}"),
        number: format!("100{n}"),
        domain: "toy.test".into(),
        user: None,
        password: "x".into(),
        local: format!("10.0.0.{n}:5060").parse().unwrap(),
        server: "10.0.1.1:5060".parse().unwrap(),
        tcp: false,
        expires: 3600,
        secret: String::new(),
    }
}

fn world(seed: u64, rates: Rates) -> (World, HostId, Vec<HostId>) {
    let mut w = World::new(seed);
    let ip: IpAddr = "10.0.1.1".parse().unwrap();
    let pbx = w.add("toy", &[ip], Box::new(Toy::new(Slow::default(), (ip, 5060).into())));
    let phones: Vec<HostId> = (1..=4u8)
        .map(|n| {
            let id = identity(n);
            let ip = id.local.ip();
            w.add(&id.name.clone(), &[ip], Box::new(Phone::new(id, Habits::default())))
        })
        .collect();
    for p in &phones {
        w.kernel.network.set_rates(seed, *p, pbx, rates);
        w.kernel.network.set_rates(seed, pbx, *p, rates);
    }
    (w, pbx, phones)
}

fn ask(w: &mut World, phones: &[HostId]) {
    let wish = Do::Request {
        method: "OPTIONS".into(),
        target: Some("pbx".into()),
        headers: Vec::new(),
        body: String::new(),
    };
    for p in phones {
        assert_eq!(w.act(*p, |phone: &mut Phone, cx| phone.perform(cx, &wish)), Some(true));
    }
}

fn run(seed: u64, rates: Rates, thaw_ppm: u32, replay: Option<Ledger>) -> World {
    let (mut w, _, phones) = world(seed, if replay.is_some() { Rates::default() } else { rates });
    w.thaw_ppm = thaw_ppm;
    if let Some(ledger) = replay {
        w.kernel.ledger = ledger;
    }
    ask(&mut w, &phones);
    assert_eq!(w.run_until(Instant(u64::MAX)), Step::Empty);
    w
}

const LOSSY: Rates = Rates {
    loss: 200_000,
    duplicate: 100_000,
    reorder: 100_000,
    corrupt: 10_000,
    mangle: 0,
    delay: (1_000_000, 50_000_000),
    mtu: 0,
};

#[test]
fn every_phone_gets_its_answer_and_the_world_comes_to_rest() {
    let w = run(1, Rates::default(), 0, None);
    for n in 1..=4 {
        assert_eq!(w.host::<Phone>(HostId(n)).unwrap().finals, [("OPTIONS".to_owned(), 200)]);
    }
    assert!(w.kernel.ledger.injected.is_empty());
}

#[test]
fn the_same_seed_gives_the_same_hash_and_another_seed_another() {
    let hash = |seed| run(seed, LOSSY, 0, None).kernel.hash;
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
}

#[test]
fn freezing_and_thawing_at_random_steps_changes_no_later_hash() {
    for seed in 1..20 {
        let plain = run(seed, LOSSY, 0, None).kernel;
        let thawed = run(seed, LOSSY, 300_000, None).kernel;
        assert_eq!((plain.hash, plain.events), (thawed.hash, thawed.events), "seed {seed}");
    }
}

#[test]
fn a_replay_of_the_recorded_faults_has_the_same_hash() {
    for seed in 1..20 {
        let drawn = run(seed, LOSSY, 0, None).kernel;
        assert!(drawn.ledger.injected.iter().any(|f| !matches!(f.fault, Fault::Delay(_))));
        let ledger = Ledger::replaying(&drawn.ledger.injected);
        let replayed = run(seed, LOSSY, 0, Some(ledger)).kernel;
        assert_eq!(drawn.hash, replayed.hash, "seed {seed}");
        assert_eq!(drawn.ledger.injected, replayed.ledger.injected);
    }
}

#[test]
fn inputs_of_the_same_time_are_permuted_in_half_of_the_seeds() {
    let order = |seed| {
        let w = run(seed, Rates::default(), 0, None);
        w.kernel.hash
    };
    // Same topology, no faults: only base delays and ties differ from seed to seed.
    assert_ne!(order(1), order(2));
}

#[test]
fn a_partition_stops_packets_and_its_end_lets_them_through_again() {
    let (mut w, pbx, phones) = world(3, Rates::default());
    w.partition(phones[0], pbx, true);
    ask(&mut w, &phones[..1]);
    let soon = Instant(w.kernel.now.0 + 3_000_000_000);
    assert_eq!(w.run_until(soon), Step::Late);
    assert!(w.host::<Phone>(phones[0]).unwrap().finals.is_empty());
    w.partition(phones[0], pbx, false);
    w.run_until(Instant(u64::MAX));
    assert_eq!(w.host::<Phone>(phones[0]).unwrap().finals.len(), 1);
}

#[test]
fn a_host_that_crashed_hears_nothing_until_it_is_revived() {
    let (mut w, pbx, phones) = world(3, Rates::default());
    w.crash(pbx);
    ask(&mut w, &phones[..1]);
    let soon = Instant(w.kernel.now.0 + 3_000_000_000);
    w.run_until(soon);
    w.revive(pbx);
    w.run_until(Instant(u64::MAX));
    assert_eq!(w.host::<Phone>(phones[0]).unwrap().finals, [("OPTIONS".to_owned(), 200)]);
}
