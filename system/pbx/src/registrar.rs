//! Registrar — RFC 3261 §10.3, from step 6 on. Identity, authentication and the address of record
//! are settled before (see [`identity`](crate::identity)).
//! Owns: reading the contacts of a REGISTER, its answer.
//! Missing: Path (RFC 3327) and outbound (RFC 5626 §6: `reg-id` is not read, an instance has one
//! binding); requests go to the stored flow, which reaches an edge proxy too.
//!
//! ```text
//!   REGISTER ─ malformed ─▶ 400     ─ below 60 s ─▶ 423 Min-Expires
//!      └─▶ draft: contact by contact ─ older than a binding ─▶ 500 ┐ nothing
//!             └─▶ commit ─ no room ─▶ 503 Retry-After              ┘ changed
//!                    └─▶ 200 with every binding
//! ```
use crate::binding::{Binding, Change, Contact, is_elsewhere};
use crate::directory::{Directory, Tenant};
use crate::draft::{Draft, Entry, OutOfOrder, Stamp};
use crate::location::{Act, Location};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitspath_core::limits::{
    BINDINGS_MAX, CONTACT_BYTES_MAX, EXPIRES_S_DEFAULT, EXPIRES_S_MAX, EXPIRES_S_MIN, Full,
};
use bitspath_core::net::{ConnId, Transport};
use bitspath_core::node::Audit;
use bitspath_core::store::{BindingRow, TenantId, Write};
use bitspath_core::{Entropy, Instant, Now};
use bitspath_sip::endpoint::Flow;
use bitspath_sip::wire::date::SipDate;
use bitspath_sip::wire::{Contacts, OutResponse};
use bitspath_sip::{HeaderName, Message, Status};
use serde::{Deserialize, Serialize};

/// A phone that found no room tries again after this many seconds.
const RETRY_AFTER_S: u32 = 30;

/// The registrar and its location service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registrar {
    location: Location,
}

/// The answer to a REGISTER and what follows from it.
#[derive(Clone, Debug)]
pub struct Registered {
    pub response: OutResponse,
    pub writes: Vec<Write>,
    pub changes: Vec<Change>,
}

impl Registrar {
    pub fn new(entropy: Entropy) -> Self {
        Registrar::with_capacity(entropy, BINDINGS_MAX)
    }

    /// With fewer bindings than the house allows, as configuration may ask.
    pub fn with_capacity(entropy: Entropy, bindings: u32) -> Self {
        Registrar { location: Location::new(entropy, bindings) }
    }

    /// A REGISTER whose sender may speak for `user` of `tenant`. `behind_nat` asks that a UDP flow
    /// be kept alive; see [`binding::behind_nat`](crate::binding::behind_nat).
    pub fn handle(
        &mut self,
        now: Now,
        request: &Message,
        flow: Flow,
        tenant: &Tenant,
        user: &str,
        behind_nat: bool,
    ) -> Registered {
        let stamp = Stamp {
            now,
            call_id: request.call_id(),
            cseq: request.cseq(),
            flow,
            watched: behind_nat && flow.transport == Transport::Udp,
        };
        self.register(request, &stamp, tenant, user).unwrap_or_else(|refusal| Registered {
            response: refusal.response(),
            writes: Vec::new(),
            changes: Vec::new(),
        })
    }

    fn register(
        &mut self,
        request: &Message,
        stamp: &Stamp<'_>,
        tenant: &Tenant,
        user: &str,
    ) -> Result<Registered, Refusal> {
        let now = stamp.now;
        let asked = Asked::read(request)?;
        let mut draft = self.location.draft(now.mono, tenant.id, user);
        let tried = match asked {
            Asked::Query => Ok(()),
            Asked::Clear => draft.clear(stamp),
            Asked::Contacts(list) => {
                list.into_iter().try_for_each(|(c, seconds)| draft.apply(c, seconds, stamp))
            }
        };
        //= RFC 3261 §10.3
        // Out of order: nothing is changed.
        tried.map_err(|OutOfOrder| Refusal::OutOfOrder)?;
        draft.shed();
        let named = (tenant.id, tenant.name.as_str());
        let done = self.location.commit(now, named, user, &mut draft);
        let done = done.map_err(|Full| Refusal::NoRoom)?;
        let response = accepted(now, &draft);
        Ok(Registered { response, writes: done.writes, changes: done.changes })
    }

    /// Where a number is reached: by q, of equal ones the last refreshed first.
    pub fn lookup(&self, tenant: TenantId, user: &str) -> Vec<&Binding> {
        self.location.lookup(tenant, user)
    }

    /// All bindings, for queries; in the order of their slots.
    pub fn bindings(&self) -> impl Iterator<Item = (TenantId, &str, &Binding)> {
        self.location.iter()
    }

    pub fn len(&self) -> usize {
        self.location.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bindings over this connection are gone. None of them was written down.
    pub fn conn_closed(&mut self, conn: ConnId) -> Vec<Change> {
        self.location.conn_closed(conn)
    }

    /// After a reload: bindings of numbers that the directory no longer has are gone.
    pub fn prune(&mut self, directory: &Directory) -> (Vec<Write>, Vec<Change>) {
        let done = self.location.retain(|tenant, user| {
            directory.tenant(tenant).is_some_and(|t| t.extension(user).is_some())
        });
        (done.writes, done.changes)
    }

    /// Takes back what was written down before a restart; gives the deletions of rows that are
    /// dead, unreadable or nobody's.
    pub fn restore(&mut self, now: Now, rows: &[BindingRow], directory: &Directory) -> Vec<Write> {
        rows.iter().flat_map(|row| self.restore_row(now, row, directory)).collect()
    }

    fn restore_row(&mut self, now: Now, row: &BindingRow, directory: &Directory) -> Vec<Write> {
        let tenant = directory.tenant_named(&row.tenant);
        let tenant = tenant.filter(|t| t.extension(&row.user).is_some());
        let binding = Binding::restored(now, row);
        if let (Some(tenant), Some(binding)) = (tenant, binding) {
            let mut draft = self.location.draft(now.mono, tenant.id, &row.user);
            draft.seq += 1;
            let watched = is_elsewhere(&binding.uri, &binding.flow);
            let (seq, touched) = (draft.seq, true);
            draft.entries.push(Entry { id: None, binding, seq, touched, watched });
            draft.shed();
            let named = (tenant.id, tenant.name.as_str());
            if let Ok(done) = self.location.commit(now, named, &row.user, &mut draft) {
                let is_delete = |w: &Write| matches!(w, Write::DeleteBinding { .. });
                return done.writes.into_iter().filter(is_delete).collect();
            }
        }
        let BindingRow { tenant, user, contact, .. } = row.clone();
        Vec::from([Write::DeleteBinding { tenant, user, contact }])
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.location.handle_timeout(now);
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.location.poll_timeout()
    }

    pub fn poll_output(&mut self) -> Option<Act> {
        self.location.poll_output()
    }

    pub fn audit(&self, audit: &mut Audit) {
        self.location.audit(audit);
    }
}

/// Why a REGISTER changes nothing.
enum Refusal {
    Malformed,
    /// More than we keep of one phone.
    TooLong,
    TooBrief,
    OutOfOrder,
    NoRoom,
}

impl Refusal {
    fn response(self) -> OutResponse {
        let of = |code| OutResponse::new(Status(code));
        match self {
            Refusal::Malformed => of(400),
            Refusal::TooLong => of(513),
            Refusal::TooBrief => of(423).with(HeaderName::MinExpires, EXPIRES_S_MIN.to_string()),
            Refusal::OutOfOrder => of(500),
            Refusal::NoRoom => of(503).with(HeaderName::RetryAfter, RETRY_AFTER_S.to_string()),
        }
    }
}

/// What a REGISTER wants.
enum Asked {
    Query,
    Clear,
    /// Each with its seconds; zero removes.
    Contacts(Vec<(Contact, u32)>),
}

impl Asked {
    fn read(request: &Message) -> Result<Asked, Refusal> {
        match request.contacts() {
            Contacts::None => return Ok(Asked::Query),
            //= RFC 3261 §10.3
            // `*` stands alone and only with Expires: 0.
            Contacts::Star if request.expires() == Some(0) => return Ok(Asked::Clear),
            Contacts::Star => return Err(Refusal::Malformed),
            Contacts::List(_) => {}
        }
        let header = request.expires();
        let mut list = Vec::new();
        for value in request.list(HeaderName::Contact) {
            if value.len() + request.call_id().len() > CONTACT_BYTES_MAX {
                return Err(Refusal::TooLong);
            }
            let contact = Contact::read(value).ok_or(Refusal::Malformed)?;
            let seconds = contact.expires.or(header).unwrap_or(EXPIRES_S_DEFAULT);
            //= RFC 3261 §10.3
            // Too brief is refused with what would do; too long is cut.
            if (1..EXPIRES_S_MIN).contains(&seconds) {
                return Err(Refusal::TooBrief);
            }
            list.push((contact, seconds.min(EXPIRES_S_MAX)));
        }
        Ok(Asked::Contacts(list))
    }
}

//= RFC 3261 §10.3
/// 200 with every current binding, and the Date that a phone may set its clock by.
fn accepted(now: Now, draft: &Draft) -> OutResponse {
    let echo = |e: &Entry| (HeaderName::Contact, e.binding.echo(now.mono));
    let mut response = OutResponse::new(Status(200));
    response.extra = draft.entries.iter().map(echo).collect::<Vec<(HeaderName, String)>>();
    response.with(HeaderName::Date, SipDate(now.wall).to_string())
}
