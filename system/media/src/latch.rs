//! The latch: whose packets a port believes, and where it sends (symmetric RTP, RFC 4961 §4,
//! RFC 7362 §4 on why not to believe more). One per port: RTP and RTCP have each their own.
//! Owns: the believed peer. Does not know: packets' contents, links, sockets. Missing: nothing.
//!
//! ```text
//!            packet from the SDP or the signalling address          its address, port and SSRC
//!  Waiting ─────────────────────────────────────────────▶ Latched ◀───────────┐
//!   ▲  └─ any other: stranger                              │ │ └──────────────┘
//!   │                                                      │ ├─ new port, same address and SSRC,
//!   │                                                      │ │  after 200 ms of silence ─▶ moved
//!   │                                                      │ ├─ new SSRC, same address and port,
//!   │                                                      │ │  after 200 ms of silence ─▶ moved
//!   │                                                      │ └─ any other: stranger
//!   └─ the SDP names another address, or neither address is the peer's any more
//! ```
//! Sent to: the latched peer; before any latch the SDP address, if it is routable.
use crate::address::{Addr, is_routable};
use crate::wire::Ssrc;
use bitspath_core::Instant;
use bitspath_core::limits::RELATCH_SILENCE;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// The two addresses that may latch, from signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Allowed {
    /// Of the peer's SDP, with its port.
    pub sdp: Option<Addr>,
    pub signalling: IpAddr,
    /// Ours, to know what is routable from here.
    pub local: IpAddr,
}

impl Allowed {
    fn covers(&self, peer: Addr) -> bool {
        self.sdp.is_some_and(|sdp| sdp.same_ip(peer)) || Addr::from(self.signalling).same_ip(peer)
    }

    /// Where to send before any latch.
    pub fn first_destination(&self) -> Option<Addr> {
        self.sdp.filter(|sdp| is_routable(*sdp, self.signalling, self.local))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Latch {
    #[default]
    Waiting,
    Latched {
        peer: Addr,
        ssrc: Ssrc,
        last: Instant,
    },
}

/// What a packet is to the latch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Belief {
    /// From the latched peer, under the latched SSRC.
    Same,
    /// The first packet of all.
    First,
    /// The same peer at a new port.
    NewPort,
    /// The same peer with a new SSRC.
    NewSource,
    Stranger,
}

impl Latch {
    /// The common case, alone so that it can be inlined; anything else goes to [`Self::judge`].
    #[inline]
    pub fn is_same(&mut self, now: Instant, from: Addr, source: Ssrc) -> bool {
        match self {
            Latch::Latched { peer, ssrc, last } if *peer == from && *ssrc == source => {
                *last = now;
                true
            }
            _ => false,
        }
    }

    pub fn judge(&mut self, now: Instant, allowed: &Allowed, from: Addr, source: Ssrc) -> Belief {
        let belief = match *self {
            Latch::Waiting if allowed.covers(from) => Belief::First,
            Latch::Waiting => Belief::Stranger,
            Latch::Latched { peer, ssrc, .. } if peer == from && ssrc == source => Belief::Same,
            Latch::Latched { last, .. } if now.since(last) < RELATCH_SILENCE => Belief::Stranger,
            Latch::Latched { peer, ssrc, .. } if peer.same_ip(from) && ssrc == source => {
                Belief::NewPort
            }
            Latch::Latched { peer, .. } if peer == from => Belief::NewSource,
            Latch::Latched { .. } => Belief::Stranger,
        };
        if belief != Belief::Stranger {
            *self = Latch::Latched { peer: from, ssrc: source, last: now };
        }
        belief
    }

    /// New signalling: a latch that it contradicts is given up. True when it was.
    pub fn modify(&mut self, before: &Allowed, after: &Allowed) -> bool {
        let Latch::Latched { peer, .. } = *self else { return false };
        let moved = before.sdp.is_some() && after.sdp.is_some() && before.sdp != after.sdp;
        if moved || !after.covers(peer) {
            *self = Latch::Waiting;
            return true;
        }
        false
    }

    pub fn peer(&self) -> Option<Addr> {
        match self {
            Latch::Waiting => None,
            Latch::Latched { peer, .. } => Some(*peer),
        }
    }

    pub fn destination(&self, allowed: &Allowed) -> Option<Addr> {
        self.peer().or_else(|| allowed.first_destination())
    }

    /// When the peer was last heard.
    pub fn last(&self) -> Option<Instant> {
        match self {
            Latch::Waiting => None,
            Latch::Latched { last, .. } => Some(*last),
        }
    }
}

#[cfg(test)]
mod tests;
