//! Typed strict parse and emission of one 850-octet INVITE.
#![allow(clippy::expect_used, missing_docs)]
use bitspath_sip::wire::{OutResponse, Uri};
use bitspath_sip::{Message, Status};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

mod typed;

fn parse(c: &mut Criterion) {
    let bytes = Bytes::from_static(include_bytes!("../golden/invite-850.sip"));
    let message = Message::parse(bytes.clone()).expect("valid");
    let mut group = c.benchmark_group("wire");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("parse_invite_850_typed", |b| {
        b.iter(|| {
            let message = Message::parse(black_box(bytes.clone())).expect("valid");
            typed::read(&message)
        });
    });
    group.bench_function("parse_invite_850_strict_only", |b| {
        b.iter(|| Message::parse(black_box(bytes.clone())).expect("valid").cseq());
    });
    group.bench_function("emit_200", |b| {
        let response = OutResponse::new(Status::OK);
        b.iter(|| response.emit(black_box(&message), true).len());
    });
    let (x, y) = ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp");
    group.bench_function("compare_uris", |b| {
        b.iter(|| {
            let (x, y) = (Uri::parse(black_box(x)), Uri::parse(black_box(y)));
            x.expect("valid").equals(&y.expect("valid"))
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
