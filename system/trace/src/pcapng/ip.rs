//! Just enough of IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768) and TCP (RFC 9293) to write and
//! read captures. Emits correct checksums, believes any.
use super::Carrier;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const UDP: u8 = 17;
const TCP: u8 = 6;
const IPV6_FRAGMENT: u8 = 44;
/// IPv6 extension headers followed in one packet.
const EXTENSIONS_MAX: usize = 8;

/// One IP packet, or `None` when the two addresses are of different families or it is too large.
pub(super) fn emit(
    source: SocketAddr,
    destination: SocketAddr,
    carrier: Carrier,
    ack: u32,
    identification: u16,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let (protocol, mut body) = match carrier {
        Carrier::Udp => (UDP, udp_header(source.port(), destination.port(), payload.len())?),
        Carrier::Tcp { seq } => (TCP, tcp_header(source.port(), destination.port(), seq, ack)),
        Carrier::Ip { protocol } => (protocol, Vec::new()),
    };
    body.extend_from_slice(payload);
    let mut packet = match (source.ip(), destination.ip()) {
        (IpAddr::V4(s), IpAddr::V4(d)) => v4_header(s, d, protocol, identification, body.len())?,
        (IpAddr::V6(s), IpAddr::V6(d)) => v6_header(s, d, protocol, body.len())?,
        _ => return None,
    };
    let sum_at = match protocol {
        UDP => 6,
        TCP => 16,
        _ => body.len(),
    };
    let sum = transport_sum(source.ip(), destination.ip(), protocol, &body);
    if let Some(place) = body.get_mut(sum_at..sum_at + 2) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    packet.extend_from_slice(&body);
    Some(packet)
}

fn udp_header(source: u16, destination: u16, payload: usize) -> Option<Vec<u8>> {
    let length = u16::try_from(payload + 8).ok()?;
    Some([source, destination, length, 0].iter().flat_map(|w| w.to_be_bytes()).collect())
}

fn tcp_header(source: u16, destination: u16, seq: u32, ack: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    out.extend_from_slice(&source.to_be_bytes());
    out.extend_from_slice(&destination.to_be_bytes());
    out.extend_from_slice(&seq.to_be_bytes());
    out.extend_from_slice(&ack.to_be_bytes());
    // Five words of header, PSH and ACK, a full window, no checksum yet, nothing urgent.
    out.extend_from_slice(&[0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
    out
}

fn v4_header(s: Ipv4Addr, d: Ipv4Addr, protocol: u8, id: u16, body: usize) -> Option<Vec<u8>> {
    let total = u16::try_from(body + 20).ok()?.to_be_bytes();
    let id = id.to_be_bytes();
    let mut h = vec![0x45, 0, total[0], total[1], id[0], id[1], 0, 0, 64, protocol, 0, 0];
    h.extend_from_slice(&s.octets());
    h.extend_from_slice(&d.octets());
    let sum = fold(words(&h)).to_be_bytes();
    h.get_mut(10..12)?.copy_from_slice(&sum);
    Some(h)
}

fn v6_header(s: Ipv6Addr, d: Ipv6Addr, protocol: u8, body: usize) -> Option<Vec<u8>> {
    let length = u16::try_from(body).ok()?.to_be_bytes();
    let mut h = vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    h.extend_from_slice(&s.octets());
    h.extend_from_slice(&d.octets());
    Some(h)
}

//= RFC 768
// The checksum covers a pseudo header; a sum of zero is sent as all ones.
fn transport_sum(s: IpAddr, d: IpAddr, protocol: u8, body: &[u8]) -> u16 {
    let octets = |ip| match ip {
        IpAddr::V4(a) => words(&Ipv4Addr::octets(&a)),
        IpAddr::V6(a) => words(&Ipv6Addr::octets(&a)),
    };
    let sum = octets(s) + octets(d) + u64::from(protocol) + body.len() as u64 + words(body);
    match fold(sum) {
        0 => 0xFFFF,
        sum => sum,
    }
}

fn words(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|w| match w {
            [a, b] => u64::from(u16::from_be_bytes([*a, *b])),
            [a] => u64::from(*a) << 8,
            _ => 0,
        })
        .sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IP packet taken apart.
pub(super) struct Datagram<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub identification: u16,
    /// Offset of this fragment in octets.
    pub offset: usize,
    pub more: bool,
    pub body: &'a [u8],
}

pub(super) fn parse(packet: &[u8]) -> Option<Datagram<'_>> {
    match packet.first()? >> 4 {
        4 => parse_v4(packet),
        6 => parse_v6(packet),
        _ => None,
    }
}

fn parse_v4(packet: &[u8]) -> Option<Datagram<'_>> {
    let head = packet.get(..20)?;
    let length = usize::from(*head.first()? & 15) * 4;
    let total = usize::from(be16(head, 2)?);
    let flags = be16(head, 6)?;
    // Segmentation offload leaves a total length of zero: the capture ends the packet.
    let end = if total == 0 { packet.len() } else { total.min(packet.len()) };
    let address = |at: usize| -> Option<IpAddr> {
        Some(IpAddr::from(<[u8; 4]>::try_from(head.get(at..at + 4)?).ok()?))
    };
    Some(Datagram {
        source: address(12)?,
        destination: address(16)?,
        protocol: *head.get(9)?,
        identification: be16(head, 4)?,
        offset: usize::from(flags & 0x1FFF) * 8,
        more: flags & 0x2000 != 0,
        body: packet.get(length..end)?,
    })
}

fn parse_v6(packet: &[u8]) -> Option<Datagram<'_>> {
    let head = packet.get(..40)?;
    let address = |at: usize| -> Option<IpAddr> {
        Some(IpAddr::from(<[u8; 16]>::try_from(head.get(at..at + 16)?).ok()?))
    };
    let end = (usize::from(be16(head, 4)?) + 40).min(packet.len());
    let mut protocol = *head.get(6)?;
    let mut body = packet.get(40..end)?;
    for _ in 0..EXTENSIONS_MAX {
        // Hop-by-hop, routing and destination options say their own length in words of eight.
        if !matches!(protocol, 0 | 43 | 60) {
            break;
        }
        protocol = *body.first()?;
        body = body.get(usize::from(*body.get(1)?) * 8 + 8..)?;
    }
    if protocol == IPV6_FRAGMENT {
        return None;
    }
    Some(Datagram {
        source: address(8)?,
        destination: address(24)?,
        protocol,
        identification: 0,
        offset: 0,
        more: false,
        body,
    })
}

/// Ports, carrier and payload of a whole datagram.
pub(super) fn parse_transport(protocol: u8, body: &[u8]) -> Option<(u16, u16, Carrier, &[u8])> {
    match protocol {
        UDP => {
            let end = usize::from(be16(body, 4)?).clamp(8, body.len().max(8));
            Some((be16(body, 0)?, be16(body, 2)?, Carrier::Udp, body.get(8..end)?))
        }
        TCP => {
            let head = usize::from(*body.get(12)? >> 4) * 4;
            let seq = u32::from(be16(body, 4)?) << 16 | u32::from(be16(body, 6)?);
            Some((be16(body, 0)?, be16(body, 2)?, Carrier::Tcp { seq }, body.get(head..)?))
        }
        _ => Some((0, 0, Carrier::Ip { protocol }, body)),
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
