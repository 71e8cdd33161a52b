//! Effects of a call, carried out. Total: what cannot be done comes back to the call as a failure
//! or is nothing (a timer that is not set, a stream that is closed). Each effect that gives the
//! call something writes it into the ledger; each that takes something away strikes it out.
//! An effect that no right call asks for is our bug, told to the caller, who buries the call.
use super::{Acked, Calls, Cx, Unsent, key};
use crate::counters::Count;
use crate::io::{Event, Output};
use crate::ledger::{Client, Will};
use bitspath_call::{CallEvent, Effect, LegId, ReqId};
use bitspath_core::Id;
use bitspath_core::store::{CdrCause, CdrRow};
use bitspath_media::{Cmd, PortNo};
use bitspath_sip::Method;
use bitspath_sip::endpoint::{Flow, Owner, TxnId};
use bitspath_sip::wire::{OutRequest, OutResponse};

impl Calls {
    pub(super) fn apply(
        &mut self,
        cx: &mut Cx<'_>,
        call: u64,
        effect: Effect,
    ) -> Result<(), &'static str> {
        match effect {
            Effect::Respond { txn, response } => self.respond(cx, call, txn, response),
            Effect::Repeat { txn } => {
                cx.endpoint.retransmit(cx.now, txn);
            }
            Effect::Request { leg, req, flow, request } => {
                self.request(cx, call, (leg, req), flow, request);
            }
            Effect::Cancel { leg, req, reason } => self.cancel(cx, call, (leg, req), reason),
            Effect::Ack { leg, req, to_tag, flow, request } => {
                self.send_ack(cx, call, (leg, req), to_tag, flow, request);
            }
            Effect::SetTimer(timer, at) => {
                self.timers.set((call, timer), at);
                self.note(call, |ledger| {
                    ledger.timers.insert(timer);
                });
            }
            Effect::CancelTimer(timer) => {
                self.timers.cancel((call, timer));
                self.note(call, |ledger| {
                    ledger.timers.remove(&timer);
                });
            }
            Effect::Lease(port) => return self.lease(cx, call, port),
            Effect::Free(port) => self.free(cx, call, port),
            Effect::Media(cmd) => self.media_command(cx, call, cmd),
            Effect::Bind { leg, call_id, local_tag } => self.bind(call, leg, &call_id, &local_tag),
            Effect::Will { leg, flow, bye } => self.note(call, |ledger| {
                ledger.wills.insert(leg, Will { flow, bye });
            }),
            Effect::NoWill { leg } => self.note(call, |ledger| {
                ledger.wills.remove(&leg);
            }),
            Effect::Cdr(row) => return self.record(cx, call, row),
            Effect::Log(event) => tell(cx, call, event),
            Effect::Gone => return self.gone(call),
        }
        Ok(())
    }

    pub(super) fn note<R>(
        &mut self,
        call: u64,
        f: impl FnOnce(&mut crate::ledger::Ledger) -> R,
    ) -> R
    where
        R: Default,
    {
        self.ledgers.get_mut(&call).map(f).unwrap_or_default()
    }

    fn respond(&mut self, cx: &mut Cx<'_>, call: u64, txn: TxnId, response: OutResponse) {
        if response.status.is_final() {
            self.note(call, |ledger| {
                ledger.servers.remove(&txn);
            });
        }
        cx.endpoint.respond(cx.now, txn, response);
    }

    fn request(
        &mut self,
        cx: &mut Cx<'_>,
        call: u64,
        (leg, req): (LegId, ReqId),
        flow: Flow,
        request: OutRequest,
    ) {
        let invite = request.method == Method::Invite;
        let cseq = request.cseq;
        let owner = Owner { call, leg: leg.0, req: req.0 };
        let sent_by = cx.advertise.sent_by(&flow);
        match cx.endpoint.request(cx.now, owner, flow, &sent_by, request) {
            Ok(txn) => self.note(call, |ledger| {
                ledger.clients.insert((leg, req), Client { txn, invite, finished: false });
                ledger.sent(leg, cseq);
            }),
            Err(_) => self.unsent.push_back(Unsent { call, leg, req }),
        }
    }

    fn cancel(
        &mut self,
        cx: &mut Cx<'_>,
        call: u64,
        (leg, req): (LegId, ReqId),
        reason: &'static str,
    ) {
        if let Some(txn) = self.note(call, |l| l.client(leg, req).map(|c| c.txn)) {
            cx.endpoint.cancel(cx.now, txn, Some(reason));
        }
    }

    fn send_ack(
        &mut self,
        cx: &mut Cx<'_>,
        call: u64,
        (leg, req): (LegId, ReqId),
        to_tag: String,
        flow: Flow,
        request: OutRequest,
    ) {
        let txn = self.note(call, |l| l.client(leg, req).map(|c| c.txn));
        let sent_by = cx.advertise.sent_by(&flow);
        let bytes = cx.endpoint.send_ack(cx.now, flow, &sent_by, request);
        if let Some(txn) = txn {
            self.keep_ack(txn, Acked { to_tag, flow, bytes });
        }
    }

    /// Kept while the INVITE's transaction lives: its `Ended` strikes it out.
    pub(super) fn keep_ack(&mut self, txn: TxnId, acked: Acked) {
        let kept = self.acks.entry(txn).or_default();
        if kept.len() < bitspath_core::limits::LEGS_PER_CALL_MAX {
            kept.push(acked);
        }
    }

    fn lease(&mut self, cx: &mut Cx<'_>, call: u64, port: PortNo) -> Result<(), &'static str> {
        // It was peeked in this very step.
        if !cx.ports.lease(port) {
            return Err("a leased port was not spare");
        }
        self.note(call, |ledger| {
            ledger.ports.insert(port);
        });
        Ok(())
    }

    fn free(&mut self, cx: &mut Cx<'_>, call: u64, port: PortNo) {
        if self.note(call, |ledger| ledger.ports.remove(&port)) {
            cx.ports.release(cx.now, port);
        }
    }

    fn media_command(&mut self, cx: &mut Cx<'_>, call: u64, cmd: Cmd) {
        let Some(ledger) = self.ledgers.get_mut(&call) else { return };
        match &cmd {
            Cmd::Open { stream, .. } => {
                ledger.streams.insert(*stream);
            }
            Cmd::Close { stream } => {
                ledger.streams.remove(stream);
            }
            Cmd::Modify { .. } | Cmd::Link { .. } => {}
        }
        cx.out.push_back(Output::Media(ledger.shard, cmd));
    }

    /// At the brim the leg goes without: its in-dialog requests get 481 and it lives until the
    /// other side ends it. The bound of the index is two legs for each call there can be.
    fn bind(&mut self, call: u64, leg: LegId, call_id: &str, local_tag: &str) {
        let key = key(call_id, local_tag);
        if self.dialogs.insert(key.clone(), (call, leg)).is_ok() {
            self.note(call, |ledger| ledger.dialogs.push(key));
        }
    }

    fn record(&mut self, cx: &mut Cx<'_>, call: u64, row: CdrRow) -> Result<(), &'static str> {
        let Some(ledger) = self.ledgers.get_mut(&call) else { return Ok(()) };
        if ledger.row.is_none() {
            return Err("a record was closed twice");
        }
        if row.cause == CdrCause::Open {
            cx.counters.add(Count::CallsAnswered);
            ledger.answered = Some(cx.now.mono);
            ledger.row = Some(row.clone());
        } else {
            cx.counters.add(Count::CallsEnded);
            ledger.row = None;
            self.open -= 1;
        }
        cx.store.put_cdr(cx.now, row, cx.out);
        Ok(())
    }

    fn gone(&mut self, call: u64) -> Result<(), &'static str> {
        let Some(ledger) = self.ledgers.get(&call) else { return Ok(()) };
        if let Some(what) = ledger.left() {
            return Err(what);
        }
        self.table.remove(Id::from_u64(call));
        for key in self.ledgers.remove(&call).into_iter().flat_map(|ledger| ledger.dialogs) {
            self.dialogs.remove(key.as_str());
        }
        Ok(())
    }
}

fn tell(cx: &mut Cx<'_>, call: u64, event: CallEvent) {
    let event = match event {
        CallEvent::Started { tenant, caller, callee, call_id } => {
            cx.counters.add(Count::CallsStarted);
            Event::CallStarted { call, tenant, caller, callee, call_id }
        }
        CallEvent::Ringing => Event::CallRinging { call },
        CallEvent::Answered { caller_port, callee_port } => {
            Event::CallAnswered { call, caller_port, callee_port }
        }
        CallEvent::Ended(cdr) => Event::CallEnded { call, cdr },
    };
    cx.out.push_back(Output::Event(0, event));
}
