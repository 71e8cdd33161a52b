//! What a failing run leaves behind: one block to read, a capture, a plan that repeats it.
use crate::kernel::{EPOCH, Frame, START};
use crate::ladder::Outcome;
use crate::ladder::setting::Setting;
use crate::plan::Plan;
use bitspath_core::Duration;
use bitspath_trace::pcapng::Capture;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The failure in words, both ladders, the hash and the exact command.
pub fn block(setting: &Setting, seed: u64, outcome: &Outcome, plan: Option<&Path>) -> String {
    let mut out = String::new();
    let path = &setting.ladder.path;
    let Some(failure) = &outcome.failure else { return out };
    let at = failure.at.as_secs_f64();
    let place = failure.line.map_or_else(|| path.clone(), |line| format!("{path}:{line}"));
    let _ = writeln!(out, "FAILED {place}  seed {seed}  at {at:.3}s: {}", failure.what);
    if let Some(line) = failure.line {
        let source = setting.ladder.lines.get(line.saturating_sub(1)).map_or("", |l| l.trim());
        let _ = writeln!(out, "    {line} | {source}");
    }
    out += &outcome.picture;
    let _ = writeln!(out, "    {} faults, hash {:016x}", outcome.injected.len(), outcome.hash);
    let _ = writeln!(out, "    repeat: cargo run -p sim -- run {path} --seed {seed}");
    if let Some(plan) = plan {
        let _ = writeln!(out, "    or:     cargo run -p sim -- repro {}", plan.display());
    }
    out
}

/// Writes capture, plan and observed ladder under `dir`; the plan's path comes back.
pub fn files(
    dir: &Path,
    setting: &Setting,
    seed: u64,
    outcome: &Outcome,
) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let name: String = setting
        .ladder
        .path
        .trim_end_matches(".ladder")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .collect();
    let stem = format!("{}-{seed}", name.trim_start_matches('_'));
    let plan = Plan { ladder: setting.ladder.path.clone(), seed, faults: outcome.injected.clone() };
    let path = dir.join(format!("{stem}.plan"));
    std::fs::write(&path, plan.text(&outcome.hosts))?;
    std::fs::write(dir.join(format!("{stem}.pcapng")), capture(&outcome.frames))?;
    std::fs::write(dir.join(format!("{stem}.ladder")), outcome.observed.join("\n") + "\n")?;
    Ok(path)
}

/// The frames as a capture that Wireshark opens.
pub fn capture(frames: &[Frame]) -> Vec<u8> {
    let Ok(mut file) = Capture::new(Vec::new()) else { return Vec::new() };
    for f in frames {
        let at = Duration::from_nanos(EPOCH.0) + f.at.since(START);
        let put = if f.stream {
            file.tcp(at, f.from, f.to, &f.bytes)
        } else {
            file.udp(at, f.from, f.to, &f.bytes)
        };
        if put.is_err() {
            break;
        }
    }
    file.finish()
}
