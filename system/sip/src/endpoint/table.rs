//! The table of transactions: what is kept of each, how one is found, driven and forgotten.
//! Owns: the indexes, the deadlines, what an [`Act`] becomes.  Does not know: parsing, the verbs.
use super::Endpoint;
use super::event::{Event, Owner, TxnId};
use super::flow::Flow;
use crate::transaction::key::Key;
use crate::transaction::{
    Act, Clock, FailWhy, Machine, NonInviteClient, Timer, ack, invite_client, invite_server,
    non_invite_client, non_invite_server,
};
use crate::wire::{Message, OutResponse};
use crate::{Method, Status};
use bitspath_core::limits::Full;
use bitspath_core::net::Transport;
use bitspath_core::{Bytes, ConnId, Instant, ListenerId, Now, Outbox};
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// One transaction. A lingering one has dropped its request and is small.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transaction {
    pub(super) key: Key,
    pub(super) flow: Flow,
    pub(super) owner: Option<Owner>,
    pub(super) side: Side,
    pub(super) machine: Machine,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Side {
    /// What the top Via of a response must say that we are called.
    Client { sent_by: u64 },
    /// Where a response to a datagram goes, and what a merged copy would share.
    Server { reply_to: SocketAddr, merged: Option<Key> },
}

/// Whom a client transaction depends on: found when a connection breaks or ICMP reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Path {
    Conn(ConnId),
    Peer(ListenerId, SocketAddr),
}

impl Path {
    fn of(flow: &Flow) -> Path {
        match flow.conn {
            Some(conn) => Path::Conn(conn),
            None => Path::Peer(flow.listener, flow.peer),
        }
    }
}

/// The message in hand while a machine is driven.
pub(super) type InHand<'a> = Option<(Flow, &'a Message)>;

impl Endpoint {
    /// Puts a transaction into the table and carries out what its machine asked for at birth.
    pub(super) fn admit(
        &mut self,
        now: Now,
        txn: Transaction,
        mut acts: Outbox<Act>,
    ) -> Result<TxnId, Full> {
        let (key, flow, side) = (txn.key, txn.flow, txn.side);
        let id = self.table.insert(txn)?;
        if self.matching.insert(key, id).is_err() {
            self.table.remove(id);
            return Err(Full);
        }
        match side {
            Side::Client { .. } => {
                self.paths.insert((Path::of(&flow), id));
            }
            Side::Server { merged: Some(merged), .. } => {
                // At the brim, or when another holds the place, this one cannot be found by it.
                if self.merged.get(&merged).is_none() {
                    let _ = self.merged.insert(merged, id);
                }
            }
            Side::Server { merged: None, .. } => {}
        }
        self.rearm(id, None);
        self.carry_out(now, id, &mut acts, None);
        Ok(id)
    }

    /// Drives one machine and carries out what it asks for.
    pub(super) fn drive(
        &mut self,
        now: Now,
        id: TxnId,
        in_hand: InHand<'_>,
        feed: impl FnOnce(&mut Machine, Clock<'_>, &mut Outbox<Act>),
    ) {
        let mut acts = core::mem::take(&mut self.acts);
        let Some(txn) = self.table.get_mut(id) else { return };
        let before = txn.machine.timers().next();
        feed(&mut txn.machine, Clock { now: now.mono, timers: &self.timers }, &mut acts);
        self.rearm(id, before);
        self.carry_out(now, id, &mut acts, in_hand);
        self.acts = acts;
    }

    fn carry_out(&mut self, now: Now, id: TxnId, acts: &mut Outbox<Act>, in_hand: InHand<'_>) {
        while let Some(act) = acts.pop() {
            self.apply(now, id, act, in_hand);
        }
        if self.table.get(id).is_some_and(|t| t.machine.is_terminated()) {
            self.forget(id, true);
        }
    }

    fn apply(&mut self, now: Now, id: TxnId, act: Act, in_hand: InHand<'_>) {
        let Some(txn) = self.table.get(id) else { return };
        let (flow, owner, side) = (txn.flow, txn.owner, txn.side);
        match act {
            Act::Send(bytes) => {
                match side {
                    Side::Client { .. } => self.counters.requests_out += 1,
                    Side::Server { .. } => self.counters.responses_out += 1,
                }
                self.send(id, bytes);
            }
            Act::Resend(bytes) => {
                self.counters.repeats_out += 1;
                self.send(id, bytes);
            }
            Act::Deliver => {
                let Some((flow, msg)) = in_hand else { return };
                let msg = msg.clone();
                match (side, owner) {
                    (Side::Client { .. }, Some(owner)) => {
                        self.events.push_back(Event::Response { txn: id, owner, flow, msg });
                    }
                    // The answer to our own CANCEL interests nobody.
                    (Side::Client { .. }, None) => {}
                    (Side::Server { .. }, _) => {
                        self.counters.acks_passed += 1;
                        self.events.push_back(Event::Ack { flow, msg });
                    }
                }
            }
            Act::Fail(why) => {
                match why {
                    FailWhy::Timeout => self.counters.timeouts += 1,
                    FailWhy::Transport => self.counters.transport_failures += 1,
                }
                if let Some(owner) = owner {
                    self.events.push_back(Event::Failed { txn: id, owner, why });
                }
            }
            Act::Cancel(bytes) => self.start_cancel(now, flow, side, bytes),
            Act::Trying => {
                self.counters.trying_sent += 1;
                self.answer(now, id, &OutResponse::new(Status::TRYING));
            }
            Act::Stray => self.counters.stray_events += 1,
        }
    }

    //= RFC 3261 §9.1
    /// The CANCEL is a transaction of its own, on the INVITE's way, with the INVITE's branch.
    fn start_cancel(&mut self, now: Now, flow: Flow, side: Side, bytes: Bytes) {
        let mut acts = Outbox::default();
        let key = self.keys.client(ack::branch(&bytes), Method::Cancel);
        let clock = Clock { now: now.mono, timers: &self.timers };
        let reliable = flow.transport.is_reliable();
        let machine =
            Machine::NonInviteClient(NonInviteClient::new(clock, reliable, bytes, &mut acts));
        let txn = Transaction { key, flow, owner: None, side, machine };
        if self.admit(now, txn, acts).is_err() {
            self.counters.requests_full += 1; // Timer Cancel ends the INVITE all the same
        }
    }

    /// Sends on the way of transaction `id`; a client that cannot is failed by `settle`.
    fn send(&mut self, id: TxnId, bytes: Bytes) {
        let Some(txn) = self.table.get(id) else { return };
        let (flow, to) = match txn.side {
            Side::Client { .. } => (txn.flow, txn.flow.peer),
            Side::Server { reply_to, .. } => (txn.flow, reply_to),
        };
        let is_client = txn.machine.is_client();
        if !self.transmit(&flow, to, bytes) && is_client {
            self.failing.push_back(id);
        }
    }

    /// Fails the client transactions that lost their way, once no machine is in hand.
    pub(super) fn settle(&mut self, now: Now) {
        while let Some(conn) = self.streams.pop_broken() {
            let from = (Path::Conn(conn), TxnId::from_u64(0));
            let on_it = self.paths.range(from..).take_while(|(path, _)| *path == Path::Conn(conn));
            self.failing.extend(on_it.map(|(_, id)| *id));
        }
        while let Some(id) = self.failing.pop_front() {
            self.drive(now, id, None, |machine, clock, out| match machine {
                Machine::InviteClient(m) => {
                    m.handle(clock, invite_client::Event::TransportError, out);
                }
                Machine::NonInviteClient(m) => {
                    m.handle(clock, non_invite_client::Event::TransportError, out);
                }
                Machine::InviteServer(_) | Machine::NonInviteServer(_) => {}
            });
        }
    }

    //= RFC 3261 §18.4
    /// ICMP: the requests to that peer which nobody has answered in any way are failed. One that
    /// has a provisional response is not: then somebody was there.
    pub(super) fn fail_peer(&mut self, listener: ListenerId, peer: SocketAddr) {
        let path = Path::Peer(listener, peer);
        let to_it = self.paths.range((path, TxnId::from_u64(0))..);
        for (_, id) in to_it.take_while(|(p, _)| *p == path) {
            let unanswered = match self.table.get(*id).map(|t| &t.machine) {
                Some(Machine::InviteClient(m)) => {
                    matches!(m.state(), invite_client::State::Calling { .. })
                }
                Some(Machine::NonInviteClient(m)) => {
                    matches!(m.state(), non_invite_client::State::Trying { .. })
                }
                _ => false,
            };
            if unanswered {
                self.failing.push_back(*id);
            }
        }
    }

    /// Fires what is due of one transaction.
    pub(super) fn fire(&mut self, now: Now, id: TxnId) {
        loop {
            let Some(txn) = self.table.get_mut(id) else { return };
            let Some(timer) = txn.machine.timers_mut().pop_due(now.mono) else { break };
            match (&txn.machine, timer) {
                (Machine::InviteServer(_), Timer::H) => self.counters.unacknowledged += 1,
                (Machine::NonInviteServer(_), Timer::F) => self.counters.unanswered += 1,
                _ => {}
            }
            self.drive(now, id, None, |machine, clock, out| match machine {
                Machine::InviteClient(m) => {
                    m.handle(clock, invite_client::Event::Timer(timer), out);
                }
                Machine::NonInviteClient(m) => {
                    m.handle(clock, non_invite_client::Event::Timer(timer), out);
                }
                Machine::InviteServer(m) => {
                    m.handle(clock, invite_server::Event::Timer(timer), out);
                }
                Machine::NonInviteServer(m) => {
                    m.handle(clock, non_invite_server::Event::Timer(timer), out);
                }
            });
        }
        self.rearm(id, None);
    }

    /// Keeps the heap's one deadline of `id` equal to the machine's next.
    fn rearm(&mut self, id: TxnId, before: Option<(Instant, Timer)>) {
        let next = self.table.get(id).and_then(|t| t.machine.timers().next());
        match next {
            Some((due, _)) if before.is_none_or(|(old, _)| old != due) => {
                self.deadlines.set(id, due);
            }
            Some(_) => {}
            None => self.deadlines.cancel(id),
        }
    }

    /// Removes a transaction and every trace of it.
    pub(super) fn forget(&mut self, id: TxnId, tell: bool) {
        let Some(txn) = self.table.remove(id) else { return };
        self.deadlines.cancel(id);
        if self.matching.get(&txn.key) == Some(&id) {
            self.matching.remove(&txn.key);
        }
        match txn.side {
            Side::Client { .. } => {
                self.paths.remove(&(Path::of(&txn.flow), id));
            }
            Side::Server { merged: Some(merged), .. } => {
                if self.merged.get(&merged) == Some(&id) {
                    self.merged.remove(&merged);
                }
            }
            Side::Server { merged: None, .. } => {}
        }
        if let (true, Some(owner)) = (tell, txn.owner) {
            self.events.push_back(Event::Ended { owner, txn: id });
        }
    }

    /// To the network; `false` when it cannot be sent.
    pub(super) fn transmit(&mut self, flow: &Flow, to: SocketAddr, bytes: Bytes) -> bool {
        let sent = match flow.transport {
            Transport::Udp => self.datagram(flow, to, bytes),
            _ => self.streams.write(flow, bytes, &mut self.out, &mut self.counters),
        };
        if !sent {
            self.counters.unsendable += 1;
        }
        sent
    }
}
