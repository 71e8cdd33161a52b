//! Where a message came from and where its answer goes — RFC 3261 §18.2, RFC 3581, RFC 5626.
//! Owns: the flow, the `received`/`rport` stamp, the address of a response.
//! Does not know: DNS; a `maddr` that is a name is left aside.
use crate::wire::Via;
use alloc::format;
use alloc::string::String;
use bitspath_core::net::Transport;
use bitspath_core::{ConnId, ListenerId};
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};

/// One way to one peer: listener, transport, our address, the peer's, the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub listener: ListenerId,
    pub transport: Transport,
    /// The address that the peer sent to; unspecified when the route decides.
    pub local: IpAddr,
    pub peer: SocketAddr,
    /// `None` on a stream transport: whatever connection to `peer` there is, or a new one.
    pub conn: Option<ConnId>,
}

/// The port of a sent-by that names none.
const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Tls => 5061,
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Ws => 80,
        Transport::Wss => 443,
    }
}

//= RFC 3261 §18.2.2
/// Where the response to a datagram goes: `maddr`, else (RFC 3581) straight back when `rport`
/// stands in the Via, else to the source address at the port of sent-by.
pub fn reply_to(via: &Via<'_>, source: SocketAddr) -> SocketAddr {
    let port = via.port.unwrap_or(default_port(Transport::Udp));
    let maddr = via.maddr().map(unbracketed).and_then(|text| text.parse::<IpAddr>().ok());
    match maddr {
        Some(ip) => SocketAddr::new(ip, port),
        None if via.rport().is_some() => source,
        None => SocketAddr::new(source.ip(), port),
    }
}

//= RFC 3261 §18.2.1
//= RFC 3581 §4
/// The top Via as we received it: with `received` when sent-by is not the source address or when
/// `rport` was asked for, and `rport` filled in. What the sender wrote there itself is replaced.
pub fn stamped(via: &Via<'_>, source: SocketAddr) -> String {
    let wants_rport = via.rport().is_some();
    let is_source = unbracketed(via.host).parse::<IpAddr>().is_ok_and(|ip| ip == source.ip());
    let mut text = String::with_capacity(via.text.len() + 48);
    for (n, piece) in pieces(via.text).enumerate() {
        let name = piece.split('=').next().unwrap_or("").trim();
        let is_ours = name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport");
        if n == 0 || !is_ours {
            text.push_str(if n == 0 { "" } else { ";" });
            text.push_str(piece.trim());
        }
    }
    if wants_rport || !is_source {
        text.push_str(&format!(";received={}", source.ip()));
    }
    if wants_rport {
        text.push_str(&format!(";rport={}", source.port()));
    }
    text
}

/// Splits at the semicolons that stand outside quotes.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' => return !quoted,
            _ => {}
        }
        false
    })
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("address")
    }
    fn via(text: &str) -> Via<'_> {
        Via::parse(text).expect("via")
    }

    #[test]
    fn a_response_goes_where_18_2_2_and_rfc_3581_send_it() {
        //= RFC 3261 §18.2.2 type=test
        let source = at("192.0.2.9:40000");
        for (text, goes) in [
            ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;rport", "192.0.2.9:40000"),
            ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa", "192.0.2.9:5070"),
            ("SIP/2.0/UDP phone.example;branch=z9hG4bKa", "192.0.2.9:5060"),
            ("SIP/2.0/UDP 10.0.0.1;maddr=239.1.1.1;rport", "239.1.1.1:5060"),
            ("SIP/2.0/UDP 10.0.0.1;maddr=a.example;rport", "192.0.2.9:40000"),
        ] {
            assert_eq!(reply_to(&via(text), source), at(goes), "{text}");
        }
    }

    #[test]
    fn the_stamp_says_the_truth_and_removes_lies() {
        //= RFC 3581 §4 type=test
        let source = at("192.0.2.9:40000");
        for (text, want) in [
            ("SIP/2.0/UDP 192.0.2.9:5070;branch=a", "SIP/2.0/UDP 192.0.2.9:5070;branch=a"),
            ("SIP/2.0/UDP 10.0.0.1;branch=a", "SIP/2.0/UDP 10.0.0.1;branch=a;received=192.0.2.9"),
            (
                "SIP/2.0/UDP 192.0.2.9;rport;branch=a",
                "SIP/2.0/UDP 192.0.2.9;branch=a;received=192.0.2.9;rport=40000",
            ),
            (
                "SIP/2.0/UDP a ;rport=1; Received=9.9.9.9 ;x=\"a;received=b\";branch=a",
                "SIP/2.0/UDP a;x=\"a;received=b\";branch=a;received=192.0.2.9;rport=40000",
            ),
        ] {
            assert_eq!(stamped(&via(text), source), want);
        }
    }

    #[test]
    fn an_ipv6_sent_by_is_compared_as_an_address() {
        let source = at("[2001:db8::1]:5060");
        let same = "SIP/2.0/UDP [2001:DB8:0::1];branch=a";
        assert_eq!(stamped(&via(same), source), same);
    }
}
