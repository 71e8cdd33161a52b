//! What a B2BUA reads of an INVITE, typed: Request-URI, Via, From, To, Call-ID, CSeq, Contact and
//! the lengths. Shared by the bench, the callgrind example and the allocation test.
use bitspath_sip::Message;

/// A number that depends on all of it, so that nothing is optimised away.
pub fn read(m: &Message) -> usize {
    let uri = m.uri().map_or(0, |u| u.host.len() + u.user.map_or(0, str::len));
    let via = m.top_via();
    let via = via.host.len() + via.branch().map_or(0, str::len) + via.port.map_or(0, usize::from);
    let from = m.from();
    let from_uri = from.uri().map_or(0, |u| u.user.map_or(0, str::len) + u.host.len());
    let to = m.to();
    let to_uri = to.uri().map_or(0, |u| u.user.map_or(0, str::len) + u.host.len());
    let tags = from.tag().map_or(0, str::len) + to.tag().map_or(0, str::len);
    let contact = m.contacts().first().and_then(|c| c.uri().ok()).map_or(0, |u| u.host.len());
    let rest = m.call_id().len() + m.cseq() as usize + m.body().len() + m.bytes().len();
    uri + via + from_uri + to_uri + tags + contact + rest + m.method() as usize
}
