//! What comes in — RFC 3261 §8.2.2.2, §9.2, §17.1.3, §17.2.3, §18.1.2, §18.2.1, §18.3.
//! Owns: the way of a message to its transaction; stateless answers to what cannot be accepted.
//! Does not know: methods beyond INVITE, ACK and CANCEL.
use super::event::{Event, TxnId};
use super::flow::{Flow, reply_to};
use super::table::{Side, Transaction};
use super::{Endpoint, compose};
use crate::stream::Got;
use crate::transaction::{
    Clock, InviteServer, Machine, NonInviteServer, invite_client, invite_server, non_invite_client,
    non_invite_server,
};
use crate::wire::{HeaderName, Message, OutResponse, Rejected};
use crate::{Method, Status, mint};
use alloc::string::{String, ToString};
use bitspath_core::net::Transport;
use bitspath_core::{Bytes, ConnId, NetIn, Now, Outbox};

impl Endpoint {
    /// Something happened on the network. Datagrams have passed the door.
    pub fn handle(&mut self, now: Now, input: NetIn) {
        match input {
            NetIn::Datagram { listener, peer, local, bytes } => {
                let transport = Transport::Udp;
                let local = local.ip();
                self.receive(now, Flow { listener, transport, local, peer, conn: None }, bytes);
            }
            NetIn::Icmp { listener, peer, .. } => {
                self.counters.icmp += 1;
                self.fail_peer(listener, peer);
            }
            NetIn::Opened { conn, listener, peer, local, kind } => {
                let transport = kind.transport();
                let local = local.ip();
                let flow = Flow { listener, transport, local, peer, conn: Some(conn) };
                if self.streams.opened(flow, &kind, &mut self.out, &mut self.counters) {
                    self.events.push_back(Event::Opened { conn, flow, kind });
                }
            }
            NetIn::Data { conn, bytes } => self.stream_data(now, conn, bytes),
            NetIn::Writable { conn, bytes_done } => {
                self.streams.writable(conn, bytes_done, &mut self.counters);
            }
            NetIn::Closed { conn, reason } => {
                if self.streams.closed(conn, &mut self.counters) {
                    self.settle(now);
                    self.events.push_back(Event::Closed { conn, reason });
                }
            }
        }
        self.settle(now);
    }

    fn stream_data(&mut self, now: Now, conn: ConnId, bytes: Bytes) {
        self.streams.push(conn, &bytes, &mut self.counters);
        while let Some((flow, got)) = self.streams.next_frame(conn) {
            match got {
                Got::Message(frame) => self.receive(now, flow, frame),
                Got::Ping => {
                    self.counters.pings += 1;
                    self.streams.pong(conn);
                }
                Got::Broken(status, head) => {
                    self.refuse_stream(flow, status, head);
                    self.counters.conns_unframed += 1;
                    self.streams.close_broken(conn, status, &mut self.out);
                }
            }
        }
        self.streams.granted(conn, bytes.len(), &mut self.out, &mut self.counters);
    }

    /// A stream that cannot be framed any more: 400 where somebody can be answered, then the end.
    fn refuse_stream(&mut self, flow: Flow, status: Status, head: Bytes) {
        let partial = match Message::parse(head) {
            Ok(message) => message,
            Err(Rejected { partial: Some(message), .. }) => *message,
            Err(_) => {
                self.counters.garbage += 1;
                return;
            }
        };
        self.reject(flow, Some(status), &partial);
    }

    fn receive(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        match Message::parse(bytes) {
            Ok(message) if message.is_request() => {
                self.counters.requests_in += 1;
                match message.method() {
                    Method::Ack => self.ack(now, flow, message),
                    Method::Cancel => self.cancelled(now, flow, message),
                    _ => self.requested(now, flow, message),
                }
            }
            Ok(message) => {
                self.counters.responses_in += 1;
                self.responded(now, flow, &message);
            }
            Err(Rejected { status, partial: Some(message), .. }) => {
                self.reject(flow, status, &message);
            }
            Err(_) => self.counters.garbage += 1,
        }
    }

    /// A message that cannot be accepted: requests are answered without state, ACKs and responses
    /// never.
    fn reject(&mut self, flow: Flow, status: Option<Status>, message: &Message) {
        match status {
            Some(status) if message.is_request() && message.method() != Method::Ack => {
                self.counters.rejected_answered += 1;
                self.answer_statelessly(flow, message, &OutResponse::new(status));
            }
            _ => self.counters.rejected_dropped += 1,
        }
    }

    //= RFC 3261 §8.2.7
    /// The tag is a function of the request, so that a repeated one gets the same answer.
    fn answer_statelessly(&mut self, flow: Flow, request: &Message, r: &OutResponse) {
        let key = self.keys.server(request, request.method());
        let tag = mint::tag(&self.entropy, self.node, key.0, key.1);
        let bytes = compose::response(request, flow.peer, &tag, r);
        let via = request.top_via();
        let to = match via.host {
            "" => flow.peer,
            _ => reply_to(&via, flow.peer),
        };
        self.counters.responses_out += 1;
        self.transmit(&flow, to, bytes);
    }

    fn requested(&mut self, now: Now, flow: Flow, msg: Message) {
        let key = self.keys.server(&msg, msg.method());
        if let Some(id) = self.matching.get(&key).copied() {
            return self.repeated(now, id);
        }
        //= RFC 3261 §8.2.2.2
        // Without a To tag, the same request under another identity came by another path.
        let shared = msg.to_tag().is_none().then(|| self.keys.merged(&msg));
        let merged = shared.is_some_and(|shared| self.merged.get(&shared).is_some());
        match self.serve(now, flow, key, shared, msg.clone()) {
            Some(txn) => {
                self.counters.merged += u64::from(merged);
                self.events.push_back(Event::Request { txn, flow, msg, merged });
            }
            None => self.refuse_full(flow, &msg),
        }
    }

    /// A new server transaction; `None` when the table is full.
    fn serve(
        &mut self,
        now: Now,
        flow: Flow,
        key: crate::transaction::key::Key,
        merged: Option<crate::transaction::key::Key>,
        msg: Message,
    ) -> Option<TxnId> {
        let to = match flow.transport {
            Transport::Udp => reply_to(&msg.top_via(), flow.peer),
            _ => flow.peer,
        };
        let side = Side::Server { reply_to: to, merged };
        let reliable = flow.transport.is_reliable();
        let clock = Clock { now: now.mono, timers: &self.timers };
        let machine = match msg.method() {
            Method::Invite => Machine::InviteServer(InviteServer::new(reliable, msg)),
            _ => Machine::NonInviteServer(NonInviteServer::new(clock, reliable, msg)),
        };
        let txn = Transaction { key, flow, owner: None, side, machine };
        self.admit(now, txn, Outbox::default()).ok()
    }

    /// The brim of the table: 503 with Retry-After.
    fn refuse_full(&mut self, flow: Flow, msg: &Message) {
        self.counters.refused_full += 1;
        let mut full = OutResponse::new(Status::SERVICE_UNAVAILABLE);
        full.extra.push((HeaderName::RetryAfter, String::from("5")));
        self.answer_statelessly(flow, msg, &full);
    }

    fn repeated(&mut self, now: Now, id: TxnId) {
        self.counters.repeats_in += 1;
        self.drive(now, id, None, |machine, clock, out| match machine {
            Machine::InviteServer(m) => m.handle(clock, invite_server::Event::Request, out),
            Machine::NonInviteServer(m) => {
                m.handle(clock, non_invite_server::Event::Request, out);
            }
            Machine::InviteClient(_) | Machine::NonInviteClient(_) => {}
        });
    }

    //= RFC 3261 §17.2.3
    /// An ACK looks for its INVITE: to a failure it ends there, to a 2xx it goes up.
    fn ack(&mut self, now: Now, flow: Flow, msg: Message) {
        let key = self.keys.server(&msg, Method::Invite);
        let Some(id) = self.matching.get(&key).copied() else {
            self.counters.acks_passed += 1;
            self.events.push_back(Event::Ack { flow, msg });
            return;
        };
        let passed = self.counters.acks_passed;
        self.drive(now, id, Some((flow, &msg)), |machine, clock, out| {
            if let Machine::InviteServer(m) = machine {
                m.handle(clock, invite_server::Event::Ack, out);
            }
        });
        self.counters.acks_absorbed += u64::from(self.counters.acks_passed == passed);
    }

    //= RFC 3261 §9.2
    /// A CANCEL is answered here: 200 when its INVITE is known, 481 otherwise. It has an effect
    /// only while the INVITE has no final response.
    fn cancelled(&mut self, now: Now, flow: Flow, msg: Message) {
        let key = self.keys.server(&msg, Method::Cancel);
        if let Some(id) = self.matching.get(&key).copied() {
            return self.repeated(now, id);
        }
        let invite = self.matching.get(&self.keys.server(&msg, Method::Invite)).copied();
        let mut answer = OutResponse::new(match invite {
            Some(_) => Status::OK,
            None => Status::NO_SUCH_CALL,
        });
        answer.to_tag = invite.and_then(|id| self.tag_in_use(id));
        match self.serve(now, flow, key, None, msg.clone()) {
            Some(txn) => self.answer(now, txn, &answer),
            None => return self.refuse_full(flow, &msg),
        }
        match invite {
            Some(txn) if self.request_of(txn).is_some() => {
                let owner = self.table.get(txn).and_then(|t| t.owner);
                self.events.push_back(Event::Cancelled { txn, owner, msg });
            }
            Some(_) => {}
            None => self.counters.cancels_unmatched += 1,
        }
    }

    //= RFC 3261 §9.2
    /// The To tag of the INVITE's responses, which the 200 to the CANCEL shares.
    fn tag_in_use(&self, invite: TxnId) -> Option<String> {
        let txn = self.table.get(invite)?;
        let Machine::InviteServer(m) = &txn.machine else { return None };
        let sent = m.last_response().and_then(|bytes| Message::parse(bytes.clone()).ok());
        match sent.as_ref().and_then(Message::to_tag) {
            Some(tag) => Some(tag.to_string()),
            None => self.tag_of(invite),
        }
    }

    fn responded(&mut self, now: Now, flow: Flow, msg: &Message) {
        let via = msg.top_via();
        //= RFC 3261 §18.1.2
        //= RFC 3261 §8.1.3.3
        // The one Via of a response is ours, or the response is not.
        let branch = via.branch().unwrap_or("");
        if mint::node_of(branch) != Some(self.node) || msg.vias().nth(1).is_some() {
            self.counters.wrong_via += 1;
            return;
        }
        let Some(id) = self.matching.get(&self.keys.client(branch, msg.method())).copied() else {
            self.counters.stray_responses += 1;
            return;
        };
        let sent_by = self.keys.sent_by(via.host, via.port);
        match self.table.get(id).map(|t| t.side) {
            Some(Side::Client { sent_by: ours }) if ours == sent_by => {}
            _ => {
                self.counters.wrong_via += 1;
                return;
            }
        }
        let class = msg.status().map_or(0, Status::class);
        self.drive(now, id, Some((flow, msg)), |machine, clock, out| match machine {
            Machine::InviteClient(m) => {
                let event = match class {
                    1 => invite_client::Event::Provisional,
                    2 => invite_client::Event::Success,
                    _ => invite_client::Event::Failure(msg),
                };
                m.handle(clock, event, out);
            }
            Machine::NonInviteClient(m) => {
                let event = match class {
                    1 => non_invite_client::Event::Provisional,
                    _ => non_invite_client::Event::Final,
                };
                m.handle(clock, event, out);
            }
            Machine::InviteServer(_) | Machine::NonInviteServer(_) => {}
        });
    }
}
