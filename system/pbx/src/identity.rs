//! Whose request this is, and whether that may be said — the rules of tenants as pure functions.
//! The caller's tenant comes from the From host, else from the name that the connection was opened
//! to (SNI, WebSocket host), else from the listener. The callee is resolved by the *caller's*
//! dialplan, whatever host was dialled.
use crate::directory::{Directory, Tenant};
use alloc::borrow::Cow;
use bitspath_core::net::StreamKind;
use bitspath_core::store::TenantId;
use bitspath_sip::{Message, Method, Status, Uri};

/// The caller's tenant. An address or an unknown name in From says nothing.
pub fn tenant_of(
    directory: &Directory,
    from_host: &str,
    connection_host: Option<&str>,
    listener_default: TenantId,
) -> TenantId {
    let named = |host: &str| directory.tenant_of_host(host);
    named(from_host).or_else(|| named(connection_host?)).unwrap_or(listener_default)
}

/// The name that a connection was opened to.
pub fn connection_host(kind: &StreamKind) -> Option<&str> {
    match kind {
        StreamKind::Tcp => None,
        StreamKind::Tls { sni } => sni.as_deref(),
        StreamKind::Ws { host, .. } => Some(host_of(host)),
        StreamKind::Wss { sni, host, .. } => sni.as_deref().or(Some(host_of(host))),
    }
}

/// A Host header without its port.
fn host_of(header: &str) -> &str {
    match header.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => header,
    }
}

/// The number whose owner must have authenticated: To of a REGISTER, else From.
pub fn claimed(request: &Message) -> Option<Cow<'_, str>> {
    let address = if request.method() == Method::Register { request.to() } else { request.from() };
    user_of(&address.uri().ok()?)
}

/// The user of a SIP URI, escapes resolved; none is no user.
pub fn user_of<'a>(uri: &Uri<'a>) -> Option<Cow<'a, str>> {
    uri.user_unescaped().filter(|u| !u.is_empty())
}

//= RFC 3261 §10.3
/// May `authenticated` speak for `claimed`? Nobody speaks for another, not even a neighbour.
pub fn authorised(authenticated: &str, claimed: Option<&str>) -> Result<(), Status> {
    if claimed == Some(authenticated) { Ok(()) } else { Err(Status(403)) }
}

//= RFC 3261 §10.3
/// The address of record must be one of the tenant's, or 404. (With authentication on, strangers
/// never come this far.)
pub fn registrable(tenant: &Tenant, user: Option<&str>) -> Result<(), Status> {
    match user.and_then(|u| tenant.extension(u)) {
        Some(_) => Ok(()),
        None => Err(Status(404)),
    }
}
