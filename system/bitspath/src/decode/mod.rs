//! `bitspath decode`: messages and captures in the golden text form, one block per message. Every
//! block ends with `ok`, or with `rejected: ` and the verdict, offset and expectation.
//! Missing: sctp, m3ua, sccp, tcap, map, tpdu (their layers bring them).
mod layer;
mod stun;

use crate::Exit;
use bitspath_core::Bytes;
use bitspath_sip::wire::{Frame, Framer};
use bitspath_trace::pcapng::{Carrier, Packet, is_capture, packets};
pub use layer::{Layer, decode};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One message, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The message, canonical, without the verdict; every line ends with a newline.
    pub text: String,
    /// `None`: ok.
    pub rejected: Option<String>,
}

impl Block {
    /// The block with its verdict.
    pub fn golden(&self) -> String {
        match &self.rejected {
            None => format!("{}ok\n", self.text),
            Some(why) => format!("{}rejected: {why}\n", self.text),
        }
    }
}

/// Decodes files to stdout.
pub fn files(paths: &[PathBuf], layer: Option<Layer>, hex: bool) -> Exit {
    let mut all_ok = true;
    let mut out = std::io::stdout().lock();
    for path in paths {
        let bytes = match read(path, hex) {
            Ok(bytes) => bytes,
            Err(what) => return Exit::Unusable(what),
        };
        if paths.len() > 1 {
            all_ok &= writeln!(out, "== {}", path.display()).is_ok();
        }
        let (blocks, fault) = blocks(&bytes, layer);
        for block in &blocks {
            // A reader that has gone away has read enough, but not that all is well.
            if writeln!(out, "{}", block.golden()).is_err() {
                return Exit::Failed;
            }
            all_ok &= block.rejected.is_none();
        }
        if let Some(fault) = fault {
            return Exit::Unusable(format!("{}: {fault}", path.display()));
        }
    }
    if all_ok { Exit::Done } else { Exit::Failed }
}

fn read(path: &Path, hex: bool) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    if !hex {
        return Ok(bytes);
    }
    unhex(&bytes).ok_or_else(|| format!("{}: this is not hex", path.display()))
}

/// Hex digits to octets; blanks, newlines and colons between them do not matter.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .iter()
        .filter(|b| !b.is_ascii_whitespace() && **b != b':')
        .map(|b| char::from(*b).to_digit(16).map(|d| d as u8))
        .collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then_some(())?;
    Some(pairs.map(|p| p.iter().fold(0, |high, low| high << 4 | low)).collect())
}

/// The blocks of one file, and what is wrong with a capture itself.
pub fn blocks(bytes: &[u8], layer: Option<Layer>) -> (Vec<Block>, Option<String>) {
    if !is_capture(bytes) {
        let layer = layer.or_else(|| Layer::guess(bytes)).unwrap_or(Layer::Sip);
        return (vec![decode(layer, bytes)], None);
    }
    let (list, fault) = packets(bytes);
    let mut streams = Streams::default();
    let mut out = Vec::new();
    for packet in &list {
        let head = head(packet);
        for payload in streams.payloads(packet) {
            // Without --as, what is none of our protocols is passed over.
            let guess = || Layer::guess(&payload).filter(|_| packet.source.port() != 0);
            let Some(layer) = layer.or_else(guess) else { continue };
            let Block { text, rejected } = decode(layer, &payload);
            out.push(Block { text: format!("{head}\n{text}"), rejected });
        }
    }
    (out, fault.map(|f| f.to_string()))
}

/// `1234.567890 udp 10.0.0.1:5060 > 10.0.0.2:5060`
fn head(packet: &Packet) -> String {
    let carrier = match packet.carrier {
        Carrier::Udp => "udp".to_owned(),
        Carrier::Tcp { .. } => "tcp".to_owned(),
        Carrier::Ip { protocol } => format!("ip{protocol}"),
    };
    let (secs, micros) = (packet.at.as_secs(), packet.at.subsec_micros());
    format!("{secs}.{micros:06} {carrier} {} > {}", packet.source, packet.destination)
}

/// TCP directions: what was seen is skipped when it is sent again, frames are cut as SIP does.
#[derive(Default)]
struct Streams(BTreeMap<(SocketAddr, SocketAddr), (u32, Framer)>);

impl Streams {
    fn payloads(&mut self, packet: &Packet) -> Vec<Bytes> {
        let Carrier::Tcp { seq } = packet.carrier else {
            return vec![Bytes::copy_from_slice(&packet.payload)];
        };
        let key = (packet.source, packet.destination);
        let (next, framer) = self.0.entry(key).or_insert_with(|| (seq, Framer::new()));
        // How much of this segment was there before; a gap loses the stream's border.
        let behind = next.wrapping_sub(seq);
        let fresh = if behind < 0x8000_0000 {
            packet.payload.get(behind as usize..).unwrap_or_default()
        } else {
            *framer = Framer::new();
            &packet.payload
        };
        if fresh.is_empty() {
            return Vec::new();
        }
        *next = seq.wrapping_add(packet.payload.len() as u32);
        framer.push(fresh);
        let mut out = Vec::new();
        while let Some(frame) = framer.next() {
            match frame {
                Ok(Frame::Message(bytes)) => out.push(bytes),
                Ok(Frame::Ping) => {}
                // Not SIP, or not any more: the segment is shown as it is.
                Err(_) => {
                    *framer = Framer::new();
                    out.push(Bytes::copy_from_slice(fresh));
                    break;
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests;
