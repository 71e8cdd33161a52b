//! What was seen, in the ladder's own syntax, and whether an arrow is the one that a line means.
use super::ast::{Arrow as Line, Ladder, MediaRule, Rule, What};
use crate::host::HostId;
use crate::network::Network;
use crate::peers::sdp;
use crate::seen::{self, Seen};
use crate::trail::Arrow;
use bitspath_core::{Duration, Instant};
use std::fmt::Write;

/// Everything that a line is compared with.
pub struct View<'a> {
    pub ladder: &'a Ladder,
    pub from: HostId,
    pub to: HostId,
    /// The arrow that the ladder matched last for the same method, for `differs` and `same`.
    pub before: Option<&'a Seen>,
}

impl View<'_> {
    /// `Ok` when the arrow is what the line means; `Err` says what is different about the nearest.
    pub fn judge(&self, line: &Line, arrow: &Arrow) -> Result<(), Option<String>> {
        if arrow.from != self.from || arrow.to != Some(self.to) || arrow.again != line.again {
            return Err(None);
        }
        let seen = &arrow.seen;
        if !self.is_kind(&line.what, seen) {
            return Err(None);
        }
        for (name, rule) in &line.rules {
            self.header(seen, name, rule).map_err(Some)?;
        }
        media(&line.media, seen).map_err(Some)
    }

    fn is_kind(&self, what: &What, seen: &Seen) -> bool {
        match what {
            What::Raw(_) => false,
            What::Reinvite(_) => seen.is_request() && seen.method() == "INVITE",
            What::Response { status, method } => {
                seen.status() == *status && seen.method() == method
            }
            What::Request { method, target } => {
                let number = target.as_ref().map(|t| number_of(self.ladder, t));
                seen.is_request()
                    && seen.method() == method
                    && number.is_none_or(|n| {
                        n == self.ladder.server.name || seen::user_of(seen.uri()) == Some(&n)
                    })
            }
        }
    }

    fn header(&self, seen: &Seen, name: &str, rule: &Rule) -> Result<(), String> {
        let value = value_of(seen, name);
        let before = self.before.and_then(|b| value_of(b, name));
        let shown = value.as_deref().unwrap_or("absent");
        let good = match rule {
            Rule::Is(want) => value.as_deref() == Some(want),
            Rule::Has(want) => value.as_ref().is_some_and(|v| v.contains(want)),
            Rule::Present => value.is_some(),
            Rule::Absent => value.is_none(),
            Rule::Differs => value.is_some() && value != before,
            Rule::Same => value.is_some() && value == before,
        };
        if good { Ok(()) } else { Err(format!("{name} is {shown}")) }
    }
}

/// `To-tag` and `From-tag` are the tags; any other name is a header.
fn value_of(seen: &Seen, name: &str) -> Option<String> {
    let text = match name {
        "To-tag" => Some(seen.to_tag()).filter(|t| !t.is_empty()),
        "From-tag" => Some(seen.from_tag()).filter(|t| !t.is_empty()),
        "Branch" => Some(seen.branch()),
        "URI" => Some(seen.uri()),
        "User" => seen::user_of(seen.uri()),
        "Caller" => seen::user_of(seen::uri_of(seen.from())),
        name => seen.header(name),
    };
    text.map(str::to_owned)
}

fn media(rule: &MediaRule, seen: &Seen) -> Result<(), String> {
    if *rule == MediaRule::default() {
        return Ok(());
    }
    if rule.none {
        return if seen.body().is_empty() { Ok(()) } else { Err("it has a body".to_owned()) };
    }
    let heard = sdp::read(seen.body()).ok_or("it describes no audio")?;
    if let Some(codecs) = &rule.codecs {
        let want: Vec<u8> = codecs.iter().map(|c| c.payload).collect();
        if want != heard.payloads {
            return Err(format!("its payload types are {:?}", heard.payloads));
        }
    }
    if rule.direction.is_some_and(|d| d != heard.direction) {
        return Err(format!("its direction is {}", heard.direction.as_str()));
    }
    if rule.profile.as_ref().is_some_and(|p| *p != heard.profile) {
        return Err(format!("its profile is {}", heard.profile));
    }
    if let Some(refused) = &rule.refused {
        let zero: Vec<bool> = heard.ports.iter().map(|p| *p == 0).collect();
        if zero != *refused {
            return Err(format!("its ports are {:?}", heard.ports));
        }
    }
    let text = std::str::from_utf8(seen.body()).unwrap_or_default();
    for line in &rule.lines {
        if !text.lines().any(|l| l == line) {
            return Err(format!("no line {line}"));
        }
    }
    Ok(())
}

/// A name of the ladder as the number that is dialled.
pub fn number_of(ladder: &Ladder, target: &str) -> String {
    let phone = ladder.phones.iter().find(|p| p.name == target);
    phone.map_or_else(|| target.to_owned(), |p| p.number.clone())
}

/// An arrow in the words of a ladder.
pub fn line(ladder: &Ladder, network: &Network, arrow: &Arrow) -> String {
    let from = network.name(arrow.from);
    let to = arrow.to.map_or("?", |to| network.name(to));
    let seen = &arrow.seen;
    let mut label = seen.label();
    if seen.is_request()
        && let Some(number) = seen::user_of(seen.uri())
        && let Some(phone) = ladder.phones.iter().find(|p| p.number == number)
    {
        label = format!("{} {}", seen.method(), phone.name);
    }
    let mut out = format!("{from:<6}-> {to:<6} {}", label.trim_end());
    if let Some(heard) = sdp::read(seen.body()) {
        let names: Vec<&str> = heard
            .payloads
            .iter()
            .filter_map(|p| sdp::CODECS.iter().find(|c| c.payload == *p))
            .map(|c| c.name)
            .collect();
        let kind = if seen.is_request() { "offer" } else { "answer" };
        let _ = write!(out, "  {kind} {}", names.join(" "));
    }
    if arrow.again {
        out += "  again";
    }
    out
}

/// The whole trail as a ladder: waits of half a second and more are shown.
pub fn ladder_text(ladder: &Ladder, network: &Network, arrows: &[Arrow]) -> Vec<String> {
    let mut out = Vec::new();
    let mut last: Option<Instant> = None;
    for arrow in arrows {
        let gap = last.map_or(Duration::ZERO, |l| arrow.at.since(l));
        if gap >= Duration::from_millis(500) {
            out.push(format!("+{:.3}s", gap.as_secs_f64()));
        }
        last = Some(arrow.at);
        out.push(line(ladder, network, arrow));
    }
    out
}
