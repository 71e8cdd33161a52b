//! Captures of either format to packets. Link layers: raw IP, Ethernet with VLAN tags and PPPoE,
//! Linux cooked 1 and 2, BSD loopback. Frames that are not IP, and segments without payload, are
//! passed over; what the file itself has wrong is a fault.
use super::{Packet, ip};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The capture is damaged: number of the packet (from 1) and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketFault {
    pub number: usize,
    pub what: String,
}

impl fmt::Display for PacketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packet {}: {}", self.number, self.what)
    }
}

/// Datagrams waiting for fragments at one time. Brim: the oldest is forgotten.
const FRAGMENTED_MAX: usize = 256;
/// A joined datagram cannot be larger, RFC 791 §3.2.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// All packets of a capture held in memory. What came before damage is given with it.
pub fn packets(file: &[u8]) -> (Vec<Packet>, Option<PacketFault>) {
    let mut joiner = Joiner::default();
    let mut out = Vec::new();
    let mut number = 0;
    let mut each = |at: Duration, link: DataLink, frame: &[u8]| {
        out.extend(strip(link, frame).and_then(|packet| joiner.packet(at, packet)));
    };
    let ng = file.starts_with(&[0x0A, 0x0D, 0x0D, 0x0A]);
    let result = if ng {
        read_ng(file, &mut number, &mut each)
    } else {
        read_old(file, &mut number, &mut each)
    };
    let fault = result.err().map(|what| PacketFault { number: number + 1, what });
    (out, fault)
}

/// Whether these octets begin a capture of either format.
pub fn is_capture(file: &[u8]) -> bool {
    let magics: [[u8; 4]; 5] = [
        [0x0A, 0x0D, 0x0D, 0x0A],
        [0xA1, 0xB2, 0xC3, 0xD4],
        [0xD4, 0xC3, 0xB2, 0xA1],
        [0xA1, 0xB2, 0x3C, 0x4D],
        [0x4D, 0x3C, 0xB2, 0xA1],
    ];
    magics.iter().any(|m| file.starts_with(m))
}

type Each<'a> = dyn FnMut(Duration, DataLink, &[u8]) + 'a;

fn read_ng(file: &[u8], number: &mut usize, each: &mut Each<'_>) -> Result<(), String> {
    let mut reader = PcapNgReader::new(file).map_err(|e| e.to_string())?;
    while let Some(block) = reader.next_block() {
        match block.map_err(|e| e.to_string())? {
            (Block::EnhancedPacket(p), state) => {
                let interface = state.interfaces().get(p.interface_id as usize);
                let link = interface.map_or(DataLink::ETHERNET, |i| i.linktype);
                *number += 1;
                each(p.timestamp, link, &p.data);
            }
            (Block::SimplePacket(p), state) => {
                let link = state.interfaces().first().map_or(DataLink::ETHERNET, |i| i.linktype);
                *number += 1;
                each(Duration::ZERO, link, &p.data);
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_old(file: &[u8], number: &mut usize, each: &mut Each<'_>) -> Result<(), String> {
    let mut reader = PcapReader::new(file).map_err(|e| e.to_string())?;
    let link = reader.header().datalink;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.map_err(|e| e.to_string())?;
        *number += 1;
        each(packet.timestamp(), link, packet.data());
    }
    Ok(())
}

/// The IP packet inside a frame.
fn strip(link: DataLink, frame: &[u8]) -> Option<&[u8]> {
    match link {
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => Some(frame),
        DataLink::NULL | DataLink::LOOP => frame.get(4..),
        DataLink::LINUX_SLL => tagged(frame.get(14..)?),
        DataLink::LINUX_SLL2 => {
            let kind = frame.get(..2)?;
            is_ip(kind).then(|| frame.get(20..)).flatten()
        }
        DataLink::ETHERNET => tagged(frame.get(12..)?),
        _ => None,
    }
}

/// Follows VLAN tags and PPPoE to the IP packet behind the EtherType.
fn tagged(mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..3 {
        let (kind, behind) = rest.split_at_checked(2)?;
        if is_ip(kind) {
            return Some(behind);
        }
        rest = match kind {
            [0x81, 0x00] | [0x88, 0xA8] => behind.get(2..)?,
            // A PPPoE session, RFC 2516 §4: six octets, then a PPP protocol number.
            [0x88, 0x64] => {
                let (kind, packet) = behind.get(6..)?.split_at_checked(2)?;
                return matches!(kind, [0x00, 0x21] | [0x00, 0x57]).then_some(packet);
            }
            _ => return None,
        };
    }
    None
}

fn is_ip(kind: &[u8]) -> bool {
    matches!(kind, [0x08, 0x00] | [0x86, 0xDD])
}

/// Joins IPv4 fragments: SIP over UDP is often larger than a link.
#[derive(Default)]
struct Joiner {
    waiting: BTreeMap<(IpAddr, IpAddr, u8, u16), Parts>,
    order: u64,
}

struct Parts {
    order: u64,
    /// Fragments by offset.
    parts: BTreeMap<usize, Vec<u8>>,
    /// Length of the whole, known with the last fragment.
    whole: Option<usize>,
}

impl Joiner {
    fn packet(&mut self, at: Duration, packet: &[u8]) -> Option<Packet> {
        let datagram = ip::parse(packet)?;
        if datagram.offset == 0 && !datagram.more {
            return finish(at, &datagram, datagram.body);
        }
        let body = self.join(&datagram)?;
        finish(at, &datagram, &body)
    }

    fn join(&mut self, part: &ip::Datagram<'_>) -> Option<Vec<u8>> {
        if part.offset + part.body.len() > DATAGRAM_BYTES_MAX {
            return None;
        }
        let key = (part.source, part.destination, part.protocol, part.identification);
        self.order += 1;
        let order = self.order;
        let parts = self.waiting.entry(key).or_insert_with(|| Parts {
            order,
            parts: BTreeMap::new(),
            whole: None,
        });
        parts.parts.insert(part.offset, part.body.to_vec());
        if !part.more {
            parts.whole = Some(part.offset + part.body.len());
        }
        if let Some(body) = parts.body() {
            self.waiting.remove(&key);
            return Some(body);
        }
        if self.waiting.len() > FRAGMENTED_MAX {
            let oldest = self.waiting.iter().min_by_key(|(_, p)| p.order).map(|(k, _)| *k);
            oldest.and_then(|k| self.waiting.remove(&k));
        }
        None
    }
}

impl Parts {
    fn body(&self) -> Option<Vec<u8>> {
        let whole = self.whole?;
        let mut body = Vec::with_capacity(whole);
        for (offset, part) in &self.parts {
            if *offset > body.len() {
                return None;
            }
            body.truncate(*offset);
            body.extend_from_slice(part);
        }
        (body.len() >= whole).then_some(body)
    }
}

fn finish(at: Duration, datagram: &ip::Datagram<'_>, body: &[u8]) -> Option<Packet> {
    let (from, to, carrier, payload) = ip::parse_transport(datagram.protocol, body)?;
    if payload.is_empty() && matches!(carrier, super::Carrier::Tcp { .. }) {
        return None;
    }
    Some(Packet {
        at,
        source: SocketAddr::new(datagram.source, from),
        destination: SocketAddr::new(datagram.destination, to),
        carrier,
        payload: payload.to_vec(),
    })
}
