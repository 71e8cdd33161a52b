//! Every ladder of the repository, a few seeds each; `sim run scenarios --seeds 1..200` does more.
#![allow(clippy::unwrap_used)]
use std::path::Path;
use std::process::Command;

#[test]
fn every_ladder_passes_with_its_first_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let out = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["run", "scenarios", "--seeds", "1..5", "--out", env!("CARGO_TARGET_TMPDIR")])
        .current_dir(root)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    assert!(text.lines().last().unwrap().ends_with("0 failed, 0 skipped"), "{text}");
}

#[test]
fn unusable_arguments_are_exit_code_two_and_one_clear_line() {
    for args in [&["run", "nowhere.ladder"][..], &["fly"], &["run"], &["repro", "nowhere.plan"]] {
        let out = Command::new(env!("CARGO_BIN_EXE_sim")).args(args).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(!out.stderr.is_empty());
    }
}
