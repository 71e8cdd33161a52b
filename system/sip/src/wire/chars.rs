//! Character classes of RFC 3261 §25.1, one table look-up each.

/// Sets of octets; a class is a bit in the table.
pub const TOKEN: u16 = 1;
pub const WORD: u16 = 1 << 1;
/// What may stand unescaped in a URI's user part.
pub const USER: u16 = 1 << 2;
pub const PASSWORD: u16 = 1 << 3;
/// paramchar of a URI parameter.
pub const URI_PARAM: u16 = 1 << 4;
/// hnv-unreserved and unreserved: one URI header name or value.
pub const URI_HEADER: u16 = 1 << 5;
/// Letters, digits and `-` of a host label; and `_`, which the grammar forbids and too many carry.
pub const HOST: u16 = 1 << 6;
pub const DIGIT: u16 = 1 << 7;
pub const HEX: u16 = 1 << 8;
/// SP, HT and the CR LF of a fold; the scan has proven that every fold is one.
pub const LWS: u16 = 1 << 9;
/// qdtext: what stands unescaped in a quoted string.
pub const QUOTED: u16 = 1 << 10;
/// gen-value that is not quoted: token or host with its brackets and colons.
pub const VALUE: u16 = 1 << 11;
/// uric without `%`: any unescaped character of an absoluteURI.
pub const URIC: u16 = 1 << 12;
pub const ALPHA: u16 = 1 << 13;
/// What neither ends a parameter's name or value nor begins a quoted string.
pub const PLAIN: u16 = 1 << 14;

/// TOKEN or LWS: a display name without quotes.
pub const DISPLAY: u16 = 1 << 15;

static CLASS: [u16; 256] = build();

const fn has(set: &[u8], b: u8) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == b {
            return true;
        }
        i += 1;
    }
    false
}

const fn class_of(b: u8) -> u16 {
    let alnum = b.is_ascii_alphanumeric();
    let unreserved = alnum || has(b"-_.!~*'()", b);
    let lws = has(b" \t\r\n", b);
    let token = alnum || has(b"-.!%*_+`'~", b);
    let mut class = 0;
    let rules: [(bool, u16); 16] = [
        (token, TOKEN),
        (token || has(b"()<>:\\\"/[]?{}", b), WORD),
        (unreserved || has(b"&=+$,;?/", b), USER),
        (unreserved || has(b"&=+$,", b), PASSWORD),
        (unreserved || has(b"[]/:&+$", b), URI_PARAM),
        (unreserved || has(b"[]/?:+$", b), URI_HEADER),
        (alnum || has(b"-_", b), HOST),
        (b.is_ascii_digit(), DIGIT),
        (b.is_ascii_hexdigit(), HEX),
        (lws, LWS),
        (lws || b >= 0x80 || (b > 0x20 && b < 0x7f && b != b'"' && b != b'\\'), QUOTED),
        (token || has(b"[]:", b), VALUE),
        (unreserved || has(b";/?:@&=+$,", b), URIC),
        (b.is_ascii_alphabetic(), ALPHA),
        (!has(b";=\"", b), PLAIN),
        (token || lws, DISPLAY),
    ];
    let mut i = 0;
    while i < rules.len() {
        if rules[i].0 {
            class |= rules[i].1;
        }
        i += 1;
    }
    class
}

const fn build() -> [u16; 256] {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = class_of(b as u8);
        b += 1;
    }
    table
}

/// Is `b` in one of the classes of `set`?
#[inline(always)]
pub fn is(b: u8, set: u16) -> bool {
    CLASS[b as usize] & set != 0
}

/// The first position at or after `at` whose octet is not in `set`.
#[inline(always)]
pub fn skip(text: &[u8], at: usize, set: u16) -> usize {
    match text.get(at..) {
        Some(rest) => at + rest.iter().position(|&b| !is(b, set)).unwrap_or(rest.len()),
        None => at,
    }
}

/// The same of one class, no union, where long runs are likely: four octets are in it when the
/// classes of all four have its bit.
#[inline(always)]
pub fn skip_run(text: &[u8], at: usize, class: u16) -> usize {
    let Some(rest) = text.get(at..) else { return at };
    let mut run = 0;
    for &[a, b, c, d] in rest.as_chunks::<4>().0 {
        let all = CLASS[a as usize] & CLASS[b as usize] & CLASS[c as usize] & CLASS[d as usize];
        if all & class == 0 {
            break;
        }
        run += 4;
    }
    let tail = rest.get(run..).unwrap_or(&[]);
    at + run + tail.iter().position(|&b| !is(b, class)).unwrap_or(tail.len())
}

/// The same of LWS, of which there is mostly none or one.
#[inline(always)]
pub fn skip_lws(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|&b| is(b, LWS)) {
        at += 1;
    }
    at
}

/// Non-empty and every octet in `set`.
pub fn all(text: &str, set: u16) -> bool {
    !text.is_empty() && text.bytes().all(|b| is(b, set))
}

/// The text without leading and trailing LWS.
#[inline]
pub fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let ends = (bytes.first(), bytes.last());
    if let (Some(&first), Some(&last)) = ends
        && !is(first, LWS)
        && !is(last, LWS)
    {
        return text;
    }
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// After the closing quote of the quoted string that begins at `at`; `None` when it never closes
/// or holds what qdtext and quoted-pair forbid.
#[inline]
pub fn skip_quoted(text: &[u8], at: usize) -> Option<usize> {
    let mut i = at + 1;
    loop {
        i = skip_run(text, i, QUOTED);
        match text.get(i)? {
            b'"' => return Some(i + 1),
            // quoted-pair: any ASCII but CR and LF.
            b'\\' if !matches!(text.get(i + 1)?, b'\r' | b'\n' | 0x80..) => i += 2,
            _ => return None,
        }
    }
}

/// After a run of characters of `set` and `%` HEX HEX; `None` when an escape is cut or not hex.
#[inline]
pub fn skip_escaped(text: &[u8], mut at: usize, set: u16) -> Option<usize> {
    loop {
        at = skip(text, at, set);
        if text.get(at) != Some(&b'%') {
            return Some(at);
        }
        if !is(*text.get(at + 1)?, HEX) || !is(*text.get(at + 2)?, HEX) {
            return None;
        }
        at += 3;
    }
}

/// A decimal number without sign or space; `None` beyond `max` or when not all digits.
#[inline]
pub fn number(text: &[u8], max: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut n = 0u64;
    for &b in text {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Never wraps: `n` was at most `max`, and no caller's is beyond 2^60.
        n = n.wrapping_mul(10).wrapping_add(u64::from(digit));
        if n > max {
            return None;
        }
    }
    Some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings_end_at_the_unescaped_quote() {
        assert_eq!(skip_quoted(br#""a\"b" x"#, 0), Some(6));
        assert_eq!(skip_quoted(b"\"a\\", 0), None);
        assert_eq!(skip_quoted(b"\"a\x07\"", 0), None);
        assert_eq!(skip_quoted(b"\"a\\\x07\"", 0), Some(5));
    }

    #[test]
    fn numbers_stop_at_their_bound_however_long() {
        assert_eq!(number(b"0070", 70), Some(70));
        assert_eq!(number(b"71", 70), None);
        assert_eq!(number(&[b'9'; 400], 1 << 60), None);
        assert_eq!(number(b"", 9), None);
        assert_eq!(number(b"+1", 9), None);
    }

    #[test]
    fn escapes_are_two_hex_digits() {
        assert_eq!(skip_escaped(b"a%40b@", 0, USER), Some(5));
        assert_eq!(skip_escaped(b"a%4", 0, USER), None);
        assert_eq!(skip_escaped(b"a%zz", 0, USER), None);
    }
}
