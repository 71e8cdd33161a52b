//! A SIP message as a bystander sees it: the simulator's own tokenizer, on purpose not `sip::wire`.
//! Phones, the ladder and the oracles read through it, so that a mistake of our parser cannot hide
//! behind the same mistake on the other side. Owns: the shape of RFC 3261 §7.  Missing: folding of
//! header lines inside a value (a folded value ends at its first line).
use bytes::Bytes;

type Span = (u32, u32);

/// One message: the octets and where its most wanted parts stand.
#[derive(Clone, Debug)]
pub struct Seen {
    pub bytes: Bytes,
    /// 0 for a request.
    status: u16,
    cseq: u32,
    method: Span,
    uri: Span,
    head: Span,
    body: Span,
    call_id: Span,
    from: Span,
    to: Span,
    via: Span,
    contact: Span,
}

/// Long names of the compact forms, RFC 3261 §7.3.3 and §20; any other name as it stands.
fn spelled(name: &str) -> &str {
    let [letter] = name.as_bytes() else { return name };
    match letter.to_ascii_lowercase() {
        b'v' => "Via",
        b'f' => "From",
        b't' => "To",
        b'i' => "Call-ID",
        b'm' => "Contact",
        b'l' => "Content-Length",
        b'c' => "Content-Type",
        b'e' => "Content-Encoding",
        b'k' => "Supported",
        b's' => "Subject",
        b'o' => "Event",
        b'u' => "Allow-Events",
        b'r' => "Refer-To",
        b'b' => "Referred-By",
        _ => name,
    }
}

impl Seen {
    /// Reads the message at the start of `bytes`; on a stream the rest follows at [`Seen::len`].
    pub fn parse(bytes: &Bytes) -> Result<Seen, &'static str> {
        let text = bytes.as_ref();
        let head_end = find(text, b"\r\n\r\n").ok_or("no empty line after the headers")?;
        let head = text.get(..head_end).unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| "the head is not UTF-8")?;
        let line_end = line_end(head);
        let mut seen = Seen {
            bytes: bytes.clone(),
            status: 0,
            cseq: 0,
            method: (0, 0),
            uri: (0, 0),
            head: ((line_end + 2).min(head_end) as u32, head_end as u32),
            body: (head_end as u32 + 4, text.len() as u32),
            call_id: (0, 0),
            from: (0, 0),
            to: (0, 0),
            via: (0, 0),
            contact: (0, 0),
        };
        seen.start_line(head.get(..line_end).unwrap_or_default())?;
        seen.index(head)?;
        Ok(seen)
    }

    fn start_line(&mut self, line: &str) -> Result<(), &'static str> {
        if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
            let digits = rest.get(..3).ok_or("the status has three digits")?;
            self.status = digits.parse().map_err(|_| "the status has three digits")?;
            return Ok(());
        }
        let method = line.find(' ').ok_or("a request line has three words")?;
        let uri = line.rfind(' ').ok_or("a request line has three words")?;
        if uri <= method || line.get(uri + 1..) != Some("SIP/2.0") {
            return Err("a request line ends with SIP/2.0");
        }
        self.method = (0, method as u32);
        self.uri = (method as u32 + 1, uri as u32);
        Ok(())
    }

    fn index(&mut self, head: &str) -> Result<(), &'static str> {
        let mut at = self.head.0 as usize;
        let mut length = None;
        while at < head.len() {
            let rest = head.get(at..).unwrap_or_default();
            let end = at + line_end(rest);
            let line = head.get(at..end).unwrap_or_default();
            if !line.starts_with([' ', '\t']) {
                let colon = line.find(':').ok_or("a header line has a colon")?;
                let name = spelled(line.get(..colon).unwrap_or_default().trim_end());
                let raw = line.get(colon + 1..).unwrap_or_default();
                let from = at + colon + 1 + (raw.len() - raw.trim_start().len());
                let span = (from as u32, (from + raw.trim().len()) as u32);
                self.note(name, span, raw.trim(), &mut length)?;
            }
            at = end + 2;
        }
        if let Some(length) = length {
            let end = self.body.0 + length;
            if end as usize > self.bytes.len() {
                return Err("the body is shorter than Content-Length");
            }
            self.body.1 = end;
        }
        Ok(())
    }

    fn note(
        &mut self,
        name: &str,
        span: Span,
        value: &str,
        length: &mut Option<u32>,
    ) -> Result<(), &'static str> {
        let first = |slot: &mut Span| {
            if slot.1 == 0 {
                *slot = span;
            }
        };
        // One comparison for most lines: the length and first letter tell the names apart.
        match name.len() {
            3 if name.eq_ignore_ascii_case("Via") => first(&mut self.via),
            4 if name.eq_ignore_ascii_case("From") => first(&mut self.from),
            2 if name.eq_ignore_ascii_case("To") => first(&mut self.to),
            7 if name.eq_ignore_ascii_case("Call-ID") => first(&mut self.call_id),
            7 if name.eq_ignore_ascii_case("Contact") => first(&mut self.contact),
            4 if name.eq_ignore_ascii_case("CSeq") => {
                let (number, method) = value.split_once(' ').ok_or("CSeq is a number, a method")?;
                self.cseq = number.parse().map_err(|_| "CSeq starts with a number")?;
                if self.status > 0 {
                    self.method = (span.1 - method.trim_start().len() as u32, span.1);
                }
            }
            14 if name.eq_ignore_ascii_case("Content-Length") => {
                *length = Some(value.parse().map_err(|_| "Content-Length is a number")?);
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&self, span: Span) -> &str {
        let slice = self.bytes.get(span.0 as usize..span.1 as usize).unwrap_or_default();
        std::str::from_utf8(slice).unwrap_or_default()
    }

    /// Octets from the start line to the end of the body.
    pub fn len(&self) -> usize {
        self.body.1 as usize
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn is_request(&self) -> bool {
        self.status == 0
    }
    pub fn status(&self) -> u16 {
        self.status
    }
    /// Of the request line; of CSeq in a response.
    pub fn method(&self) -> &str {
        self.text(self.method)
    }
    pub fn uri(&self) -> &str {
        self.text(self.uri)
    }
    pub fn cseq(&self) -> u32 {
        self.cseq
    }
    pub fn call_id(&self) -> &str {
        self.text(self.call_id)
    }
    pub fn from(&self) -> &str {
        self.text(self.from)
    }
    pub fn to(&self) -> &str {
        self.text(self.to)
    }
    /// The first Via line.
    pub fn via(&self) -> &str {
        self.text(self.via)
    }
    pub fn contact(&self) -> &str {
        self.text(self.contact)
    }
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.body.0 as usize..self.body.1 as usize).unwrap_or_default()
    }
    pub fn branch(&self) -> &str {
        param(self.via(), "branch").unwrap_or_default()
    }
    pub fn from_tag(&self) -> &str {
        tag(self.from()).unwrap_or_default()
    }
    pub fn to_tag(&self) -> &str {
        tag(self.to()).unwrap_or_default()
    }
    /// The message octets without what follows on a stream.
    pub fn message(&self) -> Bytes {
        self.bytes.slice(..self.len())
    }

    /// Every header line as (name, value); compact names are spelled out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        Lines(self.text(self.head)).filter(|l| !l.starts_with([' ', '\t'])).filter_map(|l| {
            let (name, value) = l.split_at_checked(memchr::memchr(b':', l.as_bytes())?)?;
            Some((spelled(name.trim_end()), value.get(1..)?.trim()))
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// `INVITE bob`, `200 CANCEL`: the words of a ladder arrow.
    pub fn label(&self) -> String {
        if self.status > 0 {
            return format!("{} {}", self.status, self.method());
        }
        format!("{} {}", self.method(), user_of(self.uri()).unwrap_or(""))
    }
}

/// Where the first line ends: at its CRLF, found by the line feed.
fn line_end(text: &str) -> usize {
    match memchr::memchr(b'\n', text.as_bytes()) {
        Some(at) if text.as_bytes().get(at.wrapping_sub(1)) == Some(&b'\r') => at - 1,
        Some(at) => at,
        None => text.len(),
    }
}

/// Lines that end with CRLF.
struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;
    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.0.as_bytes()).map_or(self.0.len(), |at| at + 1);
        let (line, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(line.trim_end_matches(['\r', '\n']))
    }
}

/// The `tag` of a From or To value: a header parameter, so never one inside `<>`.
pub fn tag(value: &str) -> Option<&str> {
    let outside = value.rfind('>').map_or(value, |at| value.get(at..).unwrap_or_default());
    param(outside, "tag")
}

/// A `;name=value` parameter, without quotes; an empty text when it has no value.
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|p| {
        let (n, v) = p.split_once('=').unwrap_or((p, ""));
        let v = v.split(',').next().unwrap_or_default();
        n.trim().eq_ignore_ascii_case(name).then(|| v.trim().trim_matches('"'))
    })
}

/// The URI of a name-addr or addr-spec.
pub fn uri_of(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default().trim(),
    }
}

/// The user part of a SIP URI.
pub fn user_of(uri: &str) -> Option<&str> {
    let rest = uri.split_once(':')?.1;
    rest.split_once('@').map(|(user, _)| user)
}

/// Where `needle` first stands in `haystack`.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:1002@pbx.test SIP/2.0\r\n\
        v: SIP/2.0/UDP 10.0.0.11:5060;rport;branch=z9hG4bKa1\r\n\
        Max-Forwards: 70\r\nf: \"A;tag=x\" <sip:1001@pbx.test;tag=no>;tag=a\r\n\
        To: <sip:1002@pbx.test>\r\ni: c1\r\nCSeq: 7 INVITE\r\nContent-Length: 3\r\n\r\nv=0tail";

    #[test]
    fn a_bystander_reads_names_long_and_short_and_stops_at_content_length() {
        let seen = Seen::parse(&Bytes::from(INVITE)).unwrap();
        assert!(seen.is_request());
        assert_eq!((seen.method(), seen.uri()), ("INVITE", "sip:1002@pbx.test"));
        assert_eq!((seen.call_id(), seen.cseq(), seen.branch()), ("c1", 7, "z9hG4bKa1"));
        assert_eq!((seen.from_tag(), seen.to_tag()), ("a", ""));
        assert_eq!(seen.body(), b"v=0");
        assert_eq!(seen.len(), INVITE.len() - 4);
        assert_eq!(seen.header("Via"), Some(seen.via()));
        assert_eq!(seen.label(), "INVITE 1002");
    }

    #[test]
    fn every_truncation_is_refused_or_read_without_a_panic() {
        for cut in 0..INVITE.len() {
            let _ = Seen::parse(&Bytes::copy_from_slice(&INVITE.as_bytes()[..cut]));
        }
    }
}
