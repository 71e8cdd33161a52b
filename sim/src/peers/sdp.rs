//! As much SDP as a phone of ours writes and reads — RFC 4566, RFC 3264. Not the product's.
use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    Both,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

impl Direction {
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::Both => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::ReceiveOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }
    /// What an honest answer to it is, RFC 3264 §6.1.
    pub const fn mirrored(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::ReceiveOnly,
            Direction::ReceiveOnly => Direction::SendOnly,
            other => other,
        }
    }
}

/// One codec of a static or customary payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    pub name: &'static str,
    pub payload: u8,
    pub rtpmap: &'static str,
}

pub const CODECS: [Codec; 6] = [
    Codec { name: "PCMU", payload: 0, rtpmap: "PCMU/8000" },
    Codec { name: "PCMA", payload: 8, rtpmap: "PCMA/8000" },
    Codec { name: "G722", payload: 9, rtpmap: "G722/8000" },
    Codec { name: "G729", payload: 18, rtpmap: "G729/8000" },
    Codec { name: "opus", payload: 96, rtpmap: "opus/48000/2" },
    Codec { name: "telephone-event", payload: 101, rtpmap: "telephone-event/8000" },
];

pub fn codec(name: &str) -> Option<Codec> {
    CODECS.into_iter().find(|c| c.name == name)
}

/// What a ladder says about a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub codecs: Vec<Codec>,
    pub direction: Direction,
    pub profile: String,
    pub video: bool,
    /// More lines for the audio description, as they are.
    pub lines: Vec<String>,
}

impl Default for Wish {
    fn default() -> Self {
        Wish {
            codecs: codec("PCMU").into_iter().chain(codec("PCMA")).collect(),
            direction: Direction::Both,
            profile: "RTP/AVP".to_owned(),
            video: false,
            lines: Vec::new(),
        }
    }
}

/// Writes a description for `local`.
pub fn emit(local: SocketAddr, id: u64, version: u64, wish: &Wish) -> String {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let (ip, port) = (local.ip(), local.port());
    let mut out = format!(
        "v=0\r\no=- {id} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} {}",
        wish.profile
    );
    for c in &wish.codecs {
        out += &format!(" {}", c.payload);
    }
    out += "\r\n";
    for c in &wish.codecs {
        out += &format!("a=rtpmap:{} {}\r\n", c.payload, c.rtpmap);
    }
    for line in &wish.lines {
        out += &format!("{line}\r\n");
    }
    out += &format!("a={}\r\n", wish.direction.as_str());
    if wish.video {
        out += &format!("m=video {} RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n", port + 1000);
    }
    out
}

/// What a phone wants to know of the other side's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub audio: SocketAddr,
    pub payloads: Vec<u8>,
    pub direction: Direction,
    pub profile: String,
    /// m-lines, with their ports.
    pub ports: Vec<u16>,
    pub origin: String,
}

pub fn read(body: &[u8]) -> Option<Heard> {
    let text = std::str::from_utf8(body).ok()?;
    let mut session: Option<IpAddr> = None;
    let (mut audio, mut ports) = (None, Vec::new());
    let (mut payloads, mut profile, mut origin) = (Vec::new(), String::new(), String::new());
    let mut direction = Direction::Both;
    let mut in_audio = false;
    for line in text.lines() {
        let (kind, value) = line.split_at_checked(2)?;
        match kind {
            "o=" => value.clone_into(&mut origin),
            "c=" => {
                let ip = value.split(' ').nth(2)?.parse().ok()?;
                if ports.is_empty() {
                    session = Some(ip);
                } else if in_audio {
                    audio = audio.map(|(_, port)| (Some(ip), port));
                }
            }
            "m=" => {
                let mut words = value.split(' ');
                let kind = words.next()?;
                let port = words.next()?.split('/').next()?.parse().ok()?;
                in_audio = kind == "audio" && audio.is_none();
                ports.push(port);
                if in_audio {
                    audio = Some((None, port));
                    words.next()?.clone_into(&mut profile);
                    payloads = words.filter_map(|w| w.parse().ok()).collect();
                }
            }
            "a=" if in_audio || ports.is_empty() => match value {
                "sendonly" => direction = Direction::SendOnly,
                "recvonly" => direction = Direction::ReceiveOnly,
                "inactive" => direction = Direction::Inactive,
                "sendrecv" => direction = Direction::Both,
                _ => {}
            },
            _ => {}
        }
    }
    let (ip, port) = audio?;
    let audio = SocketAddr::new(ip.or(session)?, port);
    Some(Heard { audio, payloads, direction, profile, ports, origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_phone_writes_it_reads() {
        let local: SocketAddr = "10.0.0.11:40000".parse().unwrap();
        let wish = Wish { direction: Direction::SendOnly, video: true, ..Wish::default() };
        let heard = read(emit(local, 7, 2, &wish).as_bytes()).unwrap();
        assert_eq!(heard.audio, local);
        assert_eq!(heard.payloads, [0, 8]);
        assert_eq!(heard.direction, Direction::SendOnly);
        assert_eq!(heard.ports, [40000, 41000]);
        assert_eq!(heard.origin, "- 7 2 IN IP4 10.0.0.11");
    }

    #[test]
    fn the_connection_of_the_media_counts_before_that_of_the_session() {
        let text = "v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nc=IN IP4 1.1.1.1\r\nt=0 0\r\n\
                    m=audio 9000 RTP/AVP 0\r\nc=IN IP4 2.2.2.2\r\n";
        assert_eq!(read(text.as_bytes()).unwrap().audio, "2.2.2.2:9000".parse().unwrap());
    }
}
