//! The media of one call: two ports of ours, one towards each side, linked to each other (rule 7).
//! Owns: which port is leased, which stream is open, what it was told last.
//! Does not know: packets, SDP.
//! Invariant: a leased port is freed exactly once, in [`Anchor::close`].
//!
//! ```text
//!   Free ─lease▶ Leased ─first SDP of the peer▶ Open ─hang-up▶ Closing ─Closed(stats)▶ Closed
//!                   └──────────hang-up──────────────────────────────────────────────────▲
//! ```
use crate::effect::Effect;
use crate::facts::Facts;
use bitspath_core::Outbox;
use bitspath_media::{Cmd, PortNo, Sink, StreamCfg, StreamId};
use serde::{Deserialize, Serialize};

/// The caller's side of the anchor, then the callee's.
pub const CALLER: usize = 0;
pub const CALLEE: usize = 1;

/// Streams are numbered by call and side, so that an event finds its call without a look-up.
pub const fn stream_id(call: u64, side: usize) -> StreamId {
    StreamId(call << 1 | side as u64 & 1)
}

/// The call and the side of a stream.
pub const fn stream_owner(stream: StreamId) -> (u64, usize) {
    (stream.0 >> 1, (stream.0 & 1) as usize)
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Side {
    #[default]
    Free,
    Leased {
        port: PortNo,
    },
    Open {
        port: PortNo,
        cfg: StreamCfg,
    },
    Closing,
    Closed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    sides: [Side; 2],
    linked: bool,
}

impl Anchor {
    /// Leases a port for each of the first `sides` sides; all or none.
    pub fn lease(&mut self, facts: &Facts<'_>, sides: usize, out: &mut Outbox<Effect>) -> bool {
        if facts.spare_ports.len() < sides {
            return false;
        }
        for (side, port) in self.sides.iter_mut().zip(facts.spare_ports).take(sides) {
            *side = Side::Leased { port: *port };
            out.push(Effect::Lease(*port));
        }
        true
    }

    pub fn port(&self, side: usize) -> Option<PortNo> {
        match self.sides.get(side) {
            Some(Side::Leased { port } | Side::Open { port, .. }) => Some(*port),
            _ => None,
        }
    }

    /// What the peer of `side` said in its last SDP takes effect.
    pub fn set(&mut self, call: u64, at: usize, new: StreamCfg, out: &mut Outbox<Effect>) {
        let stream = stream_id(call, at);
        let Some(side) = self.sides.get_mut(at) else { return };
        match side {
            Side::Leased { port } => {
                out.push(Effect::Media(Cmd::Open { stream, port: *port, cfg: new }));
                *side = Side::Open { port: *port, cfg: new };
            }
            Side::Open { cfg, .. } if *cfg != new => {
                out.push(Effect::Media(Cmd::Modify { stream, cfg: new }));
                *cfg = new;
            }
            // Nothing new, or the call is over.
            _ => {}
        }
    }

    /// Joins the two sides once both are open.
    pub fn link(&mut self, call: u64, out: &mut Outbox<Effect>) {
        let open = self.sides.iter().all(|s| matches!(s, Side::Open { .. }));
        if self.linked || !open {
            return;
        }
        self.linked = true;
        for (from, to) in [(CALLER, CALLEE), (CALLEE, CALLER)] {
            let (stream, sink) = (stream_id(call, from), Sink::Stream(stream_id(call, to)));
            out.push(Effect::Media(Cmd::Link { stream, sink }));
        }
    }

    /// What the caller's side feeds in a call to a service.
    pub fn sink(&self, call: u64, sink: Sink, out: &mut Outbox<Effect>) {
        if matches!(self.sides.first(), Some(Side::Open { .. })) {
            out.push(Effect::Media(Cmd::Link { stream: stream_id(call, CALLER), sink }));
        }
    }

    /// Closes what is open and frees what is leased.
    pub fn close(&mut self, call: u64, out: &mut Outbox<Effect>) {
        for (at, side) in self.sides.iter_mut().enumerate() {
            match side {
                Side::Leased { port } => {
                    out.push(Effect::Free(*port));
                    *side = Side::Closed;
                }
                Side::Open { port, .. } => {
                    out.push(Effect::Media(Cmd::Close { stream: stream_id(call, at) }));
                    out.push(Effect::Free(*port));
                    *side = Side::Closing;
                }
                Side::Free => *side = Side::Closed,
                Side::Closing | Side::Closed => {}
            }
        }
    }

    /// The worker closed this side, with or without being asked. True when that was awaited.
    pub fn closed(&mut self, at: usize) -> bool {
        match self.sides.get_mut(at) {
            Some(side @ Side::Closing) => {
                *side = Side::Closed;
                true
            }
            _ => false,
        }
    }

    /// No statistics are awaited.
    pub fn is_quiet(&self) -> bool {
        !self.sides.iter().any(|s| matches!(s, Side::Closing))
    }
}
