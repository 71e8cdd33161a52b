//! A recorded failure as a text that can be run again: which ladder, which seed, which faults.
//! Replay applies the list and draws nothing, so that the shrinker may take faults away.
//!
//! ```text
//! ladder scenarios/sip/call/cancel.ladder
//! seed 17
//! fault 1 42 drop            # link, n-th datagram on it, what happened
//! fault 3 7 delay 31000000
//! ```
use crate::link::{Fault, Injected};
use std::fmt::Write;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub ladder: String,
    pub seed: u64,
    pub faults: Vec<Injected>,
}

impl Plan {
    pub fn text(&self, hosts: &[String]) -> String {
        let mut out = format!("ladder {}\nseed {}\n", self.ladder, self.seed);
        for f in &self.faults {
            let n = (hosts.len() as u32).max(1);
            let name = |at: u32| hosts.get(at as usize).map_or("?", String::as_str);
            let (from, to) = (name(f.link / n), name(f.link % n));
            let what = match f.fault {
                Fault::Drop => "drop".to_owned(),
                Fault::Corrupt => "corrupt".to_owned(),
                Fault::TooBig => "too-big".to_owned(),
                Fault::Duplicate(ns) => format!("duplicate {ns}"),
                Fault::Reorder(ns) => format!("reorder {ns}"),
                Fault::Delay(ns) => format!("delay {ns}"),
                Fault::Mangle(word) => format!("mangle {word}"),
            };
            let _ = writeln!(out, "fault {} {} {what}    # {from} -> {to}", f.link, f.n);
        }
        out
    }

    pub fn parse(text: &str) -> Result<Plan, String> {
        let mut plan = Plan::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let bad = || format!("{}:1: `{line}` is no line of a plan", at + 1);
            let mut words = line.split_whitespace();
            match words.next() {
                None => {}
                Some("ladder") => {
                    line.strip_prefix("ladder ").unwrap_or_default().clone_into(&mut plan.ladder);
                }
                Some("seed") => {
                    plan.seed = words.next().and_then(|w| w.parse().ok()).ok_or_else(bad)?;
                }
                Some("fault") => plan.faults.push(fault(words).ok_or_else(bad)?),
                Some(_) => return Err(bad()),
            }
        }
        Ok(plan)
    }
}

fn fault<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Injected> {
    let link = words.next()?.parse().ok()?;
    let n = words.next()?.parse().ok()?;
    let kind = words.next()?;
    let number = words.next().and_then(|w| w.parse().ok());
    let fault = match kind {
        "drop" => Fault::Drop,
        "corrupt" => Fault::Corrupt,
        "too-big" => Fault::TooBig,
        "duplicate" => Fault::Duplicate(number?),
        "reorder" => Fault::Reorder(number?),
        "delay" => Fault::Delay(number?),
        "mangle" => Fault::Mangle(number?),
        _ => return None,
    };
    Some(Injected { link, n, fault })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let faults = [
            Fault::Drop,
            Fault::Corrupt,
            Fault::TooBig,
            Fault::Duplicate(5),
            Fault::Reorder(6),
            Fault::Delay(7),
            Fault::Mangle(u64::MAX),
        ];
        let faults = faults
            .into_iter()
            .enumerate()
            .map(|(n, fault)| Injected { link: 2, n: n as u64, fault })
            .collect();
        let plan = Plan { ladder: "scenarios/a b.ladder".into(), seed: 9, faults };
        let hosts = ["pbx".to_owned(), "alice".to_owned()];
        assert_eq!(Plan::parse(&plan.text(&hosts)), Ok(plan));
        assert!(Plan::parse("fault 1 2 melt").unwrap_err().starts_with("1:1:"));
    }
}
