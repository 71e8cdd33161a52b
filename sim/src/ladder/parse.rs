//! Words to a [`Ladder`], section by section. Recursive only where `any order` nests.
mod expects;
mod faults;
mod steps;
mod words;
mod world;

pub use faults::range;

use super::ast::{Expect, Ladder};
use super::lex::{Cursor, Error, Line, lines};
use expects::expect_line;
use faults::fault_line;
use steps::step;
use world::world_line;

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
