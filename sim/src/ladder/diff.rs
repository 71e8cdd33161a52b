//! The ladder that was written and the one that was seen, side by side.
use super::ast::Ladder;
use super::observe;
use crate::network::Network;
use crate::trail::Arrow;
use bitspath_core::Instant;
use std::collections::BTreeMap;
use std::fmt::Write;

const LEFT: usize = 52;

/// `matched` maps places in the trail to lines of the source; `stopped` is the line that failed.
pub fn side_by_side(
    ladder: &Ladder,
    network: &Network,
    arrows: &[Arrow],
    matched: &BTreeMap<usize, usize>,
    stopped: Option<usize>,
    origin: Instant,
) -> String {
    let source = |line: usize| ladder.lines.get(line.saturating_sub(1)).map_or("", |l| l.trim());
    let mut out = format!("      {:<LEFT$} seen\n", "written");
    for (at, arrow) in arrows.iter().enumerate() {
        let left = matched.get(&at).map_or("", |line| source(*line));
        let mark = if left.is_empty() { ' ' } else { '=' };
        let seen = observe::line(ladder, network, arrow);
        let time = arrow.at.since(origin).as_secs_f64();
        let left: String = left.chars().take(LEFT).collect();
        let _ = writeln!(out, "    {mark} {left:<LEFT$} {time:>8.3}s  {seen}");
    }
    if let Some(line) = stopped {
        let _ = writeln!(out, "    ! {:<LEFT$} never seen", source(line));
    }
    out
}
