//! The determinism gate: the same seeds in two processes that differ in all that must not matter
//! (time zone, locale, working directory, environment, ASLR) give the same hashes. A difference is
//! reported at the first checkpoint.
#![allow(clippy::unwrap_used)]
use std::path::Path;
use std::process::Command;

fn hashes(dir: &Path, zone: &str, locale: &str, thaw: &str) -> Vec<String> {
    let ladders = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/sip/call");
    let out = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["hash", "--seeds", "1..8", "--checkpoints", "--thaw", thaw])
        .arg(&ladders)
        .current_dir(dir)
        .env("TZ", zone)
        .env("LC_ALL", locale)
        .env("SOMETHING_ELSE", locale.repeat(100))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn compare(one: &[String], two: &[String]) {
    let differs = one.iter().zip(two).position(|(a, b)| a != b);
    assert_eq!(differs, None, "the first difference is line {differs:?} of {}", one.len());
    assert_eq!(one.len(), two.len());
    assert!(one.len() > 100);
}

#[test]
fn two_processes_in_different_surroundings_give_the_same_hashes() {
    let here = hashes(Path::new("/"), "UTC", "C", "0");
    let there = hashes(&std::env::temp_dir(), "Pacific/Chatham", "de_DE.UTF-8", "0");
    compare(&here, &there);
}

#[test]
fn freeze_and_thaw_at_random_steps_changes_no_hash() {
    let plain = hashes(Path::new("/"), "UTC", "C", "0");
    let thawed = hashes(Path::new("/"), "UTC", "C", "200000");
    compare(&plain, &thawed);
}
