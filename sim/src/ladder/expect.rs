//! What must be true at the end.
use super::ast::{Arrow, ExpectKind, Voice};
use super::observe::{View, number_of};
use super::run::{Failure, Runner};
use crate::peers::Phone;
use bitspath_core::Duration;
use bitspath_core::store::{CdrCause, CdrRow};

/// How far a bill may be from what the ladder says: the way of the messages.
const TOLERANCE: Duration = Duration::from_millis(500);

pub(super) fn check(r: &Runner<'_>, what: &ExpectKind) -> Result<(), Failure> {
    match what {
        ExpectKind::AtRest => Ok(()),
        ExpectKind::NoCdr => match r.world.kernel.oracles.attempts.records.len() {
            0 => Ok(()),
            n => r.fail(format!("{n} records were written")),
        },
        ExpectKind::Cdr { from, to, cause, billed, status } => {
            cdr(r, (from, to), cause, *billed, *status)
        }
        ExpectKind::Registered { who, contacts } => {
            let Some(phone) = phone(r, who) else { return r.fail("no such phone") };
            if phone.registered_until.is_none_or(|at| at <= r.world.kernel.now) {
                return r.fail(format!("{who} is not registered"));
            }
            match contacts {
                Some(n) if *n != phone.contacts => {
                    r.fail(format!("{who} was told of {} contacts", phone.contacts))
                }
                _ => Ok(()),
            }
        }
        ExpectKind::NotRegistered(who) => match phone(r, who) {
            Some(p) if p.registered_until.is_some() => r.fail(format!("{who} is registered")),
            _ => Ok(()),
        },
        ExpectKind::Hears { who, voice, loss_ppm } => hears(r, who, voice, *loss_ppm),
        ExpectKind::Never(line) => never(r, line),
    }
}

fn phone<'a>(r: &'a Runner<'_>, name: &str) -> Option<&'a Phone> {
    r.world.host::<Phone>(*r.cast.phones.get(name)?)
}

fn cdr(
    r: &Runner<'_>,
    (from, to): (&str, &str),
    cause: &str,
    billed: Option<Duration>,
    status: Option<u16>,
) -> Result<(), Failure> {
    let ladder = &r.setting.ladder;
    let (caller, callee) = (number_of(ladder, from), number_of(ladder, to));
    let records = &r.world.kernel.oracles.attempts.records;
    let mine: Vec<&CdrRow> =
        records.values().filter(|c| c.caller == caller && c.callee == callee).collect();
    let is_cause = |c: &CdrRow| match cause {
        "answered" => matches!(c.cause, CdrCause::CallerHungUp | CdrCause::CalleeHungUp),
        word => c.cause.as_str() == word,
    };
    let is_billed = |c: &CdrRow| billed.is_none_or(|b| c.billed.abs_diff(b) <= TOLERANCE);
    let good = |c: &&CdrRow| is_cause(c) && is_billed(c) && status.is_none_or(|s| s == c.status);
    if mine.iter().any(good) {
        return Ok(());
    }
    let seen: Vec<String> = records
        .values()
        .map(|c| {
            let (cause, billed) = (c.cause.as_str(), c.billed.as_secs_f64());
            format!("{} to {} {cause} billed {billed}s status {}", c.caller, c.callee, c.status)
        })
        .collect();
    r.fail(match seen.is_empty() {
        true => "no record was written".to_owned(),
        false => format!("the records are: {}", seen.join("; ")),
    })
}

fn hears(r: &Runner<'_>, who: &str, voice: &Voice, loss: Option<u32>) -> Result<(), Failure> {
    let Some(p) = phone(r, who) else { return r.fail("no such phone") };
    let number = match voice {
        Voice::Of(name) => number_of(&r.setting.ladder, name),
        Voice::Itself => p.id.number.clone(),
        Voice::Tone => String::new(),
        Voice::Nothing => {
            return match p.ears.first() {
                None => Ok(()),
                Some(ear) => r.fail(format!("{who} hears `{}`", ear.voice)),
            };
        }
    };
    let heard: u32 = p.ears.iter().filter(|e| e.voice == number).map(|e| e.packets).sum();
    let sent: u32 = p.ears.iter().filter(|e| e.voice == number).map(|e| e.count + 1).sum();
    if heard == 0 {
        return r.fail(format!("{who} hears nothing of it"));
    }
    let Some(loss) = loss else { return Ok(()) };
    let lost = u64::from(sent.saturating_sub(heard)) * 1_000_000 / u64::from(sent.max(1));
    if lost < u64::from(loss) {
        return Ok(());
    }
    r.fail(format!("{who} hears {heard} of {sent} packets"))
}

fn never(r: &Runner<'_>, line: &Arrow) -> Result<(), Failure> {
    let (Some(from), Some(to)) = (r.cast.id(&line.from), r.cast.id(&line.to)) else {
        return Ok(());
    };
    let view = View { ladder: &r.setting.ladder, from, to, before: None };
    let arrows = r.world.kernel.trail.arrows.get(r.first_arrow()..).unwrap_or_default();
    match arrows.iter().find(|a| view.judge(line, a) == Ok(())) {
        None => Ok(()),
        Some(arrow) => {
            let at = arrow.at.since(crate::kernel::START).as_secs_f64();
            r.fail(format!("it was seen at {at:.3}s"))
        }
    }
}
