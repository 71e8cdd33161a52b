//! The relay step: a batch is decided in place, without allocation, clock or system call.
use super::{Shard, Timer};
use crate::address::Addr;
use crate::command::Evt;
use crate::latch::Belief;
use crate::slot::{Slot, Verdict};
use crate::stream::{Next, Service};
use crate::wire::{Compound, Head, Packet};
use bitspath_core::limits::RTCP_DUE;
use bitspath_core::{Instant, Now};

/// Nanoseconds of one timestamp unit at 8000 Hz.
const UNIT_NS: u64 = 125_000;

impl Shard {
    /// Decides every packet of a batch that arrived about `now`.
    pub fn relay(&mut self, now: Now, batch: &mut [Slot]) {
        let arrival = (now.mono.0 / UNIT_NS) as u32;
        for slot in batch {
            let verdict = match slot.rtcp {
                false => self.relay_rtp(now.mono, arrival, slot),
                true => self.relay_rtcp(now.mono, slot),
            };
            slot.verdict = verdict.unwrap_or(Verdict::Drop);
        }
    }

    #[inline]
    fn relay_rtp(&mut self, now: Instant, arrival: u32, slot: &mut Slot) -> Option<Verdict> {
        let Some(at) = self.by_port.get(slot.local) else {
            self.counters.unclaimed += 1;
            return None;
        };
        let Ok(head) = Head::peek(slot.packet()) else {
            self.stream_mut(at)?.counts.dropped_malformed += 1;
            return None;
        };
        let from = Addr::from(slot.peer);
        let octets = u64::from(slot.len);
        let rx = &mut self.hot.get_mut(at as usize)?.rx;
        if !rx.latch.is_same(now, from, head.ssrc) && !self.admit(now, arrival, at, from, &head) {
            return None;
        }
        let rx = &mut self.hot.get_mut(at as usize)?.rx;
        if !rx.reception.count(&head, usize::from(slot.len), arrival) {
            let restarts = &mut self.streams.get_mut(at as usize)?.as_mut()?.restarts;
            restarts.jumped(&mut rx.reception, &head, arrival);
        }
        match rx.next {
            Next::Stream(to) => {
                let tx = &mut self.hot.get_mut(to as usize)?.tx;
                if !tx.to.is_unset() {
                    tx.packets += 1;
                    tx.octets += octets;
                    slot.peer = tx.to.into();
                    return Some(Verdict::Forward { port: tx.port, rtcp: false });
                }
            }
            Next::Echo => return self.take_echo(now, at, slot),
            Next::Nowhere => {}
        }
        self.stream_mut(at)?.counts.dropped_unsent += 1;
        None
    }

    /// A packet that is not simply the next one of the latched peer: first, moved or a stranger's.
    #[cold]
    #[inline(never)]
    fn admit(&mut self, now: Instant, arrival: u32, at: u32, from: Addr, head: &Head) -> bool {
        let own = self.is_own(from);
        let (Some(hot), Some(Some(stream))) =
            (self.hot.get_mut(at as usize), self.streams.get_mut(at as usize))
        else {
            return false;
        };
        if own {
            stream.counts.refused_own += 1;
            return false;
        }
        let rx = &mut hot.rx;
        match rx.latch.judge(now, &stream.allowed, from, head.ssrc) {
            Belief::Stranger => {
                stream.counts.dropped_stranger += 1;
                return false;
            }
            Belief::Same => {}
            Belief::First => {
                stream.restarts.begin(&mut rx.reception, head, arrival);
                if !stream.rtcp_bound {
                    self.timers.set(Timer::Rtcp(at), now + RTCP_DUE);
                }
            }
            Belief::NewPort => stream.counts.relatched += 1,
            Belief::NewSource => {
                stream.counts.relatched += 1;
                stream.restarts.begin(&mut rx.reception, head, arrival);
                return true;
            }
        }
        stream.refresh(hot);
        self.events.push_back(Evt::Latched { stream: stream.id, peer: from.into() });
        true
    }

    fn take_echo(&mut self, now: Instant, at: u32, slot: &Slot) -> Option<Verdict> {
        let packet = Packet::parse(slot.packet()).ok()?;
        let stream = self.streams.get_mut(at as usize)?.as_mut()?;
        let Service::Echo(echo) = &mut stream.service else { return None };
        let idle = echo.due().is_none();
        echo.take(now, &packet);
        if let Some(due) = echo.due().filter(|_| idle) {
            self.timers.set(Timer::Tick(at), due);
        }
        None
    }

    /// RTCP has a latch of its own, by the same rule, and goes the way of the link.
    fn relay_rtcp(&mut self, now: Instant, slot: &mut Slot) -> Option<Verdict> {
        let Some(at) = self.by_port.get(slot.local) else {
            self.counters.unclaimed += 1;
            return None;
        };
        let from = Addr::from(slot.peer);
        let own = self.is_own(from);
        let hot = self.hot.get_mut(at as usize)?;
        let stream = self.streams.get_mut(at as usize)?.as_mut()?;
        let Ok(compound) = Compound::parse(slot.packet()) else {
            stream.counts.dropped_malformed += 1;
            return None;
        };
        if own {
            stream.counts.refused_own += 1;
            return None;
        }
        match stream.rtcp.judge(now, &stream.rtcp_allowed, from, compound.ssrc) {
            Belief::Stranger => {
                stream.counts.dropped_stranger += 1;
                return None;
            }
            Belief::First | Belief::NewPort => stream.refresh(hot),
            Belief::Same | Belief::NewSource => {}
        }
        stream.counts.rtcp_in += 1;
        let to = stream.link?;
        let target = self.stream_mut(to)?;
        if target.rtcp_to.is_unset() {
            self.stream_mut(at)?.counts.dropped_unsent += 1;
            return None;
        }
        target.counts.rtcp_out += 1;
        slot.peer = target.rtcp_to.into();
        let port = target.port;
        self.bind_rtcp(to);
        Some(Verdict::Forward { port, rtcp: true })
    }
}
