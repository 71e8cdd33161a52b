//! The wire lawyer: is every message that the system under test sends one that RFC 3261 §7, §8.1.1,
//! §8.2.6 and §20 allow? Reads with the simulator's tokenizer, not with the product's parser.
//! Missing: the grammar of single headers beyond the ones named here.
use super::Say;
use crate::seen::{Seen, param};

const ONCE: [&str; 7] = ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Date"];

pub(super) fn check(seen: &Seen, say: &mut Say<'_>) {
    for wrong in faults(seen) {
        say("the message is well-formed", format!("{}: {wrong}", seen.label()));
    }
}

fn faults(seen: &Seen) -> Vec<String> {
    let mut out = Vec::new();
    let mut counts = [0u8; ONCE.len()];
    let mut vias = 0;
    let (mut content_type, mut cseq_value) = (None, "");
    for (name, value) in seen.headers() {
        if name.is_empty() || memchr::memchr3(b' ', b'\t', b'"', name.as_bytes()).is_some() {
            out.push(format!("`{name}` is not a header name"));
        }
        if memchr::memchr3(b'\r', b'\n', 0, value.as_bytes()).is_some() {
            out.push(format!("{name} holds a control character"));
        }
        match name {
            "Via" => vias += 1,
            "Content-Type" => content_type = Some(value),
            "CSeq" => cseq_value = value,
            _ => {}
        }
        if let Some(at) = ONCE.iter().position(|n| *n == name) {
            counts[at] = counts[at].saturating_add(1);
        }
    }
    let [from, to, call_id, cseq, forwards, length, date] = counts;
    for (count, name) in [(from, "From"), (to, "To"), (call_id, "Call-ID"), (cseq, "CSeq")] {
        if count != 1 {
            out.push(format!("{count} {name} headers"));
        }
    }
    if length != 1 || forwards > 1 || date > 1 {
        out.push(format!("{length} Content-Length, {forwards} Max-Forwards, {date} Date headers"));
    }
    if vias == 0 {
        out.push("no Via".to_owned());
    }
    if seen.from_tag().is_empty() {
        out.push("From without tag".to_owned());
    }
    if seen.is_request() {
        request(seen, cseq_value, vias, forwards, &mut out)
    } else {
        response(seen, &mut out)
    }
    let has_body = !seen.body().is_empty();
    if has_body != content_type.is_some() {
        out.push("Content-Type and body do not go together".to_owned());
    }
    if has_body && content_type == Some("application/sdp") {
        description(seen.body(), &mut out);
    }
    if seen.len() != seen.bytes.len() {
        out.push(format!("{} octets after the body", seen.bytes.len() - seen.len()));
    }
    out
}

fn request(seen: &Seen, cseq: &str, vias: u8, forwards: u8, out: &mut Vec<String>) {
    let method = seen.method();
    if cseq.split_once(' ').map(|(_, m)| m) != Some(method) {
        out.push(format!("CSeq is {cseq}"));
    }
    if forwards != 1 {
        out.push("no Max-Forwards".to_owned());
    }
    if vias != 1 || !seen.branch().starts_with("z9hG4bK") || seen.branch().len() < 12 {
        out.push("a user agent sends one Via with a branch of its own".to_owned());
    }
    if method == "INVITE" && seen.contact().is_empty() {
        out.push("INVITE without Contact".to_owned());
    }
    if matches!(method, "BYE" | "ACK") && seen.to_tag().is_empty() {
        out.push("no To-tag inside a dialog".to_owned());
    }
    if seen.uri().contains(['<', '>', ' ', '"']) {
        out.push("the Request-URI is not a URI".to_owned());
    }
}

fn response(seen: &Seen, out: &mut Vec<String>) {
    let status = seen.status();
    if !(100..700).contains(&status) {
        out.push("no such status".to_owned());
    }
    if status > 100 && seen.to_tag().is_empty() {
        out.push("no To-tag".to_owned());
    }
    if seen.method() == "INVITE" && (200..300).contains(&status) && seen.contact().is_empty() {
        out.push("2xx to INVITE without Contact".to_owned());
    }
    if status == 401 && seen.header("WWW-Authenticate").is_none() {
        out.push("401 without a challenge".to_owned());
    }
    if status == 405 && seen.header("Allow").is_none() {
        out.push("405 without Allow".to_owned());
    }
    if status == 420 && seen.header("Unsupported").is_none() {
        out.push("420 without Unsupported".to_owned());
    }
    if status == 489 && seen.header("Allow-Events").is_none() {
        out.push("489 without Allow-Events".to_owned());
    }
    if param(seen.via(), "branch").is_none() && seen.via().is_empty() {
        out.push("no Via to come back by".to_owned());
    }
}

/// RFC 4566 §5: the order of the session lines, one of each, and even RTP ports.
fn description(body: &[u8], out: &mut Vec<String>) {
    let Ok(text) = std::str::from_utf8(body) else {
        return out.push("SDP that is not text".to_owned());
    };
    if !text.ends_with("\r\n") {
        out.push("SDP whose last line does not end".to_owned());
    }
    let lines: Vec<&str> = text.split("\r\n").filter(|l| !l.is_empty()).collect();
    let head: String = lines
        .iter()
        .filter_map(|l| l.chars().next())
        .take_while(|c| *c != 'm')
        .filter(|c| "vost".contains(*c))
        .collect();
    if head != "vost" {
        out.push(format!("SDP lines in the order `{head}`"));
    }
    for line in lines {
        let mut words = line.split(' ');
        if let (Some("m=audio"), Some(Ok(port))) =
            (words.next(), words.next().map(str::parse::<u16>))
            && port % 2 == 1
        {
            out.push(format!("RTP at the odd port {port}"));
        }
    }
}

#[cfg(test)]
pub(super) fn faults_of(text: &str) -> Vec<String> {
    match Seen::parse(&bytes::Bytes::from(text.to_owned())) {
        Ok(seen) => faults(&seen),
        Err(why) => vec![why.to_owned()],
    }
}
