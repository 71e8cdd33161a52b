//! A tenant with three extensions and two services, and phones that write their own REGISTERs.
mod model;
mod nat;
mod plan;
mod register;
mod tenants;

use crate::{Directory, Extension, Registered, Registrar, Service, Tenant};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use bitspath_core::net::{ConnId, ListenerId, Transport};
use bitspath_core::store::{TenantId, Write};
use bitspath_core::{Bytes, Duration, Entropy, Instant, Now, UnixTime};
use bitspath_sip::digest::Algorithm;
use bitspath_sip::{HeaderName, Message, endpoint::Flow};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

fn at(seconds: u64) -> Now {
    let nanos = seconds * 1_000_000_000;
    Now { mono: Instant(nanos), wall: UnixTime(1_795_426_867_000_000_000 + nanos) }
}

fn registrar() -> Registrar {
    Registrar::new(Entropy::new([9; 32]))
}

fn tenant(id: u32, name: &str) -> Tenant {
    let extension = |n: &str| Extension {
        number: n.to_string(),
        display: None,
        ha1: BTreeMap::from([(Algorithm::Md5, Algorithm::Md5.ha1(n, name, "secret"))]),
        enabled: n != "1009",
    };
    let numbers = ["1001", "1002", "1009"];
    Tenant {
        id: TenantId(id),
        name: name.to_string(),
        domains: vec![format!("{name}.example")],
        realm: name.to_string(),
        algorithms: vec![Algorithm::Md5],
        auth: true,
        guests: vec!["10.9.0.0/16".parse().expect("network")],
        extensions: numbers.map(|n| (n.to_string(), extension(n))).into(),
        services: BTreeMap::from([
            ("600".to_string(), Service::Echo),
            ("601".to_string(), Service::Tone),
        ]),
        ring: Duration::from_secs(60),
    }
}

fn directory() -> Directory {
    Directory::new(vec![tenant(0, "demo"), tenant(1, "other")])
}

fn udp(last: u8, port: u16) -> Flow {
    Flow {
        listener: ListenerId(0),
        transport: Transport::Udp,
        local: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
        peer: SocketAddr::from(([10, 0, 0, last], port)),
        conn: None,
    }
}

fn tcp(conn: u64) -> Flow {
    Flow { transport: Transport::Tcp, conn: Some(ConnId(conn)), ..udp(1, 40_000) }
}

/// A REGISTER with these header lines beside the obligatory ones.
fn register(call_id: &str, cseq: u32, lines: &[&str]) -> Message {
    let more: String = lines.iter().map(|l| format!("{l}\r\n")).collect();
    let text = format!(
        "REGISTER sip:demo.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\nFrom: <sip:1001@demo.example>;tag=a\r\n\
         To: <sip:1001@demo.example>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{more}\
         Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).expect("a valid REGISTER")
}

/// Sends it for 1001 of the demo tenant from 10.0.0.1.
fn send(r: &mut Registrar, now: Now, request: &Message) -> Registered {
    send_over(r, now, request, udp(1, 5060))
}

fn send_over(r: &mut Registrar, now: Now, request: &Message, flow: Flow) -> Registered {
    r.handle(now, request, flow, &tenant(0, "demo"), "1001", false)
}

fn contacts(done: &Registered) -> Vec<&str> {
    let of =
        |(name, value): &'_ (HeaderName, String)| *name == HeaderName::Contact && !value.is_empty();
    done.response.extra.iter().filter(|e| of(e)).map(|(_, v)| v.as_str()).collect()
}

fn uris(r: &Registrar) -> Vec<String> {
    r.lookup(TenantId(0), "1001").into_iter().map(|b| b.uri.clone()).collect()
}
