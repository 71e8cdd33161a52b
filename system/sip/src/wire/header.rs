//! Header names with their compact forms: RFC 3261 §7.3.3, §20 and the IANA registry.
//! Owns: the look-up from text, a const-built open table.  Does not know: values.
use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($variant:ident $name:literal $compact:literal,)+) => {
        /// A header that some floor reads, writes or judges by name.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[repr(u8)]
        pub enum HeaderName {
            $($variant,)+
            /// None of these; read by text.
            Other,
        }

        impl HeaderName {
            /// All but `Other`, in declaration order.
            pub const KNOWN: [HeaderName; COUNT] = [$(HeaderName::$variant,)+];
        }

        /// Long and compact form by position; an empty compact form is none.
        const NAMES: [(&str, &str); COUNT] = [$(($name, $compact),)+];
        pub(super) const COUNT: usize = [$($name,)+].len();
    };
}

names! {
    Via "Via" "v",
    From "From" "f",
    To "To" "t",
    CallId "Call-ID" "i",
    CSeq "CSeq" "",
    Contact "Contact" "m",
    MaxForwards "Max-Forwards" "",
    Route "Route" "",
    RecordRoute "Record-Route" "",
    ContentLength "Content-Length" "l",
    ContentType "Content-Type" "c",
    ContentEncoding "Content-Encoding" "e",
    ContentDisposition "Content-Disposition" "",
    ContentLanguage "Content-Language" "",
    Expires "Expires" "",
    MinExpires "Min-Expires" "",
    Require "Require" "",
    ProxyRequire "Proxy-Require" "",
    Supported "Supported" "k",
    Unsupported "Unsupported" "",
    Allow "Allow" "",
    AllowEvents "Allow-Events" "u",
    Event "Event" "o",
    SubscriptionState "Subscription-State" "",
    Accept "Accept" "",
    AcceptEncoding "Accept-Encoding" "",
    AcceptLanguage "Accept-Language" "",
    Authorization "Authorization" "",
    ProxyAuthorization "Proxy-Authorization" "",
    WwwAuthenticate "WWW-Authenticate" "",
    ProxyAuthenticate "Proxy-Authenticate" "",
    AuthenticationInfo "Authentication-Info" "",
    UserAgent "User-Agent" "",
    Server "Server" "",
    Date "Date" "",
    Warning "Warning" "",
    RetryAfter "Retry-After" "",
    Subject "Subject" "s",
    Organization "Organization" "",
    Priority "Priority" "",
    AlertInfo "Alert-Info" "",
    CallInfo "Call-Info" "",
    ErrorInfo "Error-Info" "",
    InReplyTo "In-Reply-To" "",
    ReplyTo "Reply-To" "",
    MimeVersion "MIME-Version" "",
    Timestamp "Timestamp" "",
    SessionExpires "Session-Expires" "x",
    MinSe "Min-SE" "",
    ReferTo "Refer-To" "r",
    ReferredBy "Referred-By" "b",
    ReferSub "Refer-Sub" "",
    Replaces "Replaces" "",
    RAck "RAck" "",
    RSeq "RSeq" "",
    Reason "Reason" "",
    Path "Path" "",
    ServiceRoute "Service-Route" "",
    PAssertedIdentity "P-Asserted-Identity" "",
    PPreferredIdentity "P-Preferred-Identity" "",
    Privacy "Privacy" "",
    Diversion "Diversion" "",
    HistoryInfo "History-Info" "",
    SipETag "SIP-ETag" "",
    SipIfMatch "SIP-If-Match" "",
    InfoPackage "Info-Package" "",
    RecvInfo "Recv-Info" "",
    Identity "Identity" "y",
}

impl HeaderName {
    pub const fn as_str(self) -> &'static str {
        match self {
            HeaderName::Other => "",
            known => NAMES[known as usize].0,
        }
    }

    /// The compact form, where one is registered.
    pub const fn compact(self) -> Option<&'static str> {
        match self {
            HeaderName::Other => None,
            known if NAMES[known as usize].1.is_empty() => None,
            known => Some(NAMES[known as usize].1),
        }
    }

    /// Any case, long or compact.
    #[inline]
    pub fn parse(name: &str) -> HeaderName {
        HeaderName::from_bytes(name.as_bytes())
    }

    #[inline]
    pub(super) fn from_bytes(name: &[u8]) -> HeaderName {
        let (Some(&first), Some(&last)) = (name.first(), name.last()) else {
            return HeaderName::Other;
        };
        let mut slot = hash(name.len(), first, last);
        // At most COUNT + compact forms of 256 slots are taken, so an empty one ends the walk.
        loop {
            let entry = usize::from(TABLE[slot % SLOTS]);
            // EMPTY lies past the end of NAMES.
            let Some((long, compact)) = NAMES.get(entry) else { return HeaderName::Other };
            if same(name, long.as_bytes()) || same(name, compact.as_bytes()) {
                return HeaderName::KNOWN.get(entry).copied().unwrap_or(HeaderName::Other);
            }
            slot += 1;
        }
    }
}

#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && (a == b || a.eq_ignore_ascii_case(b))
}

/// The header line that begins with `line`: its name and where the colon stands, when the name is
/// known, has at most 15 octets and no white space behind it; all in two registers. Everything
/// else takes the long way. A CR inside would pass for `-`; the scan finds it by itself.
#[inline(always)]
pub(super) fn known_name(line: &[u8; 16]) -> Option<(HeaderName, usize)> {
    let (low, high) = (word(line, 0), word(line, 8));
    let (key, at) = match colon(low) {
        Some(at) => ((fold(low) & !(u64::MAX << (at * 8)), 0), at),
        None => {
            let at = colon(high)?;
            ((fold(low), fold(high) & !(u64::MAX << (at * 8))), at + 8)
        }
    };
    let (name, want) = SHORT[short_slot(key)];
    (want == key && name != HeaderName::Other).then_some((name, at as usize))
}

const ONES: u64 = u64::from_le_bytes([1; 8]);

#[inline(always)]
fn word(line: &[u8; 16], at: usize) -> u64 {
    let mut octets = [0; 8];
    for (o, b) in octets.iter_mut().zip(line.iter().skip(at)) {
        *o = *b;
    }
    u64::from_le_bytes(octets)
}

#[inline(always)]
const fn fold(text: u64) -> u64 {
    text | (ONES << 5)
}

/// The first colon among eight octets: the lowest zero octet of `text ^ ':'` shows as the lowest
/// set high bit.
#[inline(always)]
fn colon(text: u64) -> Option<u32> {
    let zeros = text ^ (ONES * b':' as u64);
    let found = zeros.wrapping_sub(ONES) & !zeros & (ONES << 7);
    (found != 0).then(|| found.trailing_zeros() / 8)
}

const SHORT_SLOTS: usize = 1024;
type Key = (u64, u64);
static SHORT: [(HeaderName, Key); SHORT_SLOTS] = build_short();

#[inline(always)]
const fn short_slot(key: Key) -> usize {
    let folded = key.0 ^ key.1.rotate_left(29);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

/// Names of at most 15 octets, by their folded octets; two in one slot: the first wins, the other
/// takes the long way.
const fn build_short() -> [(HeaderName, Key); SHORT_SLOTS] {
    let mut table = [(HeaderName::Other, (0, 0)); SHORT_SLOTS];
    let mut i = 0;
    while i < 2 * COUNT {
        let (long, compact) = NAMES[i / 2];
        let name = if i % 2 == 0 { long.as_bytes() } else { compact.as_bytes() };
        let mut octets = [0u8; 16];
        let mut j = 0;
        while j < name.len() && j < 15 {
            octets[j] = name[j] | 0x20;
            j += 1;
        }
        let words = u128::from_le_bytes(octets);
        let key = (words as u64, (words >> 64) as u64);
        let slot = short_slot(key);
        let free = matches!(table[slot].0, HeaderName::Other);
        if !name.is_empty() && name.len() <= 15 && free {
            table[slot] = (HeaderName::KNOWN[i / 2], key);
        }
        i += 1;
    }
    table
}

const SLOTS: usize = 256;
const EMPTY: u8 = 0xff;
static TABLE: [u8; SLOTS] = build();
const _: () = assert!(COUNT < 128);

#[inline(always)]
const fn hash(len: usize, first: u8, last: u8) -> usize {
    (len * 37 + (first | 0x20) as usize * 11 + (last | 0x20) as usize * 5) % SLOTS
}

const fn build() -> [u8; SLOTS] {
    let mut table = [EMPTY; SLOTS];
    let mut i = 0;
    while i < COUNT {
        put(&mut table, NAMES[i].0.as_bytes(), i as u8);
        put(&mut table, NAMES[i].1.as_bytes(), i as u8);
        i += 1;
    }
    table
}

const fn put(table: &mut [u8; SLOTS], name: &[u8], value: u8) {
    if name.is_empty() {
        return;
    }
    let mut slot = hash(name.len(), name[0], name[name.len() - 1]);
    while table[slot] != EMPTY {
        slot = (slot + 1) % SLOTS;
    }
    table[slot] = value;
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_in_any_case_and_in_its_compact_form() {
        for name in HeaderName::KNOWN {
            assert_eq!(HeaderName::parse(name.as_str()), name);
            assert_eq!(HeaderName::parse(&name.as_str().to_ascii_uppercase()), name);
            assert_eq!(HeaderName::parse(&name.as_str().to_ascii_lowercase()), name);
            if let Some(compact) = name.compact() {
                assert_eq!(HeaderName::parse(compact), name);
                assert_eq!(HeaderName::parse(&compact.to_ascii_uppercase()), name);
            }
        }
        let mut fast = 0;
        for name in HeaderName::KNOWN {
            let line = alloc::format!("{name}: 0123456789abcdef");
            let read = line.as_bytes().first_chunk().and_then(known_name);
            assert!(read.is_none_or(|r| r == (name, name.as_str().len())), "{name}");
            fast += usize::from(read.is_some());
        }
        assert!(fast > 45, "{fast} names take the short way");
        for stranger in ["", "X-", "Vias", "Froma", "NewFangledHeader", "q"] {
            assert_eq!(HeaderName::parse(stranger), HeaderName::Other, "{stranger}");
        }
    }
}
