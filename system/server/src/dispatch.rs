//! What becomes of a request: the order of checks, then the method's own place.
//! Owns: the order. Does not know: how any check works (`gate`, `auth`, `pbx::identity`).
//!
//! ```text
//!   Request ─ To-tag ──▶ 482 ─▶ 420, 415 ─▶ calls.in_dialog ─ no dialog ─▶ 481
//!           └ none ────▶ 483, 482 ─▶ tenant ─▶ 401 / 403 ─▶ 501 405 489 420 415 406 ─┬▶ OPTIONS
//!                            OPTIONS to the server itself skips ▲                    ├▶ REGISTER
//!                                                                                    └▶ INVITE
//! ```
use crate::auth::Admitted;
use crate::counters::Count;
use crate::gate::{self, Check, Refusal};
use crate::live::Live;
use bitspath_core::Now;
use bitspath_core::store::TenantId;
use bitspath_pbx::{Plan, identity, plan};
use bitspath_sip::endpoint::{Flow, TxnId};
use bitspath_sip::wire::OutResponse;
use bitspath_sip::{HeaderName, Message, Method, Status};

/// Seconds after which a caller may try again: draining, and at a limit.
const RETRY_AFTER_S: u32 = 30;

/// A request on its way through the checks.
#[derive(Clone, Debug)]
pub struct Request {
    pub txn: TxnId,
    pub flow: Flow,
    pub msg: Message,
    pub tenant: TenantId,
}

impl Live {
    pub fn request(&mut self, now: Now, txn: TxnId, flow: Flow, msg: Message, merged: bool) {
        let in_dialog = msg.to_tag().is_some() && msg.method() != Method::Register;
        let hops = if in_dialog { Ok(()) } else { gate::hops(&msg) };
        if let Err(refusal) = hops.and_then(|()| gate::merged(merged)) {
            return self.refuse(now, txn, *refusal);
        }
        if in_dialog {
            return self.in_dialog(now, txn, flow, msg);
        }
        let default = self.listener_tenant(flow);
        let tenant = self.hosts.tenant(&self.directory, &msg, flow.conn, default);
        let request = Request { txn, flow, msg, tenant };
        let admitted = if gate::is_to_server(&request.msg) {
            Admitted::nobody()
        } else {
            let Some(admitted) = self.admit(now, &request) else { return };
            admitted
        };
        let checked = gate::method(&request.msg).and_then(|()| gate::content(&request.msg));
        if let Err(refusal) = checked {
            return self.refuse(now, txn, *refusal);
        }
        match request.msg.method() {
            Method::Options => self.options(now, &request, &admitted),
            Method::Register => self.register(now, &request),
            Method::Invite => self.invite(now, request, &admitted),
            // A BYE without a To-tag is within no dialog.
            _ => self.no_dialog(now, txn),
        }
    }

    /// Never challenged: whoever knows both tags is in the dialog.
    fn in_dialog(&mut self, now: Now, txn: TxnId, flow: Flow, msg: Message) {
        if let Err(refusal) = gate::content(&msg) {
            return self.refuse(now, txn, *refusal);
        }
        if !self.with_calls(now, |calls, cx| calls.in_dialog(cx, txn, flow, msg)) {
            self.no_dialog(now, txn);
        }
    }

    //= RFC 3261 §12.2.2
    fn no_dialog(&mut self, now: Now, txn: TxnId) {
        self.refuse(now, txn, *Refusal::new(Count::RejectedDialog, Status(481)));
    }

    //= RFC 3261 §11.2
    /// OPTIONS to a user: the status that an INVITE would get, without ringing anybody.
    fn options(&mut self, now: Now, request: &Request, admitted: &Admitted) {
        let response = if gate::is_to_server(&request.msg) {
            gate::capabilities()
        } else {
            match self.plan(request, admitted) {
                Ok(Plan::Ring { .. } | Plan::Service(_)) => gate::capabilities(),
                Ok(Plan::Refuse(status, _)) | Err(status) => OutResponse::new(status),
            }
        };
        self.respond(now, request.txn, response);
    }

    fn invite(&mut self, now: Now, request: Request, admitted: &Admitted) {
        if let Err(refusal) = self.room() {
            return self.refuse(now, request.txn, *refusal);
        }
        let plan = match self.plan(&request, admitted) {
            Ok(plan) => plan,
            Err(status) => {
                let refusal = Refusal::new(Count::RejectedAddress, status);
                return self.refuse(now, request.txn, *refusal);
            }
        };
        if matches!(plan, Plan::Refuse(..)) {
            self.counters.add(Count::RejectedPlan);
        }
        let Request { txn, flow, msg, tenant } = request;
        let (name, caller) = (self.tenant_name(tenant), admitted.caller.clone());
        self.with_calls(now, |c, cx| c.invite(cx, txn, flow, msg, name, caller, plan));
    }

    /// Whether a new call may begin at all.
    fn room(&self) -> Check {
        let count = if self.drain.refuses_calls() {
            Count::RejectedDrain
        } else if self.calls.len() >= self.config.limits.calls as usize {
            Count::RejectedFull
        } else {
            return Ok(());
        };
        Err(Refusal::new(count, Status(503))
            .with(HeaderName::RetryAfter, RETRY_AFTER_S.to_string()))
    }

    /// The caller's dialplan for the Request-URI; a status when that names nobody at all.
    fn plan(&self, request: &Request, admitted: &Admitted) -> Result<Plan, Status> {
        let uri = request.msg.uri().ok_or(Status(400))?;
        let callee = identity::user_of(&uri).ok_or(Status(404))?;
        let (directory, registrar) = (&self.directory, &self.registrar);
        let (caller, from) = (&admitted.caller, Some(request.flow));
        Ok(plan(directory, registrar, request.tenant, caller, &callee, from))
    }

    fn listener_tenant(&self, flow: Flow) -> TenantId {
        let listener = self.config.listeners.get(usize::from(flow.listener.0));
        let place = listener.map_or(0, |l| l.tenant);
        self.directory.tenants().get(place).map_or(TenantId(0), |t| t.id)
    }

    pub fn tenant_name(&self, tenant: TenantId) -> String {
        self.directory.tenant(tenant).map_or_else(String::new, |t| t.name.clone())
    }

    pub fn respond(&mut self, now: Now, txn: TxnId, response: OutResponse) {
        self.endpoint.respond(now, txn, response);
    }

    pub fn refuse(&mut self, now: Now, txn: TxnId, refusal: Refusal) {
        let Refusal { count, response } = refusal;
        self.counters.add(count);
        self.respond(now, txn, response);
    }
}
