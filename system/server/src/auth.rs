//! Who may speak: digest by the tenant's policy — RFC 3261 §22, RFC 7616, RFC 8760.
//! Owns: which requests are challenged and the order of its answers. Does not know: how a digest
//! is computed or what a nonce holds.
//!
//! ```text
//!   tenant without authentication ─────────────────────────────────▶ From user, unproven
//!   no credentials ─ INVITE to a service from a guest network ──────▶ "guest"
//!                  └ else ─▶ 401, one challenge per algorithm of the tenant
//!   credentials ─ stale ─▶ 401 stale=true      wrong, or user unknown ─▶ 403, the same for both
//!               └ right ─ user is To (REGISTER) or From (the rest) ─▶ admitted    else 403
//! ```
use crate::counters::Count;
use crate::dispatch::Request;
use crate::gate::Refusal;
use crate::io::Event;
use crate::live::Live;
use bitspath_core::Now;
use bitspath_pbx::{Tenant, identity};
use bitspath_sip::digest::{self, Verdict};
use bitspath_sip::wire::OutResponse;
use bitspath_sip::{HeaderName, Method, Status};

/// The caller that a request was admitted as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub caller: String,
}

impl Admitted {
    /// Who asks the server about itself.
    pub fn nobody() -> Admitted {
        Admitted { caller: ANONYMOUS.to_owned() }
    }
}

/// What a guest is called in dialplan and records: its From is anybody's claim.
pub const GUEST: &str = "guest";

/// What an unproven caller without a user part is called.
const ANONYMOUS: &str = "anonymous";

impl Live {
    /// Lets a request in, or answers it and gives `None`.
    pub fn admit(&mut self, now: Now, request: &Request) -> Option<Admitted> {
        let Some(tenant) = self.directory.tenant(request.tenant) else {
            self.respond(now, request.txn, OutResponse::new(Status(404)));
            return None;
        };
        if !tenant.auth {
            return Some(Admitted { caller: claimed(request) });
        }
        let verdict = digest::verify(
            &mut self.nonces,
            now.wall,
            &tenant.realm,
            &tenant.algorithms,
            request.msg.method_token(),
            request.msg.headers(HeaderName::Authorization),
            |user, algorithm| tenant.ha1(user, algorithm),
        );
        match verdict {
            Verdict::Ok { user } => self.owns(now, request, user),
            Verdict::NoCredentials if self.is_guest(request, tenant) => {
                self.counters.add(Count::GuestsAdmitted);
                Some(Admitted { caller: GUEST.to_owned() })
            }
            Verdict::NoCredentials => self.challenge(now, request, Count::AuthChallenged),
            Verdict::Stale => self.challenge(now, request, Count::AuthStale),
            Verdict::Wrong { nonce_good } => {
                let (tenant, user) = (tenant.name.clone(), claimed(request));
                self.event(Event::AuthFailed { tenant, user, peer: request.flow.peer });
                self.wrong(now, request, nonce_good)
            }
            Verdict::Malformed => {
                self.respond(now, request.txn, OutResponse::new(Status(400)));
                None
            }
        }
    }

    /// The proven user must be the one that the request speaks for, in the tenant that proved it.
    fn owns(&mut self, now: Now, request: &Request, user: String) -> Option<Admitted> {
        let msg = &request.msg;
        let speaks_for = if msg.method() == Method::Register { msg.to() } else { msg.from() };
        let host = speaks_for.uri().ok().and_then(|u| self.directory.tenant_of_host(u.host));
        let elsewhere = host.is_some_and(|tenant| tenant != request.tenant);
        let authorised = identity::authorised(&user, identity::claimed(msg).as_deref());
        match authorised {
            Ok(()) if !elsewhere => {
                self.counters.add(Count::AuthOk);
                Some(Admitted { caller: user })
            }
            _ => {
                self.refuse(now, request.txn, *Refusal::new(Count::AuthForeign, Status(403)));
                None
            }
        }
    }

    //= RFC 3261 §21.4.4
    /// A wrong digest over a good nonce: to ask again would not help, and some phones answer
    /// every 401 at once with the same wrong password (baresip 1.0: fifteen times).
    fn wrong(&mut self, now: Now, request: &Request, nonce_good: bool) -> Option<Admitted> {
        if !nonce_good {
            return self.challenge(now, request, Count::AuthWrong);
        }
        self.refuse(now, request.txn, *Refusal::new(Count::AuthWrong, Status(403)));
        None
    }

    //= RFC 3261 §22.1
    //= RFC 8760 §2.4
    /// One header line for each algorithm, the preferred on top.
    fn challenge(&mut self, now: Now, request: &Request, why: Count) -> Option<Admitted> {
        self.counters.add(why);
        let tenant = self.directory.tenant(request.tenant)?;
        let stale = why == Count::AuthStale;
        let (nonces, realm) = (&mut self.nonces, &tenant.realm);
        let lines = digest::challenges(nonces, now.wall, realm, &tenant.algorithms, stale);
        let mut response = OutResponse::new(Status(401));
        let line = |text| (HeaderName::WwwAuthenticate, text);
        response.extra.extend(lines.into_iter().map(line));
        self.respond(now, request.txn, response);
        None
    }

    /// A call to a service from a network that may call services; nothing else.
    fn is_guest(&self, request: &Request, tenant: &Tenant) -> bool {
        let callee = request.msg.uri();
        let service = callee.as_ref().and_then(identity::user_of);
        request.msg.method() == Method::Invite
            && tenant.is_guest(request.flow.peer.ip())
            && service.is_some_and(|number| tenant.service(&number).is_some())
    }
}

/// The user that a request claims to speak for, unproven.
fn claimed(request: &Request) -> String {
    identity::claimed(&request.msg).map_or_else(|| ANONYMOUS.to_owned(), |user| user.into_owned())
}
