//! `sip_server --replay`: the shipped Node on a recording.
use crate::Exit;
use bitspath_server::Node;
use bitspath_shell::BUILD_ID;
use bitspath_shell::replay::{Stop, replay};
use bitspath_trace::recording::Wrong;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

pub fn file(path: &Path, any_build: bool) -> Exit {
    let file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(e) => return Exit::Unusable(format!("cannot read {}: {e}", path.display())),
    };
    match replay::<Node>(file, BUILD_ID, any_build) {
        Ok(verdict) => {
            verdict.marks.iter().for_each(|m| println!("marked: {m}"));
            println!("{verdict}");
            Exit::Done
        }
        Err(stop) => {
            let what = format!("{}: {stop}", path.display());
            if !is_finding(&stop) {
                return Exit::Unusable(what);
            }
            eprintln!("{what}");
            Exit::Failed
        }
    }
}

/// The recording was ours to check, and the check failed.
fn is_finding(stop: &Stop) -> bool {
    match stop {
        Stop::Differs(_) => true,
        Stop::Damage(damage) => !matches!(damage.wrong, Wrong::Magic | Wrong::Version(_)),
        Stop::OtherBuild { .. } | Stop::Redacted(_) | Stop::Foreign(..) => false,
    }
}
