//! One leg's session on another leg — RFC 3264 seen by a B2BUA, RFC 7092 §3 (media anchored).
//! Owns: what crosses the border. Ours are `o= s= t= c=`, ports and `a=rtcp`; the codecs, ptime,
//! telephone-event numbers and directions stay as their side gave them; keying, ICE and bundling
//! end here; no address, host name or port of the other side passes, in whatever attribute.
use super::attribute::Attribute;
use super::media::Media;
use super::offer_answer::is_relayable;
use super::own_origin::OwnOrigin;
use super::session::{Connection, Line, Session};
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

/// `from` as we say it on another leg. `ports` holds our RTP port per m-line; `None`, a stream
/// that we cannot carry, or one that `from` itself refused, becomes port 0.
pub fn relayed(
    from: &Session,
    origin: &mut OwnOrigin,
    ip: IpAddr,
    ports: &[Option<u16>],
) -> Session {
    let traces = Traces::of(from);
    let media = from.media.iter().enumerate().map(|(n, m)| match ports.get(n) {
        Some(Some(port)) if is_relayable(m) => stream(from, m, *port, &traces),
        _ => refused(m, &traces),
    });
    let mut out = frame(origin, ip, media.collect());
    out.bandwidth = from.bandwidth.iter().filter(|b| !traces.touches(b)).cloned().collect();
    out.attributes = kept(&from.attributes, &traces).filter(|a| !is_direction(a)).collect();
    origin.stamp(&mut out);
    out
}

//= RFC 3264 §6
/// The answer of one leg as our answer to the `offer` of another: as many m-lines as that offer,
/// in its order, with its kinds and profiles; what `from` lacks is refused.
pub fn relayed_answer(
    offer: &Session,
    from: &Session,
    origin: &mut OwnOrigin,
    ip: IpAddr,
    ports: &[Option<u16>],
) -> Session {
    let mut fitted = from.clone();
    fitted.media.truncate(offer.media.len());
    for (n, offered) in offer.media.iter().enumerate() {
        match fitted.media.get_mut(n) {
            Some(m) if m.kind.eq_ignore_ascii_case(&offered.kind) && is_relayable(offered) => {
                // Offered RTP/AVPF is answered as such, whatever profile the other side named.
                m.proto = if is_relayable(m) { offered.proto.clone() } else { m.proto.clone() };
            }
            Some(m) => *m = off(offered),
            None => fitted.media.push(off(offered)),
        }
    }
    relayed(&fitted, origin, ip, ports)
}

/// A description of ours around these m-lines, its version not yet given.
pub(super) fn frame(origin: &OwnOrigin, ip: IpAddr, media: Vec<Media>) -> Session {
    Session {
        origin: origin.blank(ip),
        name: "-".to_string(),
        notes: Vec::new(),
        connection: Some(Connection::of(ip)),
        bandwidth: Vec::new(),
        timing: vec![Line { letter: 't', value: "0 0".to_string() }],
        rest: Vec::new(),
        attributes: Vec::new(),
        media,
    }
}

/// The m-line again with port 0 and nothing below it, RFC 3264 §6.
pub(super) fn off(media: &Media) -> Media {
    Media {
        kind: media.kind.clone(),
        port: 0,
        port_count: None,
        proto: media.proto.clone(),
        formats: media.formats.clone(),
        rest: Vec::new(),
        connections: Vec::new(),
        bandwidth: Vec::new(),
        attributes: Vec::new(),
    }
}

fn refused(media: &Media, traces: &Traces) -> Media {
    let mut out = off(media);
    out.formats.retain(|f| !traces.touches(f));
    out
}

fn stream(from: &Session, media: &Media, port: u16, traces: &Traces) -> Media {
    let mut out = refused(media, traces);
    out.port = port;
    out.bandwidth = media.bandwidth.iter().filter(|b| !traces.touches(b)).cloned().collect();
    out.attributes = kept(&media.attributes, traces).filter(|a| !is_direction(a)).collect();
    // One direction per stream, with the old hold by 0.0.0.0 and the session's default resolved.
    out.attributes.push(Attribute::flag(media.direction(from).as_str()));
    //= RFC 3605 §2.1
    // Our RTCP port is the next one; it is said where the other side speaks of it.
    if let (Some(_), Some(rtcp)) = (media.attribute("rtcp"), port.checked_add(1)) {
        out.attributes.push(Attribute::with("rtcp", rtcp));
    }
    out
}

fn is_direction(a: &Attribute) -> bool {
    a.value.is_none() && super::attribute::Direction::parse(&a.name).is_some()
}

fn kept<'a>(
    attributes: &'a [Attribute],
    traces: &'a Traces,
) -> impl Iterator<Item = Attribute> + 'a {
    let pass = |a: &&Attribute| match Border::of(&a.name) {
        Border::Closed => false,
        Border::Codec => !traces.touches(a.value()),
        Border::Unknown => {
            !traces.touches(&a.name) && !traces.touches(a.value()) && !traces.names_port(a.value())
        }
    };
    attributes.iter().filter(pass).cloned()
}

/// What an attribute is about, by its name.
enum Border {
    /// About the codec or the content: numbers in it are no ports.
    Codec,
    /// About the transport of the other leg, its keys, its ICE, its bundle: ends here.
    Closed,
    Unknown,
}

/// About codecs and content.
const CODEC: [&str; 22] = [
    "rtpmap",
    "fmtp",
    "ptime",
    "maxptime",
    "minptime",
    "framerate",
    "framesize",
    "quality",
    "imageattr",
    "rtcp-fb",
    "rtcp-rsize",
    "rtcp-xr",
    "extmap",
    "extmap-allow-mixed",
    "silenceSupp",
    "maxprate",
    "label",
    "content",
    "lang",
    "sdplang",
    "charset",
    "orient",
];
/// ICE (RFC 8839), keying (4568, 8122, 4567, 6189), bundle and its kin (8843, 5761, 5576, 8830),
/// capability negotiation that could bring them back (5939), addresses (3605, 4570, 6947).
const CLOSED: [&str; 40] = [
    "candidate",
    "remote-candidates",
    "end-of-candidates",
    "ice-ufrag",
    "ice-pwd",
    "ice-lite",
    "ice-options",
    "ice-mismatch",
    "ice-pacing",
    "ice2",
    "crypto",
    "fingerprint",
    "setup",
    "connection",
    "tls-id",
    "key-mgmt",
    "zrtp-hash",
    "identity",
    "group",
    "mid",
    "bundle-only",
    "rtcp-mux",
    "rtcp-mux-only",
    "ssrc",
    "ssrc-group",
    "msid",
    "msid-semantic",
    "csup",
    "creq",
    "acap",
    "tcap",
    "pcfg",
    "acfg",
    "rtcp",
    "source-filter",
    "altc",
    "ccap",
    "cap",
    "alt",
    "tool",
];

impl Border {
    fn of(name: &str) -> Border {
        let among = |list: &[&str]| list.iter().any(|n| name.eq_ignore_ascii_case(n));
        let ice = name.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("ice-"));
        if ice || among(&CLOSED) {
            Border::Closed
        } else if among(&CODEC) {
            Border::Codec
        } else {
            Border::Unknown
        }
    }
}

/// What must not cross: host names and ports of the other side. Address literals need no list,
/// because no attribute that passes has any use for one.
struct Traces {
    hosts: BTreeSet<String>,
    ports: BTreeSet<u16>,
}

impl Traces {
    fn of(session: &Session) -> Traces {
        let mut traces = Traces { hosts: BTreeSet::new(), ports: BTreeSet::new() };
        traces.host(&session.origin.connection);
        session.connection.iter().for_each(|c| traces.host(c));
        for m in &session.media {
            m.connections.iter().for_each(|c| traces.host(c));
            let count = m.port_count.unwrap_or(1).clamp(1, 16).saturating_mul(2);
            if m.port != 0 {
                traces.ports.extend((0..count).filter_map(|n| m.port.checked_add(n)));
            }
        }
        let media = session.media.iter().flat_map(|m| &m.attributes);
        for a in session.attributes.iter().chain(media) {
            traces.attribute(a);
        }
        traces
    }

    fn host(&mut self, connection: &Connection) {
        let host = connection.address.split('/').next().unwrap_or("");
        if host.len() > 1 {
            self.hosts.insert(host.to_ascii_lowercase());
        }
    }

    /// Names in `a=rtcp` and in candidates (RFC 8839 §5.1: address and port are fields 5 and 6;
    /// browsers hide the address behind an mDNS name).
    fn attribute(&mut self, a: &Attribute) {
        let fields = || a.value().split_ascii_whitespace();
        if a.is("rtcp") {
            self.ports.extend(fields().next().and_then(|p| p.parse::<u16>().ok()));
            self.hosts.extend(fields().nth(3).map(str::to_ascii_lowercase));
        } else if a.is("candidate") {
            self.hosts.extend(fields().nth(4).map(str::to_ascii_lowercase));
            self.ports.extend(fields().nth(5).and_then(|p| p.parse::<u16>().ok()));
        }
    }

    /// Does the text hold an address literal, or a host name of the other side?
    fn touches(&self, text: &str) -> bool {
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        holds_literal(text)
            || text.split(|c| !name(c)).any(|w| self.hosts.contains(&w.to_ascii_lowercase()))
    }

    fn names_port(&self, text: &str) -> bool {
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        numbers.filter_map(|n| n.parse().ok()).any(|n: u16| self.ports.contains(&n))
    }
}

/// Four dotted numbers, or hexadecimal groups with `::` or with seven colons, anywhere.
fn holds_literal(text: &str) -> bool {
    let v4 = |run: &str| run.split('.').filter(|part| !part.is_empty()).count() >= 4;
    let v6 = |run: &str| {
        let colons = run.bytes().filter(|b| *b == b':').count();
        run.len() > 2 && (run.contains("::") || colons >= 7)
    };
    text.split(|c: char| !c.is_ascii_digit() && c != '.').any(v4)
        || text.split(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.').any(v6)
}
