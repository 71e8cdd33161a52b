//! What must be true at the end.
use super::faults::percent;
use super::steps::arrow;
use super::words::{duration, name, number};
use super::world::known_phone;
use crate::ladder::ast::{ExpectKind, Ladder, Voice};
use crate::ladder::lex::{Cursor, Error};

pub(super) fn expect_line(ladder: &Ladder, c: &mut Cursor<'_>) -> Result<ExpectKind, Error> {
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
    while let Some(word) = c.word() {
        match word.text.as_str() {
            "billed" => billed = Some(duration(c)?),
            "status" => status = Some(number(c, "a status")?),
            other => return Err(c.error_before(format!("a cdr knows no `{other}`"))),
        }
    }
    Ok(ExpectKind::Cdr { from, to, cause, billed, status })
}
