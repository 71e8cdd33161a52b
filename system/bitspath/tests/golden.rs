//! The captures under `pcaps/` decode to the text that lies beside them.
#![allow(clippy::expect_used, reason = "a test may fail on the spot")]
use std::path::{Path, PathBuf};
use std::process::Command;

fn captures() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pcaps/own");
    let entries = std::fs::read_dir(own).expect("pcaps/own is part of the project");
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "pcapng"));
    files.sort();
    files
}

#[test]
fn every_capture_decodes_to_its_golden_text() {
    let files = captures();
    assert!(!files.is_empty());
    for file in files {
        let out = Command::new(env!("CARGO_BIN_EXE_bitspath"))
            .arg("decode")
            .arg(&file)
            .output()
            .expect("bitspath runs");
        assert_eq!(out.status.code(), Some(0), "{}", file.display());
        let text = String::from_utf8(out.stdout).expect("text");
        let golden = file.with_extension("golden");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &text).expect("golden is writable");
        }
        let want = std::fs::read_to_string(&golden).expect("golden text");
        assert!(text == want, "{} decodes otherwise than {}", file.display(), golden.display());
        for must in ["REGISTER sip:", "INVITE sip:1002@", "BYE sip:", "SIP/2.0 401"] {
            assert!(text.contains(must), "no {must} in {}", file.display());
        }
    }
}
