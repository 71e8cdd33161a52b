//! The data directory: where everything of one server lies, and its first start.
//!
//! ```text
//!   DIR/bitspath.toml   configuration, written at the first start       0600
//!   DIR/store.redb      bindings and call records                       0600
//!   DIR/nonce.key       secret of the digest nonces                     0600
//!   DIR/control.sock    the operator's socket, while the server runs    0600
//!   DIR/flight/         the ring of recordings                          0600
//! ```
use bitspath_core::{Entropy, Fault, Purpose};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Letters and digits that nobody confuses when reading them aloud.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 16 of 56 characters: 92 bits.
const PASSWORD_CHARS: u64 = 16;
/// Extensions of the demo tenant.
const DEMO_EXTENSIONS: u64 = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The directory, made when it is not there; it must be ours to write.
    pub fn open(path: &Path) -> Result<DataDir, Fault> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|e| fault("cannot make the data directory", path, &e))?;
        let probe = path.join(".probe");
        fs::write(&probe, b"")
            .and_then(|()| fs::remove_file(&probe))
            .map_err(|e| fault("cannot write in the data directory", path, &e))?;
        Ok(DataDir(path.to_owned()))
    }

    /// The directory as it is, for reading.
    pub fn at(path: &Path) -> DataDir {
        DataDir(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn config(&self) -> PathBuf {
        self.0.join("bitspath.toml")
    }

    pub fn store(&self) -> PathBuf {
        self.0.join("store.redb")
    }

    pub fn control(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    pub fn flight(&self) -> PathBuf {
        self.0.join("flight")
    }

    /// Writes the demo configuration unless there is one.
    pub fn first_start(&self, entropy: [u8; 32]) -> Result<(), Fault> {
        let path = self.config();
        if path.exists() {
            return Ok(());
        }
        let passwords = demo_passwords(&Entropy::new(entropy));
        let text = bitspath_server::config::demo(&passwords);
        write_secret(&path, text.as_bytes())
    }

    /// The nonce secret, made at the first start.
    pub fn nonce_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], Fault> {
        let path = self.0.join("nonce.key");
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| {
                Fault::new(format!("{} is not a key of 32 octets: delete it", path.display()))
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                write_secret(&path, &fresh)?;
                Ok(fresh)
            }
            Err(e) => Err(fault("cannot read", &path, &e)),
        }
    }
}

fn demo_passwords(entropy: &Entropy) -> Vec<String> {
    let one = |extension| {
        let char = |n| {
            let at = entropy.below(Purpose::Password, extension, n, ALPHABET.len() as u64);
            char::from(ALPHABET.get(at as usize).copied().unwrap_or(b'x'))
        };
        (0..PASSWORD_CHARS).map(char).collect()
    };
    (0..DEMO_EXTENSIONS).map(one).collect()
}

/// Writes a file for its owner only; never half of it.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|e| fault("cannot write", path, &e))
}

fn fault(what: &str, path: &Path, e: &io::Error) -> Fault {
    Fault::new(format!("{what} {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_first_start_makes_a_good_configuration_and_a_second_keeps_it() {
        let path = std::env::temp_dir().join(format!("bitspath-data-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let dir = DataDir::open(&path).expect("opens");
        dir.first_start([1; 32]).expect("writes");
        let text = fs::read_to_string(dir.config()).expect("there");
        let config = bitspath_server::Config::parse(&text).expect("is good");
        assert_eq!(config.tenants.first().map(|t| t.extensions.len()), Some(5));
        assert_eq!(dir.nonce_key([7; 32]), Ok([7; 32]));
        dir.first_start([2; 32]).expect("keeps");
        assert_eq!(fs::read_to_string(dir.config()).expect("there"), text);
        assert_eq!(dir.nonce_key([8; 32]), Ok([7; 32]));
        for file in [dir.config(), path.join("nonce.key")] {
            let mode = fs::metadata(file).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::remove_dir_all(&path).expect("cleans up");
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named() {
        let text = DataDir::open("/proc/nothing".as_ref()).unwrap_err().to_string();
        assert!(text.contains("/proc/nothing"), "{text}");
    }
}
