//! The text of a session description, canonical: RFC 8866 §5 order, CRLF, single spaces.
use super::attribute::Attribute;
use super::media::Media;
use super::session::{Connection, Line, Origin, Session};
use alloc::string::{String, ToString};
use bytes::Bytes;
use core::fmt;

impl Session {
    pub fn emit(&self) -> Bytes {
        Bytes::from(self.to_string().into_bytes())
    }

    /// One trace line: `audio 4000 RTP/AVP 0 8 101 at 10.0.0.11`.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        for m in &self.media {
            if !out.is_empty() {
                out.push_str(", ");
            }
            out.push_str(&m.to_string());
            if let Some(c) = m.connection(self) {
                out.push_str(" at ");
                out.push_str(&c.address);
            }
        }
        out
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no={}\r\ns={}\r\n", self.origin, self.name)?;
        lines(f, &self.notes)?;
        if let Some(c) = &self.connection {
            write!(f, "c={c}\r\n")?;
        }
        self.bandwidth.iter().try_for_each(|b| write!(f, "b={b}\r\n"))?;
        lines(f, &self.timing)?;
        lines(f, &self.rest)?;
        self.attributes.iter().try_for_each(|a| write!(f, "a={a}\r\n"))?;
        self.media.iter().try_for_each(|m| section(f, m))
    }
}

fn section(f: &mut fmt::Formatter<'_>, m: &Media) -> fmt::Result {
    write!(f, "m={m}\r\n")?;
    lines(f, &m.rest)?;
    m.connections.iter().try_for_each(|c| write!(f, "c={c}\r\n"))?;
    m.bandwidth.iter().try_for_each(|b| write!(f, "b={b}\r\n"))?;
    m.attributes.iter().try_for_each(|a| write!(f, "a={a}\r\n"))
}

fn lines(f: &mut fmt::Formatter<'_>, list: &[Line]) -> fmt::Result {
    list.iter().try_for_each(|l| write!(f, "{}={}\r\n", l.letter, l.value))
}

/// The value of the m-line.
impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.proto)?;
        self.formats.iter().try_for_each(|fmt| write!(f, " {fmt}"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { username, session_id, session_version, connection } = self;
        write!(f, "{username} {session_id} {session_version} {connection}")
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.network, self.family, self.address)
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.value {
            Some(value) => write!(f, ":{value}"),
            None => Ok(()),
        }
    }
}
