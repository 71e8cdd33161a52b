//! Media goes only where offer and answer sent it: a port of ours was told to one party, and only
//! that party may get packets from it; a port has one stream at a time and rests between two.
//! The ground truth is who really stands at the destination, behind whatever NAT.
use super::Say;
use crate::host::HostId;
use crate::peers::sdp;
use crate::seen::Seen;
use bitspath_core::Instant;
use bitspath_core::limits::PORT_QUARANTINE;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;

#[derive(Clone, Debug, Default)]
struct Port {
    /// Who was told this port, and in which call.
    party: Option<(HostId, String)>,
    open: bool,
    closed_at: Option<Instant>,
    /// Last sequence number by SSRC.
    sequence: BTreeMap<u32, u16>,
}

#[derive(Debug, Default)]
pub struct Media {
    ports: BTreeMap<u16, Port>,
    /// Whether open and close are reported at all.
    reported: bool,
    pub relayed: u64,
}

impl Media {
    /// The system under test describes itself to `to`.
    pub(super) fn offered(&mut self, to: HostId, seen: &Seen) {
        if seen.body().is_empty() {
            return;
        }
        let Some(heard) = sdp::read(seen.body()) else { return };
        for number in heard.ports.into_iter().filter(|p| *p > 0) {
            let port = self.ports.entry(number).or_default();
            if port.party.as_ref().is_none_or(|(h, c)| *h != to || *c != seen.call_id()) {
                port.party = Some((to, seen.call_id().to_owned()));
            }
        }
    }

    pub(super) fn port(&mut self, now: Instant, number: u16, open: bool, say: &mut Say<'_>) {
        self.reported = true;
        let port = self.ports.entry(number).or_default();
        if open {
            if port.open {
                say("a port has one owner", format!("port {number} opened twice"));
            }
            let rested = port.closed_at.is_none_or(|at| now.since(at) + GRACE >= PORT_QUARANTINE);
            if !rested {
                say("a port has one owner", format!("port {number} opened before it rested"));
            }
            port.sequence.clear();
        } else {
            port.closed_at = Some(now);
        }
        port.open = open;
    }

    pub(super) fn sent(
        &mut self,
        to: Option<HostId>,
        from_addr: SocketAddr,
        to_addr: SocketAddr,
        bytes: &Bytes,
        ordered: bool,
        say: &mut Say<'_>,
    ) {
        self.relayed += 1;
        let number = from_addr.port() & !1;
        let reported = self.reported;
        let port = self.ports.entry(number).or_default();
        if reported && !port.open {
            say("media to the negotiated peer", format!("from port {number}, which is closed"));
        }
        match (&port.party, to) {
            (Some((party, _)), Some(to)) if *party == to => {}
            (_, None) => {}
            (party, _) => {
                let told = if party.is_some() { "another party" } else { "nobody" };
                let what = format!("port {number} was told to {told}, and sends to {to_addr}");
                say("media to the negotiated peer", what);
            }
        }
        if !ordered || from_addr.port() & 1 == 1 {
            return;
        }
        let (Some(seq), Some(ssrc)) = (
            bytes.get(2..4).and_then(|b| b.first_chunk::<2>()),
            bytes.get(8..12).and_then(|b| b.first_chunk::<4>()),
        ) else {
            return;
        };
        let (seq, ssrc) = (u16::from_be_bytes(*seq), u32::from_be_bytes(*ssrc));
        if let Some(last) = port.sequence.insert(ssrc, seq)
            && (seq.wrapping_sub(last) == 0 || seq.wrapping_sub(last) > 0x8000)
        {
            say("RTP sequence rises", format!("{seq} after {last} from port {number}"));
        }
    }

    pub(super) fn crashed(&mut self) {
        self.ports.clear();
    }

    /// Ports open now.
    pub fn open(&self) -> usize {
        self.ports.values().filter(|p| p.open).count()
    }
}

/// Commands travel to the shard for a moment; a rest is measured at the shard.
const GRACE: std::time::Duration = std::time::Duration::from_millis(50);
