//! Ladder layout: a column per party, an arrow per message, time at the left. Text for terminals,
//! HTML for browsers. Owns: the picture.  Does not know: protocols; labels come from above.
//!
//! ```text
//!            alice                 pbx                  bob
//!   0.000s    │─── INVITE bob ─────▶│                    │
//!   0.004s    │                     │─── INVITE bob ────▶│
//! ```
use bitspath_core::Instant;
use std::fmt::Write;

/// One message from one column to another; a remark when both are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    pub at: Instant,
    pub from: usize,
    pub to: usize,
    pub label: String,
    /// Lost, late, repeated: printed behind the arrow.
    pub remark: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    pub parties: Vec<String>,
    pub arrows: Vec<Arrow>,
}

/// Columns are never narrower than this, arrow heads included.
const COLUMN_MIN: usize = 16;
const COLUMN_MAX: usize = 48;
const TIME_WIDTH: usize = 11;

impl Ladder {
    /// The column of `name`, made when it is new.
    pub fn party(&mut self, name: &str) -> usize {
        self.parties.iter().position(|p| p == name).unwrap_or_else(|| {
            self.parties.push(name.to_owned());
            self.parties.len() - 1
        })
    }

    /// Plain text; times count from `origin`.
    pub fn text(&self, origin: Instant) -> String {
        let width = self.column_width();
        let mut out = " ".repeat(TIME_WIDTH);
        for party in &self.parties {
            let _ = write!(out, "{party:^width$}", party = cut(party, width - 1));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        for arrow in &self.arrows {
            self.line(arrow, origin, width, &mut out);
        }
        out
    }

    /// A page that needs nothing from the network.
    pub fn html(&self, title: &str, origin: Instant) -> String {
        let columns = self.parties.len().max(1);
        let mut out = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>{0}</title><style>\
             body{{font:14px sans-serif}}table{{border-collapse:collapse}}\
             td,th{{padding:2px 8px;text-align:center}}td.t{{color:#777;text-align:right}}\
             td.a{{border-bottom:1px solid #333}}td.r{{color:#a00;text-align:left}}\
             </style><h1>{0}</h1><table><tr><th></th>",
            escape(title)
        );
        for party in &self.parties {
            let _ = write!(out, "<th colspan=\"2\">{}</th>", escape(party));
        }
        out.push_str("<th></th></tr>\n");
        for arrow in &self.arrows {
            let (low, high) = (arrow.from.min(arrow.to), arrow.from.max(arrow.to));
            let before = 2 * low + usize::from(low != high);
            let span = (2 * (high - low)).max(2);
            let after = (2 * columns).saturating_sub(before + span);
            let label = match arrow.from.cmp(&arrow.to) {
                std::cmp::Ordering::Less => format!("{} &rarr;", escape(&arrow.label)),
                std::cmp::Ordering::Greater => format!("&larr; {}", escape(&arrow.label)),
                std::cmp::Ordering::Equal => escape(&arrow.label),
            };
            let time = Instant(arrow.at.0.saturating_sub(origin.0));
            let remark = escape(arrow.remark.as_deref().unwrap_or_default());
            let _ = writeln!(
                out,
                "<tr><td class=\"t\">{time}</td>{}<td class=\"a\" colspan=\"{span}\">{label}</td>\
                 {}<td class=\"r\">{remark}</td></tr>",
                "<td></td>".repeat(before),
                "<td></td>".repeat(after)
            );
        }
        out.push_str("</table>\n");
        out
    }

    fn column_width(&self) -> usize {
        let names = self.parties.iter().map(|p| p.chars().count() + 2);
        let labels = self.arrows.iter().map(|a| {
            let hops = a.from.abs_diff(a.to).max(1);
            (a.label.chars().count() + 8).div_ceil(hops)
        });
        names.chain(labels).max().unwrap_or(0).clamp(COLUMN_MIN, COLUMN_MAX)
    }

    fn line(&self, arrow: &Arrow, origin: Instant, width: usize, out: &mut String) {
        let time = Instant(arrow.at.0.saturating_sub(origin.0)).to_string();
        let mut row: Vec<char> = vec![' '; self.parties.len() * width];
        for party in 0..self.parties.len() {
            put(&mut row, middle(party, width), '│');
        }
        let (from, to) = (middle(arrow.from, width), middle(arrow.to, width));
        if from == to {
            let text = format!("({})", cut(&arrow.label, width.saturating_sub(4)));
            text.chars().enumerate().for_each(|(i, c)| put(&mut row, from + 2 + i, c));
        } else {
            let (low, high) = (from.min(to), from.max(to));
            (low + 1..high).for_each(|x| put(&mut row, x, '─'));
            if from < to {
                put(&mut row, high - 1, '▶')
            } else {
                put(&mut row, low + 1, '◀')
            }
            let label = format!(" {} ", cut(&arrow.label, high - low - 6));
            let start = low + (high - low).saturating_sub(label.chars().count()) / 2;
            label.chars().enumerate().for_each(|(i, c)| put(&mut row, start + i, c));
        }
        let row: String = row.into_iter().collect();
        let _ = write!(out, "{time:>9}  {}", row.trim_end());
        if let Some(remark) = &arrow.remark {
            let _ = write!(out, "  {remark}");
        }
        out.push('\n');
    }
}

fn middle(party: usize, width: usize) -> usize {
    party * width + width / 2
}

fn put(row: &mut Vec<char>, at: usize, c: char) {
    if at >= row.len() {
        row.resize(at + 1, ' ');
    }
    if let Some(place) = row.get_mut(at) {
        *place = c;
    }
}

/// At most `width` characters, the last one an ellipsis when something had to go.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(ms: u64, from: usize, to: usize, label: &str) -> Arrow {
        Arrow { at: Instant(ms * 1_000_000), from, to, label: label.to_owned(), remark: None }
    }

    fn sample() -> Ladder {
        let mut ladder = Ladder::default();
        let (alice, pbx, bob) = (ladder.party("alice"), ladder.party("pbx"), ladder.party("bob"));
        ladder.arrows = vec![
            arrow(1000, alice, pbx, "INVITE bob"),
            arrow(1004, pbx, bob, "INVITE bob"),
            Arrow { remark: Some("lost".into()), ..arrow(1250, bob, pbx, "180") },
            arrow(1300, pbx, pbx, "timer C"),
            arrow(1400, bob, alice, "a label that is far too long for the two columns that it has"),
        ];
        ladder
    }

    #[test]
    fn text_has_a_column_per_party_and_an_arrow_per_line() {
        let text = sample().text(Instant(1_000_000_000));
        let want = "\
                  alice            pbx             bob
   0.000s           │── INVITE bob ─▶│               │
   0.004s           │                │─ INVITE bob ─▶│
   0.250s           │                │◀──── 180 ─────│  lost
   0.300s           │                │ (timer C)     │
";
        let got: String = text.lines().take(5).map(|l| format!("{l}\n")).collect();
        assert_eq!(shape(got.trim_start()), shape(want), "\n{text}");
        assert!(text.lines().last().expect("a line").contains('◀'));
    }

    /// Runs of blanks and of arrow shafts count as one: the test is about order, not widths.
    fn shape(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            if !(matches!(c, ' ' | '─') && out.ends_with(c)) {
                out.push(c);
            }
        }
        out
    }

    #[test]
    fn all_lines_of_the_same_ladder_keep_their_columns() {
        let text = sample().text(Instant(0));
        let bars = |l: &str| l.chars().enumerate().filter(|(_, c)| *c == '│').map(|(i, _)| i).max();
        let last: Vec<_> = text.lines().skip(1).map(bars).collect();
        assert!(last.windows(2).all(|w| w[0] == w[1]), "{text}");
    }

    #[test]
    fn html_escapes_what_peers_wrote() {
        let mut ladder = sample();
        ladder.arrows[0].label = "<script>".into();
        let page = ladder.html("a & b", Instant(0));
        assert!(page.contains("&lt;script&gt; &rarr;") && page.contains("a &amp; b"));
        assert!(!page.contains("<script>"));
    }
}
