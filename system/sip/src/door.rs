//! The door: what is done with a datagram before any Node sees it (ARCHITECTURE rule 3).
//! Owns: keep-alives (RFC 5626 §3.5, RFC 8489 binding requests), what is no SIP, the class by which
//! a full house sheds.  Does not know: messages; nothing here counts as malformed.
//!
//! ```text
//!   bytes ─▶ empty, CRLF, NUL ─▶ Drop(KeepAlive)     CRLF CRLF ─▶ Ping     STUN ─▶ Stun | Drop
//!         └▶ first line with "SIP/" ─▶ Sip(class)    the rest ─▶ Drop(NotSip)
//! ```
use crate::method::Method;
use crate::wire::chars::{self, TOKEN};
use crate::wire::{HeaderName, head_values};
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};

/// What to do with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Answer with these octets.
    Ping(&'static [u8]),
    /// Answer with this STUN message.
    Stun(StunReply),
    /// Swallow; count by reason.
    Drop(Why),
    Sip(Class),
}

/// Why a datagram was swallowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Why {
    /// Empty, one CRLF, NULs: it has done its work on the way here.
    KeepAlive,
    /// STUN that is no binding request.
    Stun,
    NotSip,
}

/// In the order in which a full house keeps them: the last is shed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Responses, ACK, CANCEL and every request with a To tag: work that is under way.
    InDialog,
    Invite,
    Register,
    Other,
}

impl Class {
    pub const ALL: [Class; 4] = [Class::InDialog, Class::Invite, Class::Register, Class::Other];
}

pub fn classify(bytes: &[u8], peer: SocketAddr) -> Door {
    if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0)) {
        //= RFC 5626 §3.5.1
        return match bytes {
            b"\r\n\r\n" => Door::Ping(b"\r\n"),
            _ => Door::Drop(Why::KeepAlive),
        };
    }
    if let Some(reply) = stun(bytes, peer) {
        return reply;
    }
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(0);
    let message = bytes.get(start..).unwrap_or(&[]);
    let line = message.split(|&b| b == b'\n').next().unwrap_or(&[]);
    let names_sip = line.windows(4).any(|w| w.eq_ignore_ascii_case(b"SIP/"));
    if !names_sip || !line.first().is_some_and(|&b| chars::is(b, TOKEN)) {
        return Door::Drop(Why::NotSip);
    }
    Door::Sip(class(message, line))
}

fn class(message: &[u8], line: &[u8]) -> Class {
    let end = chars::skip(line, 0, TOKEN);
    let word = line.get(..end).and_then(|w| core::str::from_utf8(w).ok()).unwrap_or("");
    match Method::parse(word) {
        Method::Ack | Method::Cancel | Method::Bye | Method::Prack => Class::InDialog,
        _ if line.get(end) == Some(&b'/') => Class::InDialog,
        _ if has_to_tag(message) => Class::InDialog,
        Method::Invite => Class::Invite,
        Method::Register => Class::Register,
        _ => Class::Other,
    }
}

/// Is there a `tag` parameter in the first To? A guess on raw bytes; the parser decides.
fn has_to_tag(message: &[u8]) -> bool {
    let to = head_values(message, HeaderName::To).next().unwrap_or(&[]);
    let after = to.iter().rposition(|&b| b == b'>').map_or(0, |i| i + 1);
    let params = to.get(after..).unwrap_or(&[]);
    params.split(|&b| b == b';').skip(1).any(|p| {
        let name = p.split(|&b| b == b'=').next().unwrap_or(&[]);
        name.trim_ascii().eq_ignore_ascii_case(b"tag")
    })
}

const COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const HEADER: usize = 20;

/// A STUN answer of at most 44 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StunReply {
    bytes: [u8; 44],
    len: usize,
}

impl StunReply {
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

/// `None`: no STUN message (RFC 8489 §5: two zero bits, the cookie, a length that fits).
fn stun(bytes: &[u8], peer: SocketAddr) -> Option<Door> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let [kind_high, kind_low, len_high, len_low, c0, c1, c2, c3, id @ ..] = *header;
    let length = usize::from(u16::from_be_bytes([len_high, len_low]));
    if kind_high & 0xc0 != 0 || [c0, c1, c2, c3] != COOKIE || length % 4 != 0 {
        return None;
    }
    if bytes.len() != HEADER + length || [kind_high, kind_low] != [0, 1] {
        return Some(Door::Drop(Why::Stun));
    }
    //= RFC 8489 §14.2
    // XOR-MAPPED-ADDRESS: the peer as we see it, masked by cookie and transaction id.
    let mut reply = StunReply { bytes: [0; 44], len: 0 };
    let (family, size): (u8, u8) =
        if peer.ip().to_canonical().is_ipv4() { (1, 8) } else { (2, 20) };
    reply.push(&[0x01, 0x01, 0, size + 4]);
    reply.push(&COOKIE);
    reply.push(&id);
    reply.push(&[0x00, 0x20, 0, size, 0, family]);
    let mut mask = [0u8; 16];
    for (m, b) in mask.iter_mut().zip(COOKIE.iter().chain(&id)) {
        *m = *b;
    }
    let port = peer.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
    reply.push(&port.to_be_bytes());
    let masked = |octet: (&u8, &u8)| octet.0 ^ octet.1;
    match peer.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets().iter().zip(&mask).map(masked).for_each(|b| reply.push(&[b])),
        IpAddr::V6(ip) => ip.octets().iter().zip(&mask).map(masked).for_each(|b| reply.push(&[b])),
    }
    Some(Door::Stun(reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn peer() -> SocketAddr {
        "192.0.2.1:32853".parse().expect("an address")
    }

    #[test]
    fn keep_alives_are_swallowed_or_answered() {
        for quiet in [&b""[..], b"\r\n", b"\n", b"\0\0\0\0", b" "] {
            assert_eq!(classify(quiet, peer()), Door::Drop(Why::KeepAlive), "{quiet:?}");
        }
        assert_eq!(classify(b"\r\n\r\n", peer()), Door::Ping(b"\r\n"));
    }

    #[test]
    fn what_is_no_sip_is_dropped_and_what_may_be_goes_to_the_parser() {
        for other in [&b"jaK"[..], b"GET / HTTP/1.1\r\n\r\n", b"\x80\0\0\0", b"hello SIP world"] {
            assert_eq!(classify(other, peer()), Door::Drop(Why::NotSip), "{other:?}");
        }
        for sip in [&b"INVITE  sip:a@b  SIP/2.0\r\n"[..], b"OPTIONS x sip/7.0", b"\r\nX y SIP/"] {
            assert!(matches!(classify(sip, peer()), Door::Sip(_)), "{sip:?}");
        }
    }

    #[test]
    fn work_under_way_stands_before_new_work() {
        let class = |text: &str| classify(text.as_bytes(), peer());
        assert_eq!(class("SIP/2.0 200 OK\r\n\r\n"), Door::Sip(Class::InDialog));
        assert_eq!(class("BYE sip:a SIP/2.0\r\n\r\n"), Door::Sip(Class::InDialog));
        let invite = "INVITE sip:a SIP/2.0\r\nVia: x\r\nt : <sip:a;tag=1>";
        assert_eq!(class(&std::format!("{invite}\r\n\r\n")), Door::Sip(Class::Invite));
        assert_eq!(
            class(&std::format!("{invite}\r\n ; TAG =1\r\n\r\n")),
            Door::Sip(Class::InDialog)
        );
        assert_eq!(class("REGISTER sip:a SIP/2.0\r\n\r\n"), Door::Sip(Class::Register));
        assert_eq!(class("OPTIONS sip:a SIP/2.0\r\n\r\n"), Door::Sip(Class::Other));
        assert!(Class::ALL.is_sorted());
    }

    /// The transaction id, address and answer of RFC 5769 §2.2 and §2.3, without their signatures.
    //= RFC 8489 §14.2 type=test
    #[test]
    fn a_binding_request_learns_where_it_came_from() {
        let id = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let request = [&[0, 1, 0, 0][..], &COOKIE, &id].concat();
        let Door::Stun(reply) = classify(&request, peer()) else { panic!("no reply") };
        let v4 = [0x00, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(reply.as_bytes(), [&[1, 1, 0, 12][..], &COOKIE, &id, &v4].concat());
        let far = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().expect("an address");
        let Door::Stun(reply) = classify(&request, far) else { panic!("no reply") };
        let v6 = [
            0x00, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
            0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(reply.as_bytes(), [&[1, 1, 0, 24][..], &COOKIE, &id, &v6].concat());
        let indication = [&[0, 0x11, 0, 0][..], &COOKIE, &id].concat();
        assert_eq!(classify(&indication, peer()), Door::Drop(Why::Stun));
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..80), sip: bool,
        ) {
            let line = if sip { &b"INVITE sip:a SIP/2.0\r\nTo: "[..] } else { b"" };
            let all: Vec<u8> = [line, &bytes].concat();
            let _ = classify(&all, peer());
        }
    }
}
