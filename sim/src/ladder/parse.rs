//! Words to a [`Ladder`]. Recursive only where `any order` nests, once.
use super::ast::{
    Arrow, Expect, ExpectKind, FaultLine, Ladder, MediaRule, NatBox, Phone, Role, Rule, Server,
    Step, StepKind, Verb, Voice, What,
};
use super::lex::{Cursor, Error, Line, lines};
use crate::peers::sdp::{self, Codec, Direction};
use std::net::IpAddr;
use std::time::Duration;

pub fn parse(path: &str, text: &str) -> Result<Ladder, Error> {
    let lines = lines(text)?;
    let mut ladder = Ladder {
        path: path.to_owned(),
        title: text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']).to_owned(),
        lines: text.lines().map(str::to_owned).collect(),
        ..Ladder::default()
    };
    let mut section = "";
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let mut c = Cursor::new(line);
        if line.indent == 0 {
            let word = c.want("a section")?;
            section = match word.text.as_str() {
                "world" => "world",
                "faults" => "faults",
                "ladder" => "ladder",
                "expect" => "expect",
                other => {
                    let known = "world, faults, ladder or expect";
                    return Err(c.error_before(format!("`{other}` is no section: {known}")));
                }
            };
            if c.peek().is_none() {
                at += 1;
                continue;
            }
        }
        match section {
            "world" => world_line(&mut ladder, &mut c)?,
            "faults" => fault_line(&mut ladder, &mut c)?,
            "expect" => {
                let kind = expect_line(&ladder, &mut c)?;
                ladder.expects.push(Expect { line: line.number, kind });
            }
            "ladder" => {
                let (step, next) = step(&ladder, &lines, at)?;
                ladder.steps.push(step);
                at = next;
                continue;
            }
            _ => return Err(c.error("a ladder begins with `world`".to_owned())),
        }
        c.end()?;
        at += 1;
    }
    check(&ladder, &lines)?;
    Ok(ladder)
}

fn check(ladder: &Ladder, lines: &[Line]) -> Result<(), Error> {
    let last = lines.last().map_or(1, |l| l.number);
    let error = |message: &str| Error { line: last, column: 1, message: message.to_owned() };
    if ladder.server.name.is_empty() {
        return Err(error("the world has no server"));
    }
    if ladder.phones.is_empty() {
        return Err(error("the world has no phone"));
    }
    Ok(())
}

// The world -------------------------------------------------------------------------------------

fn world_line(ladder: &mut Ladder, c: &mut Cursor<'_>) -> Result<(), Error> {
    let first = c.want("a name")?;
    let mut names = vec![first.text.clone()];
    while c.take(",") {
        names.push(c.want("a name")?.text.clone());
    }
    if c.take("registered") {
        c.expect("at")?;
        c.want("the server")?;
        for name in &names {
            known_phone(ladder, c, name)?;
        }
        ladder.registered.extend(names);
        return Ok(());
    }
    let name = first.text.clone();
    if names.len() > 1 {
        return Err(c.error("one name for each line, or `registered at`".to_owned()));
    }
    if is_known(ladder, &name) {
        return Err(c.error_before(format!("there is a `{name}` already")));
    }
    match c.want("server, phone or nat")?.text.as_str() {
        "server" => ladder.server = server(name, c)?,
        "phone" => {
            let phone = phone(ladder, name, c)?;
            ladder.phones.push(phone);
        }
        "nat" => {
            let nat = nat(ladder, name, c)?;
            ladder.nats.push(nat);
        }
        other => {
            return Err(c.error_before(format!("`{other}` is neither server, phone nor nat")));
        }
    }
    Ok(())
}

fn is_known(ladder: &Ladder, name: &str) -> bool {
    ladder.server.name == name
        || ladder.phones.iter().any(|p| p.name == name)
        || ladder.nats.iter().any(|n| n.name == name)
}

fn known_phone(ladder: &Ladder, c: &Cursor<'_>, name: &str) -> Result<(), Error> {
    if ladder.phones.iter().any(|p| p.name == name) {
        return Ok(());
    }
    Err(c.error_before(format!("there is no phone `{name}` in this world")))
}

fn server(name: String, c: &mut Cursor<'_>) -> Result<Server, Error> {
    let mut s = Server { name, addresses: vec![ip(c)?], ..Server::default() };
    while let Some(word) = c.next() {
        match word.text.as_str() {
            "also" => s.addresses.push(ip(c)?),
            "external" => s.external = Some(ip(c)?),
            "open" => s.open = true,
            "guests" => s.guests.push(c.want("a network, as 10.0.0.0/8")?.text.clone()),
            "ring" => s.ring = Some(duration(c)?),
            "challenge" => {
                while let Some(a) = c.take_if(|w| matches!(w, "MD5" | "SHA-256" | "SHA-512-256")) {
                    s.algorithms.push(a.to_ascii_lowercase());
                }
            }
            other => return Err(c.error_before(format!("a server knows no `{other}`"))),
        }
    }
    Ok(s)
}

fn phone(ladder: &Ladder, name: String, c: &mut Cursor<'_>) -> Result<Phone, Error> {
    let word = c.want("an address")?;
    let (address, port) = match word.text.rsplit_once(':') {
        Some((ip, port)) => (ip.parse().ok(), port.parse().ok()),
        None => (word.text.parse().ok(), Some(5060)),
    };
    let (Some(address), Some(port)) = (address, port) else {
        return Err(c.error_before(format!("`{}` is no address", word.text)));
    };
    let mut p = Phone {
        name,
        address,
        port,
        tcp: false,
        tenant: "main".to_owned(),
        number: String::new(),
        password: None,
        user: None,
        via: None,
        manual: false,
        pick_up: None,
        refuse: None,
        stranger: false,
        expires: None,
    };
    while let Some(word) = c.next() {
        match word.text.as_str() {
            "udp" => p.tcp = false,
            "tcp" => p.tcp = true,
            "tenant" => p.tenant.clone_from(&c.want("a tenant")?.text),
            "number" => p.number.clone_from(&c.want("a number")?.text),
            "password" => p.password = Some(c.want("a password")?.text.clone()),
            "user" => p.user = Some(c.want("a digest user")?.text.clone()),
            "via" => p.via = Some(ip(c)?),
            "manual" => p.manual = true,
            "answers" => {
                c.expect("after")?;
                p.pick_up = Some(duration(c)?);
            }
            "refuses" => p.refuse = Some(number(c, "a status")?),
            "stranger" => p.stranger = true,
            "expires" => p.expires = Some(duration(c)?.as_secs() as u32),
            other => return Err(c.error_before(format!("a phone knows no `{other}`"))),
        }
    }
    if p.number.is_empty() {
        let before = ladder.phones.iter().filter(|q| q.tenant == p.tenant).count();
        p.number = (1001 + before).to_string();
    }
    Ok(p)
}

fn nat(ladder: &Ladder, name: String, c: &mut Cursor<'_>) -> Result<NatBox, Error> {
    let mut n =
        NatBox { name, address: ip(c)?, behind: Vec::new(), filtered: false, timeout: None };
    while let Some(word) = c.next() {
        match word.text.as_str() {
            "for" => loop {
                let who = c.want("a phone")?.text.clone();
                known_phone(ladder, c, &who)?;
                n.behind.push(who);
                if !c.take(",") {
                    break;
                }
            },
            "filtered" => n.filtered = true,
            "timeout" => n.timeout = Some(duration(c)?),
            other => return Err(c.error_before(format!("a nat knows no `{other}`"))),
        }
    }
    Ok(n)
}

// Faults ----------------------------------------------------------------------------------------

fn fault_line(ladder: &mut Ladder, c: &mut Cursor<'_>) -> Result<(), Error> {
    if c.take("seeds") {
        ladder.seeds = Some(seeds(c)?);
        return Ok(());
    }
    let from = name(ladder, c)?;
    let both = match c.want("-> or <->")?.text.as_str() {
        "<->" => true,
        "->" => false,
        _ => return Err(c.error_before("`->` or `<->` belongs here".to_owned())),
    };
    let mut line = FaultLine { from, to: name(ladder, c)?, both, ..FaultLine::default() };
    while let Some(word) = c.next() {
        match word.text.as_str() {
            "loss" => line.loss = percent(c)?,
            "duplicate" => line.duplicate = percent(c)?,
            "reorder" => line.reorder = percent(c)?,
            "corrupt" => line.corrupt = percent(c)?,
            "mangle" => line.mangle = percent(c)?,
            "delay" => {
                let word = c.want("a range of times")?;
                let (low, high) = word.text.split_once("..").unwrap_or((&word.text, &word.text));
                match (time(low), time(high)) {
                    (Some(low), Some(high)) => {
                        line.delay = (low.as_nanos() as u64, high.as_nanos() as u64);
                    }
                    _ => return Err(c.error_before(format!("`{}` is no time", word.text))),
                }
            }
            "mtu" => line.mtu = number(c, "octets")?,
            "seeds" => ladder.seeds = Some(seeds(c)?),
            other => return Err(c.error_before(format!("a link knows no `{other}`"))),
        }
    }
    ladder.faults.push(line);
    Ok(())
}

fn seeds(c: &mut Cursor<'_>) -> Result<(u64, u64), Error> {
    let word = c.want("A..B")?;
    range(&word.text).ok_or_else(|| c.error_before(format!("`{}` is not A..B", word.text)))
}

/// `A..B` with both ends, or one number.
pub fn range(text: &str) -> Option<(u64, u64)> {
    let (a, b) = text.split_once("..").unwrap_or((text, text));
    let (a, b) = (a.parse().ok()?, b.parse().ok()?);
    (a <= b).then_some((a, b))
}

fn percent(c: &mut Cursor<'_>) -> Result<(u32, u32), Error> {
    let word = c.want("a range of percents, as 0%..10%")?;
    let one = |text: &str| -> Option<u32> {
        let value: f64 = text.strip_suffix('%')?.parse().ok()?;
        (0.0..=100.0).contains(&value).then_some((value * 10_000.0).round() as u32)
    };
    let (a, b) = word.text.split_once("..").unwrap_or((&word.text, &word.text));
    match (one(a), one(b)) {
        (Some(a), Some(b)) if a <= b => Ok((a, b)),
        _ => Err(c.error_before(format!("`{}` is no range of percents", word.text))),
    }
}

// The ladder ------------------------------------------------------------------------------------

fn step(ladder: &Ladder, lines: &[Line], at: usize) -> Result<(Step, usize), Error> {
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
        c.next();
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
    c.next();
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

fn arrow(ladder: &Ladder, from: String, c: &mut Cursor<'_>) -> Result<Arrow, Error> {
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
            c.next();
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

// Expectations ----------------------------------------------------------------------------------

fn expect_line(ladder: &Ladder, c: &mut Cursor<'_>) -> Result<ExpectKind, Error> {
    if c.take("no") {
        c.expect("cdr")?;
        return Ok(ExpectKind::NoCdr);
    }
    if c.take("never") {
        let from = name(ladder, c)?;
        return Ok(ExpectKind::Never(arrow(ladder, from, c)?));
    }
    if c.take("cdr") {
        return cdr(c);
    }
    let who = name(ladder, c)?;
    if c.take("at") {
        c.expect("rest")?;
        return Ok(ExpectKind::AtRest);
    }
    if c.take("not") {
        c.expect("registered")?;
        return Ok(ExpectKind::NotRegistered(who));
    }
    if c.take("registered") {
        let contacts = if c.take("with") {
            let n = number(c, "a count")?;
            c.take("contacts");
            c.take("contact");
            Some(n)
        } else {
            None
        };
        return Ok(ExpectKind::Registered { who, contacts });
    }
    c.expect("hears")?;
    let voice = match c.want("whom")?.text.as_str() {
        "itself" => Voice::Itself,
        "tone" => Voice::Tone,
        "nothing" => Voice::Nothing,
        other => {
            known_phone(ladder, c, other)?;
            Voice::Of(other.to_owned())
        }
    };
    let mut loss_ppm = None;
    if c.take("loss") {
        c.expect("<")?;
        loss_ppm = Some(percent(c)?.1);
    }
    Ok(ExpectKind::Hears { who, voice, loss_ppm })
}

fn cdr(c: &mut Cursor<'_>) -> Result<ExpectKind, Error> {
    let from = c.want("a caller")?.text.clone();
    c.expect("to")?;
    let to = c.want("a callee")?.text.clone();
    let cause = c.want("a cause")?.text.clone();
    let (mut billed, mut status) = (None, None);
    while let Some(word) = c.next() {
        match word.text.as_str() {
            "billed" => billed = Some(duration(c)?),
            "status" => status = Some(number(c, "a status")?),
            other => return Err(c.error_before(format!("a cdr knows no `{other}`"))),
        }
    }
    Ok(ExpectKind::Cdr { from, to, cause, billed, status })
}

// Words -----------------------------------------------------------------------------------------

fn name(ladder: &Ladder, c: &mut Cursor<'_>) -> Result<String, Error> {
    let word = c.want("a name")?;
    if is_known(ladder, &word.text) {
        return Ok(word.text.clone());
    }
    Err(c.error_before(format!("there is no `{}` in this world", word.text)))
}

fn ip(c: &mut Cursor<'_>) -> Result<IpAddr, Error> {
    let word = c.want("an address")?;
    let bad = || c.error_before(format!("`{}` is no IP address", word.text));
    word.text.parse().map_err(|_| bad())
}

fn codec(c: &mut Cursor<'_>) -> Result<Codec, Error> {
    let word = c.want("a codec")?;
    sdp::codec(&word.text).ok_or_else(|| c.error_before(format!("no codec `{}`", word.text)))
}

fn number<T: std::str::FromStr>(c: &mut Cursor<'_>, what: &str) -> Result<T, Error> {
    let word = c.want(what)?;
    let bad = || c.error_before(format!("`{}` is no number: {what}", word.text));
    word.text.parse().map_err(|_| bad())
}

fn duration(c: &mut Cursor<'_>) -> Result<Duration, Error> {
    let word = c.want("a time, as 2s or 80ms")?;
    time(&word.text).ok_or_else(|| c.error_before(format!("`{}` is no time", word.text)))
}

/// `80ms`, `2s`, `1.5s`, `3m`, `1h`.
pub fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (value, unit) = text.split_at_checked(digits)?;
    let value: f64 = value.parse().ok()?;
    let ns = match unit {
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    };
    Some(Duration::from_nanos((value * ns).round() as u64))
}
