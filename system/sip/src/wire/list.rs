//! Comma-separated header values, RFC 3261 §7.3.1: commas in quotes or angle brackets do not count.
use super::chars;

/// The values of one header line, trimmed; empty ones (`a,,b`) are skipped.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    rest: &'a str,
}

impl<'a> Values<'a> {
    pub const fn new(line: &'a str) -> Self {
        Values { rest: line }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.rest.is_empty() {
            let end = value_end(self.rest.as_bytes());
            let value = chars::trim(self.rest.get(..end).unwrap_or(""));
            self.rest = self.rest.get(end + 1..).unwrap_or("");
            if !value.is_empty() {
                return Some(value);
            }
        }
        None
    }
}

/// The first comma outside quotes and brackets, or the end.
fn value_end(text: &[u8]) -> usize {
    let (mut at, mut bracket) = (0, false);
    while let Some(&b) = text.get(at) {
        match b {
            b',' if !bracket => return at,
            b'<' => bracket = true,
            b'>' => bracket = false,
            b'"' if !bracket => at = chars::skip_quoted(text, at).unwrap_or(text.len()) - 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        let line = "\"A, \\\" B\" <sip:a,b@c> ;x=\"1,2\" , ,sip:d@e,";
        let values: Vec<_> = Values::new(line).collect();
        assert_eq!(values, ["\"A, \\\" B\" <sip:a,b@c> ;x=\"1,2\"", "sip:d@e"]);
        assert_eq!(Values::new("").count(), 0);
    }
}
