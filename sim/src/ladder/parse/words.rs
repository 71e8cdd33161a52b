//! Single words: names, addresses, codecs, numbers, times.
use super::world::is_known;
use crate::ladder::ast::Ladder;
use crate::ladder::lex::{Cursor, Error};
use crate::peers::sdp::{self, Codec};
use std::net::IpAddr;
use std::time::Duration;

pub(super) fn name(ladder: &Ladder, c: &mut Cursor<'_>) -> Result<String, Error> {
    let word = c.want("a name")?;
    if is_known(ladder, &word.text) {
        return Ok(word.text.clone());
    }
    Err(c.error_before(format!("there is no `{}` in this world", word.text)))
}

pub(super) fn ip(c: &mut Cursor<'_>) -> Result<IpAddr, Error> {
    let word = c.want("an address")?;
    let bad = || c.error_before(format!("`{}` is no IP address", word.text));
    word.text.parse().map_err(|_| bad())
}

pub(super) fn codec(c: &mut Cursor<'_>) -> Result<Codec, Error> {
    let word = c.want("a codec")?;
    sdp::codec(&word.text).ok_or_else(|| c.error_before(format!("no codec `{}`", word.text)))
}

pub(super) fn number<T: std::str::FromStr>(c: &mut Cursor<'_>, what: &str) -> Result<T, Error> {
    let word = c.want(what)?;
    let bad = || c.error_before(format!("`{}` is no number: {what}", word.text));
    word.text.parse().map_err(|_| bad())
}

pub(super) fn duration(c: &mut Cursor<'_>) -> Result<Duration, Error> {
    let word = c.want("a time, as 2s or 80ms")?;
    time(&word.text).ok_or_else(|| c.error_before(format!("`{}` is no time", word.text)))
}

/// `80ms`, `2s`, `1.5s`, `3m`, `1h`.
pub(super) fn time(text: &str) -> Option<Duration> {
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
