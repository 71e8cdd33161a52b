//! The media shard: one share-nothing machine per worker thread.
use crate::command::{Cmd, Evt, PortNo};
use crate::slot::{Slot, Verdict};
use alloc::collections::VecDeque;
use bitspath_core::{Audit, Entropy, Instant, Now};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// What the shard asks of the sockets: RTCP is bound only when its first packet is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Bind {
    Rtcp { ip: IpAddr, port: PortNo },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shard {
    entropy: Entropy,
    events: VecDeque<Evt>,
}

impl Shard {
    pub fn new(entropy: Entropy) -> Self {
        Shard { entropy, events: VecDeque::new() }
    }
    pub fn handle(&mut self, now: Now, cmd: Cmd) {
        let _ = (now, cmd);
    }
    pub fn relay(&mut self, now: Now, batch: &mut [Slot]) {
        let _ = now;
        batch.iter_mut().for_each(|s| s.verdict = Verdict::Drop);
    }
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        None
    }
    pub fn poll_event(&mut self) -> Option<Evt> {
        self.events.pop_front()
    }
    pub fn poll_bind(&mut self) -> Option<Bind> {
        None
    }
    pub fn poll_packet(&mut self, out: &mut Slot) -> bool {
        let _ = (out, &self.entropy);
        false
    }
    pub fn audit(&self, audit: &mut Audit) {
        audit.set("streams", 0);
    }
}
