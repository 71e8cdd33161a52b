//! The end of a call that did not come back from its step: our own bug, contained. Everything the
//! ledger lists is given back; peers hear 500, CANCEL or BYE; the record says `bug`.
//! Owns: the walk. Best effort towards peers, exact towards our own tables.
use super::{Acked, Calls, Cx};
use crate::counters::Count;
use crate::io::{Event, Output};
use crate::ledger::Ledger;
use bitspath_call::stray;
use bitspath_core::Duration;
use bitspath_core::store::CdrCause;
use bitspath_media::Cmd;
use bitspath_sip::Status;
use bitspath_sip::endpoint::{Flow, Owner, TxnId};
use bitspath_sip::wire::{Message, OutResponse};
use core::any::Any;

/// RFC 3326 §2.
const REASON: &str = "SIP;cause=500;text=\"Server Internal Error\"";

impl Calls {
    pub(super) fn bury(&mut self, cx: &mut Cx<'_>, call: u64, what: String) {
        cx.counters.add(Count::Bugs);
        cx.out.push_back(Output::Event(0, Event::Bug { call: Some(call), what }));
        let Some(ledger) = self.ledgers.remove(&call) else { return };
        self.unsent.retain(|unsent| unsent.call != call);
        for txn in &ledger.servers {
            cx.endpoint.respond(cx.now, *txn, OutResponse::new(Status::SERVER_ERROR));
        }
        // A 2xx that comes all the same finds no call and is ended as a stray.
        for client in ledger.clients.values().filter(|c| c.invite && !c.finished) {
            cx.endpoint.cancel(cx.now, client.txn, Some(REASON));
        }
        for (leg, will) in &ledger.wills {
            let owner = Owner { call, leg: leg.0, req: u32::MAX };
            let sent_by = cx.advertise.sent_by(&will.flow);
            // A full table only means that this peer hears nothing.
            let _ = cx.endpoint.request(cx.now, owner, will.flow, &sent_by, will.bye.clone());
        }
        for stream in &ledger.streams {
            cx.out.push_back(Output::Media(ledger.shard, Cmd::Close { stream: *stream }));
        }
        for port in &ledger.ports {
            cx.ports.release(cx.now, *port);
        }
        for timer in &ledger.timers {
            self.timers.cancel((call, *timer));
        }
        for key in &ledger.dialogs {
            self.dialogs.remove(key.as_str());
        }
        self.close_record(cx, call, ledger);
    }

    fn close_record(&mut self, cx: &mut Cx<'_>, call: u64, ledger: Ledger) {
        let Some(mut row) = ledger.row else { return };
        row.cause = CdrCause::Bug;
        row.ended = Some(cx.now.wall);
        row.billed = ledger.answered.map_or(Duration::ZERO, |at| cx.now.mono.since(at));
        if row.status == 0 {
            row.status = Status::SERVER_ERROR.0;
        }
        self.open -= 1;
        cx.counters.add(Count::CallsEnded);
        cx.store.put_cdr(cx.now, row.clone(), cx.out);
        cx.out.push_back(Output::Event(0, Event::CallEnded { call, cdr: row }));
    }

    //= RFC 3261 §13.2.2.4
    /// A 2xx to an INVITE of ours that no call waits for: ACK, once more for each copy, and BYE.
    pub(super) fn stray(
        &mut self,
        cx: &mut Cx<'_>,
        txn: TxnId,
        owner: Owner,
        flow: Flow,
        msg: &Message,
    ) {
        let Some((ack, bye)) = stray::ack_and_bye(msg) else { return };
        let sent_by = cx.advertise.sent_by(&flow);
        let bytes = cx.endpoint.send_ack(cx.now, flow, &sent_by, ack);
        let to_tag = msg.to_tag().unwrap_or_default().to_owned();
        self.keep_ack(txn, Acked { to_tag, flow, bytes });
        let owner = Owner { req: u32::MAX, ..owner };
        let _ = cx.endpoint.request(cx.now, owner, flow, &sent_by, bye);
    }
}

/// What the panic said.
pub(super) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
