//! Parses the 850-octet INVITE N times and reads it as a B2BUA does. `ci/callgrind-parse` counts
//! the instructions of one parse as the difference between two runs of this.
#![allow(clippy::expect_used, clippy::print_stdout)]
use bitspath_sip::Message;
use bytes::Bytes;
use std::hint::black_box;

#[path = "../benches/typed.rs"]
mod typed;

fn main() {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000u32);
    let bytes = Bytes::from_static(include_bytes!("../golden/invite-850.sip"));
    let mut sum = 0;
    for _ in 0..count {
        let message = Message::parse(black_box(bytes.clone())).expect("valid");
        sum += typed::read(black_box(&message));
    }
    println!("{count} parses, check sum {sum}");
}
