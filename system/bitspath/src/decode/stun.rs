//! STUN, RFC 8489 §5: header and attributes, as one trace line.
use std::fmt::Write;

const COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
/// Attributes shown of one message.
const ATTRIBUTES_MAX: usize = 64;

/// Two zero bits and the cookie.
pub fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= 20
        && bytes.first().is_some_and(|b| b & 0xC0 == 0)
        && bytes.get(4..8) == Some(&COOKIE)
}

pub fn parse(bytes: &[u8]) -> Result<String, String> {
    let wrong = |offset: usize, what: &str| Err(format!("offset {offset}, expected {what}"));
    let Some((head, mut rest)) = bytes.split_at_checked(20) else {
        return wrong(bytes.len(), "a header of 20 octets");
    };
    if !is_stun(bytes) {
        return wrong(0, "two zero bits and the magic cookie");
    }
    let word = |b: &[u8], at: usize| match b.get(at..at + 2) {
        Some([high, low]) => u16::from_be_bytes([*high, *low]),
        _ => 0,
    };
    let (kind, length) = (word(head, 0), usize::from(word(head, 2)));
    if length != rest.len() || !length.is_multiple_of(4) {
        return wrong(2, "the length of what follows, a multiple of 4");
    }
    //= RFC 8489 §5
    // The class is in bits 4 and 8 of the type, the method in the rest.
    let class = match (kind >> 8 & 1, kind >> 4 & 1) {
        (0, 0) => "request",
        (0, _) => "indication",
        (_, 0) => "success",
        _ => "error",
    };
    let method = kind & 0xF | kind >> 1 & 0x70 | kind >> 2 & 0xF80;
    let id: String = head.get(8..).unwrap_or_default().iter().map(|b| format!("{b:02x}")).collect();
    let mut out = format!("STUN method={method} {class} id={id}");
    for _ in 0..ATTRIBUTES_MAX {
        if rest.is_empty() {
            break;
        }
        let offset = bytes.len() - rest.len();
        let (kind, length) = (word(rest, 0), usize::from(word(rest, 2)));
        let Some(value) = rest.get(4..4 + length) else {
            return wrong(offset, "an attribute within the message");
        };
        let _ = write!(out, " {kind:04x}=");
        value.iter().for_each(|b| {
            let _ = write!(out, "{b:02x}");
        });
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(out)
}
