//! REGISTER and what follows from it in time: expiry, lost connections, keep-alives.
//! Owns: the way from the registrar's acts to the world. Does not know: RFC 3261 §10 (`pbx`).
use crate::counters::Count;
use crate::dispatch::Request;
use crate::io::Event;
use crate::live::Live;
use bitspath_core::store::Write;
use bitspath_core::{ConnId, Now};
use bitspath_pbx::{Act, Change, What, binding, identity};
use bitspath_sip::Status;
use bitspath_sip::wire::OutResponse;

impl Live {
    /// A REGISTER that is admitted: its address of record must be the tenant's own.
    pub fn register(&mut self, now: Now, request: &Request) {
        let Request { txn, flow, msg, .. } = request;
        //= RFC 3261 §10.3
        // An address of record is a SIP URI; a registrar has no use for others.
        if !msg.to().uri().is_ok_and(|uri| uri.is_sip()) {
            return self.not_registered(now, request, OutResponse::new(Status(400)));
        }
        let user = identity::claimed(msg);
        let tenant = self.directory.tenant(request.tenant);
        let checked = tenant
            .ok_or(Status(404))
            .and_then(|tenant| identity::registrable(tenant, user.as_deref()).map(|()| tenant));
        let (tenant, user) = match (checked, user) {
            (Ok(tenant), Some(user)) => (tenant, user),
            (Err(status), _) => return self.not_registered(now, request, OutResponse::new(status)),
            (_, None) => {
                return self.not_registered(now, request, OutResponse::new(Status(404)));
            }
        };
        let nat = binding::behind_nat(msg, flow);
        let done = self.registrar.handle(now, msg, *flow, tenant, &user, nat);
        if !done.response.status.is_success() {
            return self.not_registered(now, request, done.response);
        }
        self.counters.add(Count::Registrations);
        self.respond(now, *txn, done.response);
        self.changed(now, done.changes);
        self.write(now, done.writes);
    }

    fn not_registered(&mut self, now: Now, request: &Request, response: OutResponse) {
        self.counters.add(Count::RegisterRefused);
        self.respond(now, request.txn, response);
    }

    /// Expiries and keep-alives that are due.
    pub fn registrations_due(&mut self, now: Now) {
        self.registrar.handle_timeout(now.mono);
        while let Some(act) = self.registrar.poll_output() {
            match act {
                Act::Keepalive(flow) => {
                    self.counters.add(Count::KeepAlives);
                    self.endpoint.keep_alive(now, flow);
                }
                Act::Write(write) => self.write(now, vec![write]),
                Act::Changed(change) => self.changed(now, vec![change]),
            }
        }
    }

    /// A registration over a stream dies with it.
    pub fn connection_lost(&mut self, now: Now, conn: ConnId) {
        let changes = self.registrar.conn_closed(conn);
        self.changed(now, changes);
    }

    pub fn write(&mut self, now: Now, writes: Vec<Write>) {
        for write in writes {
            self.records.write(now, write, false, &mut self.out);
        }
    }

    fn changed(&mut self, now: Now, changes: Vec<Change>) {
        for change in changes {
            let tenant = self.tenant_name(change.tenant);
            let Change { user, uri: contact, flow, what, .. } = change;
            let event = match what {
                What::Added => {
                    let of = self.registrar.lookup(change.tenant, &user);
                    let left = of.iter().find(|b| b.uri == contact).map(|b| b.expires);
                    let expires_s =
                        left.map_or(0, |at| at.since(now.mono).as_secs().min(u64::from(u32::MAX)));
                    let expires_s = expires_s as u32;
                    Event::Registered { tenant, user, contact, peer: flow.peer, expires_s }
                }
                What::Refreshed => continue,
                What::Removed | What::Replaced | What::Expired | What::Lost => {
                    Event::Unregistered { tenant, user, contact }
                }
            };
            self.event(event);
        }
    }
}
