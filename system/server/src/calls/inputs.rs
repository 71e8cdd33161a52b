//! What happens, brought to the call that it concerns: by dialog, by transaction, by stream.
use super::{Calls, Cx, key};
use crate::ledger::Ledger;
use bitspath_call::anchor::stream_owner;
use bitspath_call::cdr::draft;
use bitspath_call::{Branch, Call, Failure, In, LegId, ReqId, Route, Setup};
use bitspath_core::store::{CdrCause, CdrId};
use bitspath_core::{ConnId, Id, Purpose};
use bitspath_media::{Evt, ShardId};
use bitspath_pbx::Plan;
use bitspath_sip::endpoint::{Flow, Owner, TxnId};
use bitspath_sip::transaction::FailWhy;
use bitspath_sip::wire::{HeaderName, Message, OutResponse};
use bitspath_sip::{Method, Status};

/// 503 for want of room among calls that only wait for last answers.
const RETRY_AFTER: &str = "10";

impl Calls {
    /// A new call, admitted and planned. `tenant` and `caller` are names for the record.
    #[allow(clippy::too_many_arguments)]
    pub fn invite(
        &mut self,
        cx: &mut Cx<'_>,
        txn: TxnId,
        flow: Flow,
        msg: Message,
        tenant: String,
        caller: String,
        plan: Plan,
    ) {
        let from_tag = msg.from_tag().unwrap_or_default();
        //= RFC 3261 §8.2.2.2
        // Our own INVITE, come round through somebody else.
        if self.find(&msg, from_tag).is_some() {
            return cx.endpoint.respond(cx.now, txn, OutResponse::new(Status::LOOP_DETECTED));
        }
        let callee = msg.uri().and_then(|uri| uri.user_unescaped().map(|u| u.into_owned()));
        let setup = Setup {
            cdr: cdr_id(cx, txn),
            tenant,
            caller,
            callee: callee.unwrap_or_default(),
            tag: cx.endpoint.tag_of(txn).unwrap_or_default(),
            flow,
            here: cx.here(&flow),
            route: route(cx, plan),
        };
        let row = draft(&setup, msg.call_id(), cx.now.wall);
        let Ok(id) = self.table.insert(Call::new(setup, msg.call_id(), cx.now)) else {
            let full = OutResponse::new(Status::SERVICE_UNAVAILABLE);
            let full = full.with(HeaderName::RetryAfter, RETRY_AFTER);
            return cx.endpoint.respond(cx.now, txn, full);
        };
        let call = id.as_u64();
        let shard = cx.ports.best().unwrap_or_default();
        self.ledgers.insert(call, Ledger::new(shard, row));
        self.open += 1;
        self.own(cx, call, LegId::CALLER, txn);
        self.step(cx, call, In::Start { txn, msg: &msg });
    }

    /// A request with a To tag. False when it is in no dialog of ours: 481.
    pub fn in_dialog(&mut self, cx: &mut Cx<'_>, txn: TxnId, flow: Flow, msg: Message) -> bool {
        let Some((call, leg)) = self.find(&msg, msg.to_tag().unwrap_or_default()) else {
            return false;
        };
        self.own(cx, call, leg, txn);
        self.step(cx, call, In::Request { leg, txn, flow, msg: &msg });
        true
    }

    /// An ACK to a 2xx; one that fits no leg is absorbed.
    pub fn ack(&mut self, cx: &mut Cx<'_>, _flow: Flow, msg: Message) {
        if let Some((call, leg)) = self.find(&msg, msg.to_tag().unwrap_or_default()) {
            self.step(cx, call, In::Ack { leg, msg: &msg });
        }
    }

    pub fn cancelled(&mut self, cx: &mut Cx<'_>, txn: TxnId, owner: Option<Owner>, _msg: Message) {
        match owner {
            Some(Owner { call, leg, .. }) => {
                let leg = LegId(leg);
                self.step(cx, call, In::Cancelled { leg, txn });
            }
            None => {
                cx.endpoint.respond(cx.now, txn, OutResponse::new(Status::REQUEST_TERMINATED));
            }
        }
    }

    pub fn response(
        &mut self,
        cx: &mut Cx<'_>,
        txn: TxnId,
        owner: Owner,
        flow: Flow,
        msg: Message,
    ) {
        let status = msg.status().unwrap_or(Status::SERVER_ERROR);
        let taken_up = msg.method() == Method::Invite && status.is_success();
        if taken_up {
            let known = self.acks.get(&txn).into_iter().flatten();
            let to_tag = msg.to_tag().unwrap_or_default();
            if let Some(acked) = known.into_iter().find(|a| a.to_tag == to_tag) {
                //= RFC 3261 §13.2.2.4
                // The 2xx again: so was our ACK lost.
                return cx.endpoint.resend(cx.now, acked.flow, acked.bytes.clone());
            }
        }
        let (leg, req) = (LegId(owner.leg), ReqId(owner.req));
        if status.is_final() {
            self.finish(owner.call, leg, req);
        }
        let returned = self.step(cx, owner.call, In::Response { leg, req, msg: &msg });
        if taken_up && !returned {
            self.stray(cx, txn, owner, flow, &msg);
        }
    }

    pub fn failed(&mut self, cx: &mut Cx<'_>, _txn: TxnId, owner: Owner, why: FailWhy) {
        let (leg, req) = (LegId(owner.leg), ReqId(owner.req));
        self.finish(owner.call, leg, req);
        let why = match why {
            FailWhy::Timeout => Failure::Timeout,
            FailWhy::Transport => Failure::Transport,
        };
        self.step(cx, owner.call, In::Failed { leg, req, why });
    }

    /// A transaction with an owner has left the endpoint's table.
    pub fn ended(&mut self, _cx: &mut Cx<'_>, txn: TxnId, owner: Owner) {
        self.acks.remove(&txn);
        let at = (LegId(owner.leg), ReqId(owner.req));
        self.note(owner.call, |ledger| {
            ledger.servers.remove(&txn);
            if ledger.clients.get(&at).is_some_and(|client| client.txn == txn) {
                ledger.clients.remove(&at);
            }
        });
    }

    pub fn media(&mut self, cx: &mut Cx<'_>, shard: ShardId, evt: Evt) {
        let stream = match &evt {
            Evt::Warm { ports } => return cx.ports.warm(shard, ports),
            Evt::Failed { stream: None, port, .. } => return cx.ports.forget(*port),
            Evt::Failed { stream: Some(stream), .. }
            | Evt::Latched { stream, .. }
            | Evt::Silent { stream }
            | Evt::Dtmf { stream, .. }
            | Evt::Closed { stream, .. } => *stream,
        };
        let (call, _) = stream_owner(stream);
        self.step(cx, call, In::Media(&evt));
    }

    /// Calls outlive connections: the peer may come back on another. What was under way on this
    /// one fails by its own transaction.
    pub fn conn_closed(&mut self, _cx: &mut Cx<'_>, _conn: ConnId) {}

    /// By the operator. False when there is no such call.
    pub fn hang_up(&mut self, cx: &mut Cx<'_>, call: u64) -> bool {
        let live = self.table.get(Id::from_u64(call)).is_some_and(Call::is_live);
        live && self.step(cx, call, In::HangUp(CdrCause::Shutdown))
    }

    /// Ends every call with BYE, CANCEL or 503.
    pub fn shutdown(&mut self, cx: &mut Cx<'_>) {
        let live: Vec<u64> = self.rows(None).map(|(id, _)| id).collect();
        for call in live {
            self.step(cx, call, In::HangUp(CdrCause::Shutdown));
        }
    }

    fn find(&self, msg: &Message, local_tag: &str) -> Option<(u64, LegId)> {
        self.dialogs.get(key(msg.call_id(), local_tag).as_str()).copied()
    }

    /// From here on burial answers this request, should it come to that.
    fn own(&mut self, cx: &mut Cx<'_>, call: u64, leg: LegId, txn: TxnId) {
        cx.endpoint.set_owner(txn, Owner { call, leg: leg.0, req: 0 });
        self.note(call, |ledger| {
            ledger.servers.insert(txn);
        });
    }

    fn finish(&mut self, call: u64, leg: LegId, req: ReqId) {
        self.note(call, |ledger| {
            if let Some(client) = ledger.client(leg, req) {
                client.finished = true;
            }
        });
    }
}

fn route(cx: &Cx<'_>, plan: Plan) -> Route {
    match plan {
        Plan::Ring { targets, ring } => {
            let branch = |t: bitspath_pbx::Target| Branch {
                here: cx.here(&t.flow),
                uri: t.uri,
                flow: t.flow,
            };
            Route::Ring { targets: targets.into_iter().map(branch).collect(), ring }
        }
        Plan::Service(service) => Route::Service(service),
        Plan::Refuse(status, _) => Route::Refuse(status),
    }
}

/// Time-ordered, and nobody else's: the wall clock in nanoseconds, then 64 keyed bits.
fn cdr_id(cx: &Cx<'_>, txn: TxnId) -> CdrId {
    let low = cx.entropy.at(Purpose::CdrId, txn.as_u64(), cx.now.mono.0);
    CdrId(u128::from(cx.now.wall.0) << 64 | u128::from(low))
}
