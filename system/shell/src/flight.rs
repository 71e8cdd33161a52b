//! Saved recordings: whole segments of the ring in one file for `--replay`, and the same without
//! its secrets for people who may not have them.
use crate::data::{self, DataDir};
use crate::ring::Ring;
use bitspath_core::{Fault, freeze};
use bitspath_server::Input;
use bitspath_store::{CdrQuery, Embedded, Engine};
use bitspath_trace::recording::{Encoder, Frame, Header, Reader, Record};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Saves the segments that cover the call (or all of them) to one file, with the call marked.
/// A call is covered from the first to the last segment that names its Call-ID.
pub fn save(dir: &DataDir, call: Option<&str>, to: &Path) -> Result<Vec<PathBuf>, Fault> {
    let named = call.and_then(|id| call_id_of(dir, id));
    let call_id = named.as_deref().or(call);
    let mut files = Ring::files(&dir.flight())?;
    if let Some(id) = call_id {
        let hits: Vec<bool> = files.iter().map(|f| names(f, id)).collect::<Result<_, _>>()?;
        let (first, last) = (hits.iter().position(|h| *h), hits.iter().rposition(|h| *h));
        files = match (first, last) {
            (Some(first), Some(last)) => files.drain(first..=last).collect(),
            _ => Vec::new(),
        };
    }
    if files.is_empty() {
        let what = call.map_or("no recording".to_owned(), |id| format!("no recording of {id}"));
        return Err(Fault::new(format!("{what} in {}", dir.flight().display())));
    }
    let mut out = Vec::new();
    for (n, file) in files.iter().enumerate() {
        copy(file, call.filter(|_| n == 0), &mut out)?;
    }
    data::write_secret(to, &out)?;
    Ok(files)
}

/// The Call-ID of the record with this id, when no server holds the store.
fn call_id_of(dir: &DataDir, id: &str) -> Option<String> {
    let store = Embedded::open(&dir.store()).ok()?;
    let mut query = CdrQuery::default();
    loop {
        let rows = store.cdrs(&query).ok()?;
        query.after = Some(rows.last()?.id);
        if let Some(row) = rows.into_iter().find(|r| r.id.to_string() == id) {
            return Some(row.call_id);
        }
    }
}

fn open(path: &Path) -> Result<Reader<impl Read>, Fault> {
    let told = |e| Fault::new(format!("cannot read {}: {e}", path.display()));
    Ok(Reader::new(std::io::BufReader::new(fs::File::open(path).map_err(told)?)))
}

/// Whether an input of this file holds the text. Damage ends a segment early.
fn names(path: &Path, text: &str) -> Result<bool, Fault> {
    Ok(open(path)?.map_while(Result::ok).any(|(_, record)| match record {
        Record::Frame(Frame::Input { bytes, .. }) => contains(&bytes, text.as_bytes()),
        _ => false,
    }))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|w| w == part)
}

fn copy(path: &Path, mark: Option<&str>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut encoder = Encoder::default();
    let mut header = None;
    for item in open(path)? {
        match item {
            Ok((_, Record::Header(h))) => header = Some(h),
            Ok((_, Record::Checkpoint(checkpoint))) => {
                if let Some(h) = header.take() {
                    encoder.begin(&h, &checkpoint);
                }
                mark.iter().for_each(|m| encoder.frame(&Frame::Mark((*m).to_owned())));
            }
            Ok((_, Record::Frame(frame))) => encoder.frame(&frame),
            Err(_) => break,
        }
    }
    out.extend(encoder.take());
    Ok(())
}

/// A recording without checkpoints, keys, credentials and passwords: for reading, not for replay.
pub fn redact(from: &Path, to: &Path) -> Result<(), Fault> {
    let mut encoder = Encoder::default();
    for item in open(from)? {
        match item {
            Ok((_, Record::Header(header))) => {
                encoder.header(&Header { redacted: true, ..header });
            }
            Ok((_, Record::Frame(Frame::Input { now, bytes }))) => {
                let input: Input = freeze::thaw(&bytes)
                    .map_err(|e| Fault::new(format!("{}: {e}", from.display())))?;
                if let Some(input) = redacted(input) {
                    encoder.input(now, &input);
                }
            }
            // A checkpoint holds every secret there is; hashes without it mean nothing.
            Ok((_, Record::Checkpoint(_) | Record::Frame(Frame::OutHash(_)))) => {}
            Ok((_, Record::Frame(frame))) => encoder.frame(&frame),
            Err(damage) if damage.is_cut_off() => break,
            Err(damage) => return Err(Fault::new(format!("{}: {damage}", from.display()))),
        }
    }
    data::write_secret(to, &encoder.take())
}

/// `None`: the whole input is a secret.
fn redacted(input: Input) -> Option<Input> {
    use bitspath_core::NetIn;
    Some(match input {
        Input::Rekey(_) | Input::Config(..) => return None,
        Input::Start(mut start) => {
            start.key = [0; 32];
            start.nonce_key = [0; 32];
            start.config = bitspath_core::Bytes::new();
            Input::Start(start)
        }
        Input::Net(NetIn::Datagram { listener, peer, local, bytes }) => {
            let bytes = strike_credentials(&bytes).into();
            Input::Net(NetIn::Datagram { listener, peer, local, bytes })
        }
        Input::Net(NetIn::Data { conn, bytes }) => {
            Input::Net(NetIn::Data { conn, bytes: strike_credentials(&bytes).into() })
        }
        other => other,
    })
}

/// Every `response="…"` value of the message becomes zeros; the message keeps its length.
fn strike_credentials(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut at = 0;
    let word = b"response=\"";
    while let Some(found) = out
        .get(at..)
        .and_then(|rest| rest.windows(word.len()).position(|w| w.eq_ignore_ascii_case(word)))
    {
        at += found + word.len();
        let value = out.get_mut(at..).unwrap_or_default();
        value.iter_mut().take_while(|b| **b != b'"' && **b != b'\n').for_each(|b| *b = b'0');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_struck_out_and_the_length_stays() {
        let text = b"Authorization: Digest username=\"a\", response=\"c0ffee\", cnonce=\"1\"\r\n";
        let out = strike_credentials(text);
        assert_eq!(out.len(), text.len());
        let out = String::from_utf8(out).expect("text");
        assert!(out.contains("response=\"000000\"") && out.contains("cnonce=\"1\""), "{out}");
        strike_credentials(b"response=\"");
    }
}
