//! Planted bugs: the server host does wrong on purpose, so that each oracle shows that it can see.
//! A harness that catches nothing looks like a product without bugs.
use crate::peers::phone::STAMP;
use crate::seen::{Seen, find};
use bitspath_core::store::{CdrCause, CdrRow};
use bitspath_core::{Bytes, Duration};
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A second final, other octets, after the first.
    SecondFinal,
    /// The final of an INVITE is never sent.
    NoFinal,
    /// Every request of a dialog has the same CSeq.
    SameCSeq,
    /// Max-Forwards is left out.
    NoMaxForwards,
    NoRecord,
    RecordTwice,
    /// The bill is a minute too long.
    RecordLies,
    PortTwice,
    /// Media goes to this party, who was never told of the port.
    MediaAstray(SocketAddr),
    /// The stamp of the voice is another's: crossed lines.
    MediaCrossed,
    /// The RTP sequence number stands still.
    SameSequence,
    /// A word of another tenant.
    TenantLeak,
    /// A call stays in the table for ever.
    Leak,
}

impl Plant {
    /// A SIP datagram on its way out.
    pub(crate) fn datagram(self, bytes: Bytes) -> Option<Bytes> {
        let Ok(seen) = Seen::parse(&bytes) else { return Some(bytes) };
        match self {
            Plant::NoFinal if seen.method() == "INVITE" && (402..407).contains(&seen.status()) => {
                None
            }
            Plant::NoFinal if seen.method() == "INVITE" && seen.status() >= 408 => None,
            Plant::SameCSeq if seen.method() == "BYE" && seen.is_request() => {
                let header = seen.header("CSeq")?;
                Some(replace(&bytes, header, &format!("{} BYE", seen.cseq().saturating_sub(1))))
            }
            Plant::NoMaxForwards if seen.is_request() => {
                let header = format!("Max-Forwards: {}\r\n", seen.header("Max-Forwards")?);
                Some(replace(&bytes, &header, ""))
            }
            Plant::TenantLeak if seen.method() == "INVITE" && seen.is_request() => Some(replace(
                &bytes,
                "\r\nContent-Length",
                "\r\nX-Seen: red.test\r\nContent-Length",
            )),
            _ => Some(bytes),
        }
    }

    /// A datagram that follows the one just sent.
    pub(crate) fn afterwards(self, bytes: &Bytes) -> Option<Bytes> {
        let seen = Seen::parse(bytes).ok()?;
        let final_invite = seen.status() >= 200 && seen.method() == "INVITE";
        (self == Plant::SecondFinal && final_invite)
            .then(|| replace(bytes, &format!("SIP/2.0 {}", seen.status()), "SIP/2.0 500"))
    }

    pub(crate) fn record(self, row: &mut CdrRow) {
        if self == Plant::RecordLies && row.cause != CdrCause::Open {
            row.billed += Duration::from_secs(60);
        }
    }

    /// An RTP packet on its way out.
    pub(crate) fn media(self, peer: &mut SocketAddr, packet: &mut Bytes) {
        match self {
            Plant::MediaAstray(to) => *peer = to,
            Plant::MediaCrossed => {
                let mut crossed = packet.to_vec();
                if crossed.get(12..16) == Some(STAMP.as_slice())
                    && let Some(digit) = crossed.get_mut(20)
                {
                    *digit ^= 8;
                }
                *packet = Bytes::from(crossed);
            }
            Plant::SameSequence => {
                let mut still = packet.to_vec();
                if let Some(sequence) = still.get_mut(2..4) {
                    sequence.fill(7);
                }
                *packet = Bytes::from(still);
            }
            _ => {}
        }
    }
}

fn replace(bytes: &Bytes, what: &str, with: &str) -> Bytes {
    let Some(at) = find(bytes, what.as_bytes()) else { return bytes.clone() };
    let mut out = bytes.get(..at).unwrap_or_default().to_vec();
    out.extend_from_slice(with.as_bytes());
    out.extend_from_slice(bytes.get(at + what.len()..).unwrap_or_default());
    Bytes::from(out)
}
