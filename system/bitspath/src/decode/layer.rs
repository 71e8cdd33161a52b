//! One message of one layer to its golden text.
use super::{Block, stun};
use bitspath_core::Bytes;
use bitspath_media::wire::{Compound, Packet};
use bitspath_sip::Message;
use bitspath_sip::sdp::Session;
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Layer {
    Sip,
    Sdp,
    Rtp,
    Rtcp,
    Stun,
}

impl Layer {
    /// What these octets look like, RFC 7983 §7 for the binary ones.
    pub fn guess(bytes: &[u8]) -> Option<Layer> {
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        if line.windows(4).any(|w| w == b"SIP/") {
            return Some(Layer::Sip);
        }
        if bytes.starts_with(b"v=0") {
            return Some(Layer::Sdp);
        }
        if stun::is_stun(bytes) {
            return Some(Layer::Stun);
        }
        match bytes {
            [128..=191, 192..=223, ..] if bytes.len() >= 8 => Some(Layer::Rtcp),
            [128..=191, ..] if bytes.len() >= 12 => Some(Layer::Rtp),
            _ => None,
        }
    }
}

pub fn decode(layer: Layer, bytes: &[u8]) -> Block {
    match layer {
        Layer::Sip => sip(bytes),
        Layer::Sdp => sdp(bytes),
        Layer::Rtp => line(Packet::parse(bytes).map(|p| p.to_string()), bytes),
        Layer::Rtcp => line(Compound::parse(bytes).map(|c| c.to_string()), bytes),
        Layer::Stun => line(stun::parse(bytes), bytes),
    }
}

fn line<E: std::fmt::Display>(parsed: Result<String, E>, bytes: &[u8]) -> Block {
    match parsed {
        Ok(text) => Block { text: text + "\n", rejected: None },
        Err(e) => {
            Block { text: format!("{} octets\n", bytes.len()), rejected: Some(e.to_string()) }
        }
    }
}

fn sip(bytes: &[u8]) -> Block {
    let parsed = Message::parse(Bytes::copy_from_slice(bytes));
    let mut text = String::new();
    let (message, rejected) = match &parsed {
        Ok(message) => (Some(message), None),
        Err(rejected) => (rejected.partial.as_deref(), Some(rejected.to_string())),
    };
    if let Some(message) = message {
        head(message, &mut text);
    } else {
        let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        text.push_str(&plain(first));
        text.push('\n');
    }
    let Some(message) = message.filter(|m| !m.body().is_empty()) else {
        return Block { text, rejected };
    };
    text.push('\n');
    if message.is_content_type("application/sdp") {
        let Block { text: body, rejected: why } = sdp(message.body());
        text.push_str(&body);
        let why = why.map(|why| format!("body: {why}"));
        return Block { text, rejected: rejected.or(why) };
    }
    for line in message.body().split(|b| *b == b'\n') {
        text.push_str(&plain(line));
        text.push('\n');
    }
    Block { text, rejected }
}

fn head(message: &Message, text: &mut String) {
    // The start line as it is; header values trimmed, folds undone.
    let bytes = message.bytes();
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(0);
    let rest = bytes.get(start..).unwrap_or_default();
    let _ = writeln!(text, "{}", plain(rest.split(|b| *b == b'\n').next().unwrap_or_default()));
    for (name, value) in message.lines() {
        let value: Vec<&str> = value.split(['\r', '\n']).map(str::trim).collect();
        let value: Vec<&str> = value.into_iter().filter(|v| !v.is_empty()).collect();
        let _ = writeln!(text, "{name}: {}", plain(value.join(" ").as_bytes()));
    }
}

fn sdp(bytes: &[u8]) -> Block {
    match Session::parse(bytes) {
        Ok(session) => {
            let text = session.emit();
            let lines = text.split(|b| *b == b'\n').filter(|l| !l.is_empty());
            Block { text: lines.map(|l| plain(l) + "\n").collect(), rejected: None }
        }
        Err(e) => {
            let text = bytes.split(|b| *b == b'\n').map(|l| plain(l) + "\n").collect();
            Block { text, rejected: Some(e.to_string()) }
        }
    }
}

/// A line for people: no control characters, what is not UTF-8 as escapes.
fn plain(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut out = String::new();
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && c != '\t' {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|b| {
            let _ = write!(out, "\\x{b:02x}");
        });
    }
    out
}
