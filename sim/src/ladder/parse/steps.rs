//! The ladder proper: arrows, voices, waits, verbs, and `any order` over deeper lines.
use super::words::{codec, duration, name, number, time};
use super::world::is_known;
use crate::ladder::ast::{Arrow, Ladder, MediaRule, Role, Rule, Step, StepKind, Verb, What};
use crate::ladder::lex::{Cursor, Error, Line};
use crate::peers::sdp::{self, Direction};

pub(super) fn step(ladder: &Ladder, lines: &[Line], at: usize) -> Result<(Step, usize), Error> {
    let Some(line) = lines.get(at) else {
        return Err(Error { line: 0, column: 0, message: String::new() });
    };
    let mut c = Cursor::new(line);
    if c.take("any") {
        c.expect("order")?;
        c.end()?;
        let mut inner = Vec::new();
        let mut next = at + 1;
        while lines.get(next).is_some_and(|l| l.indent > line.indent) {
            let (one, after) = step(ladder, lines, next)?;
            inner.push(one);
            next = after;
        }
        if inner.is_empty() {
            return Err(c.error("`any order` has deeper lines below it".to_owned()));
        }
        return Ok((Step { line: line.number, kind: StepKind::AnyOrder(inner) }, next));
    }
    let kind = step_kind(ladder, &mut c)?;
    c.end()?;
    Ok((Step { line: line.number, kind }, at + 1))
}

fn step_kind(ladder: &Ladder, c: &mut Cursor<'_>) -> Result<StepKind, Error> {
    let Some(first) = c.peek() else { return Err(c.error("a step is missing".to_owned())) };
    if let Some(wait) = first.text.strip_prefix('+') {
        let Some(wait) = time(wait) else {
            return Err(c.error(format!("`{}` is no time", first.text)));
        };
        c.word();
        return Ok(StepKind::Wait(wait));
    }
    if let Some(verb) = verb(ladder, c)? {
        return Ok(StepKind::Verb(verb));
    }
    let from = name(ladder, c)?;
    if c.take("~>") {
        name(ladder, c)?;
        let codec = codec(c)?;
        return Ok(StepKind::Voice { from, codec, length: duration(c)? });
    }
    Ok(StepKind::Arrow(arrow(ladder, from, c)?))
}

fn verb(ladder: &Ladder, c: &mut Cursor<'_>) -> Result<Option<Verb>, Error> {
    let Some(word) = c.peek() else { return Ok(None) };
    let verb = word.text.as_str();
    if !matches!(
        verb,
        "drop"
            | "duplicate"
            | "delay"
            | "partition"
            | "heal"
            | "reset"
            | "rebind"
            | "crash"
            | "restart"
            | "skew"
            | "drain"
            | "shutdown"
    ) {
        return Ok(None);
    }
    c.word();
    let first = name(ladder, c)?;
    let pair = |c: &mut Cursor<'_>, arrow: &str| {
        c.expect(arrow)?;
        name(ladder, c)
    };
    let from = first.clone();
    Ok(Some(match verb {
        "drop" | "duplicate" => {
            let to = pair(c, "->")?;
            let count = if c.peek().is_some() { number(c, "a count")? } else { 1 };
            match verb {
                "drop" => Verb::Drop { from, to, count },
                _ => Verb::Duplicate { from, to, count },
            }
        }
        "delay" => Verb::Delay { from, to: pair(c, "->")?, by: duration(c)? },
        "partition" => Verb::Partition { a: from, b: pair(c, "<->")?, cut: true },
        "heal" => Verb::Partition { a: from, b: pair(c, "<->")?, cut: false },
        "reset" => Verb::Reset { a: from, b: pair(c, "<->")? },
        "rebind" => Verb::Rebind(first),
        "crash" => Verb::Crash(first),
        "restart" => Verb::Restart(first),
        "drain" => Verb::Drain(first),
        "shutdown" => Verb::Shutdown(first),
        _ => {
            let word = c.want("a shift of the clock, as +1h")?;
            let (sign, rest) = match word.text.split_at_checked(1) {
                Some(("-", rest)) => (-1, rest),
                Some(("+", rest)) => (1, rest),
                _ => (1, word.text.as_str()),
            };
            let Some(shift) = time(rest) else {
                return Err(c.error_before(format!("`{}` is no time", word.text)));
            };
            Verb::Skew { who: first, ns: sign * shift.as_nanos() as i64 }
        }
    }))
}

pub(super) fn arrow(ladder: &Ladder, from: String, c: &mut Cursor<'_>) -> Result<Arrow, Error> {
    c.expect("->")?;
    let to = name(ladder, c)?;
    let from_server = from == ladder.server.name;
    if from_server == (to == ladder.server.name) {
        return Err(c.error_before("an arrow is between a peer and the server".to_owned()));
    }
    let mut role = if from_server { Role::Await } else { Role::Perform };
    let what = what(ladder, &from, &to, c)?;
    if let What::Request { method, .. } = &what
        && !from_server
        && is_challenged(&ladder.steps, &from, method)
    {
        role = Role::Await;
    }
    let mut arrow = Arrow {
        from,
        to,
        role,
        what,
        rules: Vec::new(),
        media: MediaRule::default(),
        again: false,
        within: None,
    };
    while c.peek().is_some() {
        constraint(&mut arrow, c)?;
    }
    if arrow.again {
        arrow.role = Role::Await;
    }
    Ok(arrow)
}

fn what(ladder: &Ladder, from: &str, to: &str, c: &mut Cursor<'_>) -> Result<What, Error> {
    let word = c.want("a method or a status")?;
    if let Ok(status) = word.text.parse::<u16>() {
        if !(100..700).contains(&status) {
            return Err(c.error_before(format!("{status} is no status")));
        }
        let method = match c.take_if(is_method) {
            Some(method) => method.to_owned(),
            None => answered(&ladder.steps, to, from).unwrap_or_else(|| "INVITE".to_owned()),
        };
        return Ok(What::Response { status, method });
    }
    if word.text == "raw" {
        return Ok(What::Raw(c.want("a text")?.text.clone()));
    }
    if !is_method(&word.text) {
        return Err(c.error_before(format!("`{}` is neither a method nor a status", word.text)));
    }
    let method = word.text.clone();
    if method == "INVITE" {
        for (word, direction) in [
            ("hold", Direction::SendOnly),
            ("resume", Direction::Both),
            ("refresh", Direction::Both),
        ] {
            if c.take(word) {
                return Ok(What::Reinvite(direction));
            }
        }
    }
    let known = |w: &str| {
        is_known(ladder, w)
            || w.starts_with("sip:")
            || w.bytes().all(|b| b.is_ascii_digit() || b == b'*')
    };
    let quoted = c.peek().filter(|w| w.quoted).map(|w| w.text.clone());
    let target = match quoted {
        Some(text) => {
            c.word();
            Some(text)
        }
        None => c.take_if(known).map(str::to_owned),
    };
    Ok(What::Request { method, target })
}

fn is_method(word: &str) -> bool {
    word.len() >= 3 && word.bytes().all(|b| b.is_ascii_uppercase()) && sdp::codec(word).is_none()
}

fn flat(steps: &[Step]) -> impl DoubleEndedIterator<Item = &Arrow> {
    steps.iter().flat_map(|s| match &s.kind {
        StepKind::Arrow(a) => vec![a],
        StepKind::AnyOrder(inner) => inner
            .iter()
            .filter_map(|s| match &s.kind {
                StepKind::Arrow(a) => Some(a),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    })
}

/// The last request that the ladder shows from one to the other: what a bare status answers.
fn answered(steps: &[Step], from: &str, to: &str) -> Option<String> {
    flat(steps).rev().filter(|a| a.from == from && a.to == to).find_map(|a| match &a.what {
        What::Request { method, .. } if method != "ACK" => Some(method.clone()),
        What::Reinvite(_) => Some("INVITE".to_owned()),
        _ => None,
    })
}

/// The last thing that the ladder shows about this method is a challenge.
fn is_challenged(steps: &[Step], peer: &str, method: &str) -> bool {
    flat(steps)
        .rev()
        .find_map(|a| match &a.what {
            What::Response { status, method: m } if a.to == peer && m == method => {
                Some(matches!(status, 401 | 407))
            }
            What::Request { method: m, .. } if a.from == peer && m == method => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

fn constraint(arrow: &mut Arrow, c: &mut Cursor<'_>) -> Result<(), Error> {
    let word = c.want("a header or a description")?;
    match word.text.as_str() {
        "again" => arrow.again = true,
        "within" => arrow.within = Some(duration(c)?),
        "offer" | "answer" => {
            let mut codecs = Vec::new();
            while c.peek().is_some_and(|w| sdp::codec(&w.text).is_some()) {
                codecs.push(codec(c)?);
            }
            if codecs.is_empty() {
                return Err(c.error(format!("`{}` names codecs, as PCMU", word.text)));
            }
            arrow.media.codecs = Some(codecs);
        }
        "no" => {
            if !c.take("offer") && !c.take("answer") && !c.take("body") {
                return Err(c.error("`no offer`, `no answer` or `no body`".to_owned()));
            }
            arrow.media.none = true;
        }
        "sendrecv" => arrow.media.direction = Some(Direction::Both),
        "sendonly" => arrow.media.direction = Some(Direction::SendOnly),
        "recvonly" => arrow.media.direction = Some(Direction::ReceiveOnly),
        "inactive" => arrow.media.direction = Some(Direction::Inactive),
        "profile" => arrow.media.profile = Some(c.want("a profile, as RTP/AVPF")?.text.clone()),
        "video" => arrow.media.video = true,
        "refused" => {
            let mut refused = Vec::new();
            while let Some(word) = c.take_if(|w| matches!(w, "yes" | "no")) {
                refused.push(word == "yes");
            }
            arrow.media.refused = Some(refused);
        }
        "line" => arrow.media.lines.push(c.want("a line of SDP")?.text.clone()),
        "body" => arrow.media.body = Some(c.want("a text")?.text.clone()),
        name if name.starts_with(|c: char| c.is_ascii_uppercase()) && !word.quoted => {
            let rule = rule(c)?;
            arrow.rules.push((name.to_owned(), rule));
        }
        other => return Err(c.error_before(format!("`{other}` is neither header nor media"))),
    }
    Ok(())
}

fn rule(c: &mut Cursor<'_>) -> Result<Rule, Error> {
    let word = c.want("what the header must be")?;
    Ok(match word.text.as_str() {
        _ if word.quoted => Rule::Is(word.text.clone()),
        "?" => Rule::Present,
        "absent" => Rule::Absent,
        "differs" => Rule::Differs,
        "same" => Rule::Same,
        "has" => Rule::Has(c.want("a text")?.text.clone()),
        text => Rule::Is(text.to_owned()),
    })
}
