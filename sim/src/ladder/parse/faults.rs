//! What may go wrong on the way: ranges that each seed draws from.
use super::words::{name, number, time};
use crate::ladder::ast::{FaultLine, Ladder};
use crate::ladder::lex::{Cursor, Error};

pub(super) fn fault_line(ladder: &mut Ladder, c: &mut Cursor<'_>) -> Result<(), Error> {
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
    while let Some(word) = c.word() {
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

pub(super) fn seeds(c: &mut Cursor<'_>) -> Result<(u64, u64), Error> {
    let word = c.want("A..B")?;
    range(&word.text).ok_or_else(|| c.error_before(format!("`{}` is not A..B", word.text)))
}

/// `A..B` with both ends, or one number.
pub fn range(text: &str) -> Option<(u64, u64)> {
    let (a, b) = text.split_once("..").unwrap_or((text, text));
    let (a, b) = (a.parse().ok()?, b.parse().ok()?);
    (a <= b).then_some((a, b))
}

pub(super) fn percent(c: &mut Cursor<'_>) -> Result<(u32, u32), Error> {
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
