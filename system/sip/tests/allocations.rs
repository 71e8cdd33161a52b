//! Allocations of the hot path, counted. One test per process: the counter is global.
#![allow(clippy::expect_used)]
use bitspath_sip::wire::OutResponse;
use bitspath_sip::{Message, Status};
use bytes::Bytes;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[path = "../benches/typed.rs"]
mod typed;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_typed_parse_allocates_nothing_and_an_emission_once() {
    let bytes = Bytes::from_static(include_bytes!("../golden/invite-850.sip"));
    assert_eq!(bytes.len(), 850);
    let response = OutResponse::new(Status::OK);
    let region = Region::new(COUNTED);
    let message = Message::parse(bytes).expect("valid");
    assert!(typed::read(&message) > 0);
    let parse = region.change();
    assert_eq!((parse.allocations, parse.reallocations), (0, 0));

    let emitted = response.emit(&message, true);
    let emit = region.change();
    // The buffer, and the count of its owners that `Bytes` keeps for the retransmissions.
    assert!(emit.allocations <= 2 && emit.reallocations == 0, "{emit:?}");
    let copies = [emitted.clone(), emitted.clone(), emitted];
    assert_eq!(region.change().allocations, emit.allocations, "a retransmission shares");
    drop(copies);
}
