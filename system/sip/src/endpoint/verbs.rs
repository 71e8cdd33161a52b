//! What the user asks of the endpoint — RFC 3261 §8, §9, §13, §17.
//! Owns: the verbs on transactions and connections.  Does not know: dialogs; when to ask.
use super::event::{Owner, TxnId};
use super::flow::Flow;
use super::table::{Side, Transaction};
use super::{Endpoint, compose};
use crate::transaction::{
    Clock, InviteClient, Machine, NonInviteClient, ack, invite_client, invite_server,
    non_invite_server,
};
use crate::wire::{Message, OutRequest, OutResponse, Via};
use crate::{Method, Status, mint};
use alloc::string::String;
use bitspath_core::limits::Full;
use bitspath_core::net::{CloseReason, Transport};
use bitspath_core::{Bytes, ConnId, NetOut, Now, Outbox, bug};
use core::net::SocketAddr;

/// Largest payload of a UDP datagram over IPv4.
const DATAGRAM_BYTES_MAX: usize = 65_507;

impl Endpoint {
    /// Answers a request. A response that may not go any more (second final, transaction gone,
    /// forbidden by RFC 4320) is not sent and counted.
    pub fn respond(&mut self, now: Now, txn: TxnId, r: OutResponse) {
        self.answer(now, txn, &r);
        self.settle(now);
    }

    pub(super) fn answer(&mut self, now: Now, id: TxnId, r: &OutResponse) {
        let Some(txn) = self.table.get(id) else {
            self.counters.late_responses += 1;
            return;
        };
        let Some(request) = txn.machine.request() else {
            match r.status.is_final() {
                true => self.counters.second_finals += 1,
                false => self.counters.late_responses += 1,
            }
            return;
        };
        //= RFC 4320 §4.1
        //= RFC 4320 §4.2
        // To a non-INVITE: no provisional but 100, and never 408.
        let is_invite = request.method() == Method::Invite;
        let odd = r.status.is_provisional() && r.status != Status::TRYING;
        if !is_invite && (odd || r.status == Status::REQUEST_TIMEOUT) {
            self.counters.forbidden_responses += 1;
            return;
        }
        let minted;
        let tag = match &r.to_tag {
            Some(tag) => tag.as_str(),
            None => {
                minted = mint::tag(&self.entropy, self.node, txn.key.0, txn.key.1);
                &minted
            }
        };
        let bytes = compose::response(request, txn.flow.peer, tag, r);
        let status = r.status;
        self.drive(now, id, None, |machine, clock, out| match machine {
            Machine::InviteServer(m) => {
                let event = match status.class() {
                    0 | 1 => invite_server::Event::Provisional(bytes),
                    2 => invite_server::Event::Success(bytes),
                    _ => invite_server::Event::Failure(bytes),
                };
                m.handle(clock, event, out);
            }
            Machine::NonInviteServer(m) => {
                let event = match status.is_final() {
                    false => non_invite_server::Event::Provisional(bytes),
                    true => non_invite_server::Event::Final(bytes),
                };
                m.handle(clock, event, out);
            }
            Machine::InviteClient(_) | Machine::NonInviteClient(_) => {}
        });
    }

    //= RFC 6026 §7.1
    /// Sends the 2xx of an INVITE server transaction once more (RFC 3261 §13.3.1.4); `false` when
    /// the transaction is gone.
    pub fn retransmit(&mut self, now: Now, txn: TxnId) -> bool {
        let known = self.table.get(txn).is_some();
        self.drive(now, txn, None, |machine, clock, out| {
            if let Machine::InviteServer(m) = machine {
                m.handle(clock, invite_server::Event::Again, out);
            }
        });
        self.settle(now);
        known
    }

    //= RFC 3261 §17.2.1
    /// The user has taken this INVITE on (it is authenticated): should nothing have been answered
    /// 200 ms from now, a 100 goes out.
    pub fn trying(&mut self, now: Now, txn: TxnId) {
        self.drive(now, txn, None, |machine, clock, out| {
            if let Machine::InviteServer(m) = machine {
                m.handle(clock, invite_server::Event::Trying, out);
            }
        });
    }

    /// Gives a server transaction to a call: named in `Cancelled` and `Ended`.
    pub fn set_owner(&mut self, txn: TxnId, owner: Owner) {
        if let Some(txn) = self.table.get_mut(txn) {
            txn.owner = Some(owner);
        }
    }

    /// The request of a server transaction that waits for its final answer.
    pub fn request_of(&self, txn: TxnId) -> Option<&Message> {
        self.table.get(txn)?.machine.request()
    }

    /// The flow of any transaction in the table.
    pub fn flow_of(&self, txn: TxnId) -> Option<Flow> {
        self.table.get(txn).map(|t| t.flow)
    }

    /// The To tag that `respond` puts in when the user gives none; the 200 to a CANCEL has it too.
    pub fn tag_of(&self, txn: TxnId) -> Option<String> {
        let key = self.table.get(txn)?.key;
        Some(mint::tag(&self.entropy, self.node, key.0, key.1))
    }

    /// Sends a request in a transaction of its own. `sent_by` is our host and port in the Via.
    pub fn request(
        &mut self,
        now: Now,
        owner: Owner,
        flow: Flow,
        sent_by: &str,
        r: OutRequest,
    ) -> Result<TxnId, Full> {
        if r.method == Method::Ack {
            bug!("an ACK is no transaction: send_ack");
        }
        let Some(flow) = self.resolved(flow) else {
            self.counters.requests_full += 1;
            return Err(Full);
        };
        let branch = self.next_branch();
        let via = compose::via(flow.transport.via_token(), sent_by, &branch);
        let bytes = r.emit(&via);
        let name = Via::parse(&via).unwrap_or_default();
        let side = Side::Client { sent_by: self.keys.sent_by(name.host, name.port) };
        let key = self.keys.client(&branch, r.method);

        let mut acts = Outbox::default();
        let clock = Clock { now: now.mono, timers: &self.timers };
        let reliable = flow.transport.is_reliable();
        let machine = match r.method {
            Method::Invite => {
                Machine::InviteClient(InviteClient::new(clock, reliable, bytes, &mut acts))
            }
            _ => Machine::NonInviteClient(NonInviteClient::new(clock, reliable, bytes, &mut acts)),
        };
        let txn = Transaction { key, flow, owner: Some(owner), side, machine };
        let admitted = self.admit(now, txn, acts);
        self.counters.requests_full += u64::from(admitted.is_err());
        self.settle(now);
        admitted
    }

    /// Gives up an INVITE of ours: a CANCEL goes out as soon as a provisional response allows it.
    /// `reason` is the value of a Reason header (RFC 3326).
    pub fn cancel(&mut self, now: Now, invite: TxnId, reason: Option<&str>) {
        let Some(Machine::InviteClient(m)) = self.table.get(invite).map(|t| &t.machine) else {
            return;
        };
        let Some(request) = m.cancellable() else { return };
        let bytes = ack::cancel(request, reason);
        self.drive(now, invite, None, |machine, clock, out| {
            if let Machine::InviteClient(m) = machine {
                m.handle(clock, invite_client::Event::Cancel(bytes), out);
            }
        });
        self.settle(now);
    }

    //= RFC 3261 §13.2.2.4
    /// The ACK to a 2xx: outside every transaction, with a branch of its own. Keep the bytes:
    /// each repeated 2xx is answered by [`resend`](Self::resend).
    pub fn send_ack(&mut self, now: Now, flow: Flow, sent_by: &str, r: OutRequest) -> Bytes {
        let branch = self.next_branch();
        let via = compose::via(flow.transport.via_token(), sent_by, &branch);
        let bytes = r.emit(&via);
        self.counters.requests_out += 1;
        self.stateless(flow, bytes.clone());
        self.settle(now);
        bytes
    }

    /// Sends octets once more, outside every transaction.
    pub fn resend(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        self.counters.repeats_out += 1;
        self.stateless(flow, bytes);
        self.settle(now);
    }

    fn stateless(&mut self, flow: Flow, bytes: Bytes) {
        match self.resolved(flow) {
            Some(flow) => {
                self.transmit(&flow, flow.peer, bytes);
            }
            None => self.counters.unsendable += 1,
        }
    }

    /// Burial: forgets a transaction without sending or telling anything.
    pub fn drop_txn(&mut self, txn: TxnId) {
        self.forget(txn, false);
    }

    /// The flow of a living connection.
    pub fn conn(&self, conn: ConnId) -> Option<Flow> {
        self.streams.flow(conn)
    }

    /// Closes a connection; its `Closed` event follows when the host has done so.
    pub fn close_conn(&mut self, now: Now, conn: ConnId, reason: CloseReason) {
        self.streams.close(conn, reason, &mut self.out);
        self.settle(now);
    }

    /// Sends raw octets on a flow outside every message: a keep-alive towards a NAT.
    pub fn keep_alive(&mut self, now: Now, flow: Flow) {
        self.stateless(flow, Bytes::from_static(b"\r\n\r\n"));
        self.settle(now);
    }

    /// The flow with a connection on it: the one named, one to that peer, or a new one.
    fn resolved(&mut self, flow: Flow) -> Option<Flow> {
        match (flow.transport, flow.conn) {
            (Transport::Udp, _) | (_, Some(_)) => Some(flow),
            (_, None) => {
                let conn = self.streams.connect(&flow, &mut self.out)?;
                Some(Flow { conn: Some(conn), ..flow })
            }
        }
    }

    fn next_branch(&mut self) -> String {
        self.minted += 1;
        mint::branch(&self.entropy, self.node, 0, self.minted)
    }

    pub(super) fn datagram(&mut self, flow: &Flow, peer: SocketAddr, bytes: Bytes) -> bool {
        if bytes.len() > DATAGRAM_BYTES_MAX || peer.port() == 0 {
            return false;
        }
        let (listener, local) = (flow.listener, flow.local);
        self.out.push_back(NetOut::Datagram { listener, local, peer, bytes });
        true
    }
}
