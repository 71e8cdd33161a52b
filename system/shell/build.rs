//! `build_id`: a hash of everything that decides what a Node does with an input. A recording holds
//! it, so `sip_server` replays what `bitspath up` of the same build recorded, and no other build
//! claims to. No absolute path goes in: a second clone of the same commit has the same id.
use std::path::{Path, PathBuf};
use std::{env, fs, process};
use xxhash_rust::xxh3::Xxh3Default;

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let mut files = Vec::new();
    for name in ["Cargo.lock", "Cargo.toml"] {
        println!("cargo:rerun-if-changed={}", root.join(name).display());
        files.push(name.to_owned());
    }
    for member in names(&root.join("system")) {
        for part in ["Cargo.toml", "build.rs", "src"] {
            let path = format!("system/{member}/{part}");
            if root.join(&path).exists() {
                println!("cargo:rerun-if-changed={}", root.join(&path).display());
                collect(&root, &path, &mut files);
            }
        }
    }
    let mut hash = Xxh3Default::new();
    for file in files {
        hash.update(file.as_bytes());
        hash.update(&[0]);
        hash.update(&fs::read(root.join(&file)).unwrap_or_default());
    }
    for name in ["PROFILE", "OPT_LEVEL", "DEBUG", "TARGET", "CARGO_ENCODED_RUSTFLAGS"] {
        println!("cargo:rerun-if-env-changed={name}");
        hash.update(env::var(name).unwrap_or_default().as_bytes());
        hash.update(&[0]);
    }
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = process::Command::new(rustc).arg("-vV").output();
    hash.update(&version.map(|o| o.stdout).unwrap_or_default());
    println!("cargo:rustc-env=BITSPATH_BUILD_ID={}", hash.digest());
}

/// All files below `path`, in the order of their names.
fn collect(root: &Path, path: &str, files: &mut Vec<String>) {
    if root.join(path).is_file() {
        files.push(path.to_owned());
        return;
    }
    for name in names(&root.join(path)) {
        collect(root, &format!("{path}/{name}"), files);
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}
