//! Damage: flips, cuts, repeats, splices and inserted grammar, drawn from a counter.
use crate::rfc4475::{golden, rows};
use crate::touch::parse_and_touch;
use bitspath_sip::door::classify;
use bitspath_sip::wire::Framer;

/// SplitMix64, so that a failing number repeats the failure.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

const GRAMMAR: [&[u8]; 32] = [
    b"\r\n",
    b"\r\n ",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"@",
    b"%",
    b"%00",
    b"[",
    b"]",
    b"=",
    b"?",
    b" ",
    b"\t",
    b"\xff",
    b"\xc3",
    b"*",
    b"SIP/2.0",
    b"sip:",
    b"99999999999999999999",
    b"-1",
    b"\r\nl: 4\r\n",
    b"\r\nv: SIP/2.0/UDP x\r\n",
    b";tag=",
];

fn mutate(draw: &mut Draw, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut text = seeds[draw.below(seeds.len())].clone();
    for _ in 0..=draw.below(6) {
        let at = draw.below(text.len() + 1);
        let end = (at + draw.below(40)).min(text.len());
        match draw.below(6) {
            0 if at < text.len() => text[at] ^= 1 << draw.below(8),
            1 if at < text.len() => text[at] = draw.next() as u8,
            2 => drop(text.drain(at..end)),
            3 => {
                let again = text[at..end].to_vec();
                text.splice(at..at, again);
            }
            4 => {
                let other = &seeds[draw.below(seeds.len())];
                let from = draw.below(other.len());
                let to = (from + draw.below(80)).min(other.len());
                text.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let piece = GRAMMAR[draw.below(GRAMMAR.len())];
                text.splice(at..at, piece.iter().copied());
            }
        }
    }
    text
}

fn run(count: u64) {
    let mut seeds: Vec<Vec<u8>> = rows().into_iter().map(|r| r.bytes).collect();
    seeds.push(std::fs::read(golden("invite-850.sip")).expect("the INVITE"));
    let peer = "192.0.2.1:5060".parse().expect("an address");
    let mut accepted = 0u64;
    for n in 0..count {
        let text = mutate(&mut Draw(n), &seeds);
        let outcome = std::panic::catch_unwind(|| parse_and_touch(&text));
        let Ok(ok) = outcome else {
            panic!("mutation {n}: {}", text.escape_ascii());
        };
        accepted += u64::from(ok);
        let _ = classify(&text, peer);
        let mut framer = Framer::new();
        framer.push(&text);
        while framer.next().is_some() {}
    }
    println!("{count} mutated messages, {accepted} accepted, no panic");
    // Both sides of the judgement must have been exercised.
    assert!(accepted > count / 50 && accepted < count - count / 50, "{accepted} of {count}");
}

#[test]
fn twenty_thousand_mutated_messages_never_panic() {
    run(20_000);
}

#[test]
#[ignore = "the long run: cargo test --release -p bitspath-sip --test wire -- --ignored"]
fn a_million_mutated_messages_never_panic() {
    run(1_000_000);
}
