//! One contact of one address of record, and the way to reach it — RFC 3261 §10.2.1, §20.10;
//! RFC 5626 §6 (the flow is stored beside the Contact).
//! Owns: what is kept of a Contact, and how it is said again in the 200.
use alloc::string::String;
use bitspath_core::net::Transport;
use bitspath_core::store::{BindingRow, TenantId};
use bitspath_core::{Instant, Now};
use bitspath_sip::wire::message::unfold;
use bitspath_sip::wire::uri::host_ip;
use bitspath_sip::{Message, NameAddr, Uri, endpoint::Flow};
use core::fmt::Write;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// The Contact value as the phone wrote it, without its `expires`.
    pub contact_value: String,
    /// The URI of it, verbatim but for headers (`?...`): the Request-URI of calls to it.
    pub uri: String,
    pub flow: Flow,
    /// Thousandths; 1000 when the phone said nothing.
    pub q: u16,
    pub expires: Instant,
    pub call_id: String,
    pub cseq: u32,
    /// `+sip.instance`, RFC 5626 §4.1, without its quotes.
    pub instance: Option<String>,
    /// The last refresh.
    pub registered: Instant,
}

/// A change of the location table, for the event stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Change {
    pub tenant: TenantId,
    pub user: String,
    pub uri: String,
    pub flow: Flow,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum What {
    Added,
    Refreshed,
    /// By the phone (expires 0 or `*`), or with its number by the operator.
    Removed,
    /// By another contact of the same instance, or by a newer one at the cap.
    Replaced,
    Expired,
    /// Its connection closed.
    Lost,
}

impl Binding {
    pub fn is_live(&self, now: Instant) -> bool {
        self.expires > now
    }

    /// Only what outlives a restart is written down: streams die with their connection.
    pub fn is_stored(&self) -> bool {
        self.flow.transport == Transport::Udp
    }

    //= RFC 3261 §10.3
    /// The Contact of the 200: verbatim, with the seconds that are left (rounded up).
    pub fn echo(&self, now: Instant) -> String {
        let left = self.expires.since(now).as_nanos().div_ceil(1_000_000_000);
        let mut out = String::with_capacity(self.contact_value.len() + 14);
        out.push_str(&self.contact_value);
        // Writing to a String cannot fail.
        let _ = write!(out, ";expires={left}");
        out
    }

    pub(crate) fn row(&self, now: Now, tenant: &str, user: &str) -> BindingRow {
        BindingRow {
            tenant: tenant.into(),
            user: user.into(),
            contact: self.contact_value.clone(),
            instance: self.instance.clone(),
            q: self.q,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            expires: now.wall + self.expires.since(now.mono),
            listener: self.flow.listener,
            transport: self.flow.transport,
            peer: self.flow.peer,
            local: self.flow.local,
        }
    }

    /// The binding of a row, unless it died while we were down or cannot be read.
    pub(crate) fn restored(now: Now, row: &BindingRow) -> Option<Binding> {
        let left = row.expires.since(now.wall);
        let contact = Contact::read(&row.contact)?;
        if left.is_zero() || row.transport != Transport::Udp {
            return None;
        }
        Some(Binding {
            contact_value: row.contact.clone(),
            uri: contact.uri,
            flow: Flow {
                listener: row.listener,
                transport: row.transport,
                local: row.local,
                peer: row.peer,
                conn: None,
            },
            q: row.q,
            expires: now.mono + left,
            call_id: row.call_id.clone(),
            cseq: row.cseq,
            instance: row.instance.clone(),
            registered: now.mono,
        })
    }
}

/// What a Contact value of a REGISTER says.
pub(crate) struct Contact {
    pub value: String,
    pub uri: String,
    pub q: u16,
    pub expires: Option<u32>,
    pub instance: Option<String>,
}

impl Contact {
    /// `None` when the value is not to be read; the request is then malformed.
    pub fn read(text: &str) -> Option<Contact> {
        let flat = unfold(text);
        let address = NameAddr::parse(&flat).ok()?;
        let uri = address.uri().ok()?;
        let instance = address.param("+sip.instance").flatten();
        Some(Contact {
            value: without_expires(&flat, &address),
            uri: without_headers(&uri),
            q: address.q().unwrap_or(1000).min(1000),
            expires: address.expires(),
            instance: instance.map(|i| i.trim_matches('"').into()),
        })
    }
}

/// The value as written, minus `expires` among the header parameters.
fn without_expires(text: &str, address: &NameAddr<'_>) -> String {
    let params = address.params.as_str();
    let mut out = String::with_capacity(text.len());
    out.push_str(text.strip_suffix(params).unwrap_or(text).trim_end());
    for (name, value) in address.params.iter() {
        if !name.eq_ignore_ascii_case("expires") {
            out.push(';');
            out.push_str(name);
            if let Some(value) = value {
                out.push('=');
                out.push_str(value);
            }
        }
    }
    out
}

//= RFC 3261 §19.1.1
/// A Request-URI has no headers part; all else stays as the phone wrote it.
fn without_headers(uri: &Uri<'_>) -> String {
    let cut = if uri.headers.is_empty() { 0 } else { uri.headers.len() + 1 };
    uri.text.get(..uri.text.len() - cut).unwrap_or(uri.text).into()
}

/// RFC 3261 §19.1.4, on two texts; what cannot be read is equal only to itself.
pub(crate) fn same_uri(a: &str, b: &str) -> bool {
    match (Uri::parse(a), Uri::parse(b)) {
        _ if a == b => true,
        (Ok(a), Ok(b)) => a.equals(&b),
        _ => false,
    }
}

/// Does the phone know itself by another address than the one we see it at? Then there is a NAT
/// between us, and its flow must be kept alive.
pub fn behind_nat(request: &Message, flow: &Flow) -> bool {
    let via = request.top_via();
    let contact = request.contacts().first();
    !is_seen(via.host, via.port, flow) || contact.is_some_and(|c| is_elsewhere(c.uri_text, flow))
}

/// Is the Contact another address than the one that its flow comes from?
pub(crate) fn is_elsewhere(uri: &str, flow: &Flow) -> bool {
    Uri::parse(uri).is_ok_and(|uri| !is_seen(uri.host, uri.port, flow))
}

/// A name says nothing of addresses; a port does.
fn is_seen(host: &str, port: Option<u16>, flow: &Flow) -> bool {
    let is_peer = host_ip(host).is_none_or(|ip| ip == flow.peer.ip().to_canonical());
    is_peer && port.unwrap_or(5060) == flow.peer.port()
}
