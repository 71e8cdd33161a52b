//! The ring of segment files: `DIR/flight/NNNN.flight`, one segment each, mode 0600.
//! Owns: names, numbering, what is deleted.  Does not know: what is in the files.
//! Brim: the oldest file goes; the newest two always stay, so that a saved flight has a past.
use bitspath_core::Fault;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much the ring may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A segment is closed when it has grown this large.
    pub segment_bytes: u64,
    pub files_max: usize,
    pub bytes_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { segment_bytes: 32 << 20, files_max: 64, bytes_max: 1 << 30 }
    }
}

/// The writing end. One process owns a ring; readers may look at any time.
#[derive(Debug)]
pub struct Ring {
    dir: PathBuf,
    bounds: Bounds,
    /// Finished files, oldest first, with their sizes.
    past: Vec<(u64, u64)>,
    open: Option<(u64, File, u64)>,
    next: u64,
}

impl Ring {
    /// Opens or makes the directory and finds where the numbering stands.
    pub fn open(dir: &Path, bounds: Bounds) -> Result<Ring, Fault> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| fault("cannot make", dir, &e))?;
        let mut past = Vec::new();
        for path in Self::files(dir)? {
            let size = fs::metadata(&path).map_err(|e| fault("cannot read", &path, &e))?.len();
            past.extend(number_of(&path).map(|n| (n, size)));
        }
        let next = past.last().map_or(0, |(n, _)| n + 1);
        Ok(Ring { dir: dir.to_owned(), bounds, past, open: None, next })
    }

    /// The files of a ring, oldest first.
    pub fn files(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).map_err(|e| fault("cannot read", dir, &e))? {
            let path = entry.map_err(|e| fault("cannot read", dir, &e))?.path();
            found.extend(number_of(&path).map(|n| (n, path)));
        }
        found.sort_unstable_by_key(|(n, _)| *n);
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Number that the next segment will have.
    pub const fn next_number(&self) -> u64 {
        self.next
    }

    /// Closes the open file, deletes what is too much and opens the next.
    pub fn begin(&mut self) -> Result<(), Fault> {
        self.close();
        self.prune();
        let path = self.path(self.next);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| fault("cannot make", &path, &e))?;
        self.open = Some((self.next, file, 0));
        self.next += 1;
        Ok(())
    }

    /// Appends to the open file. After a fault the file is closed: begin a new segment.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Some((number, file, size)) = self.open.as_mut() else {
            return Err(Fault::new("no segment is open"));
        };
        let number = *number;
        *size += bytes.len() as u64;
        if let Err(e) = file.write_all(bytes) {
            self.close();
            return Err(fault("cannot write", &self.path(number), &e));
        }
        Ok(())
    }

    pub fn close(&mut self) {
        if let Some((number, _, size)) = self.open.take() {
            self.past.push((number, size));
        }
    }

    fn prune(&mut self) {
        let mut total: u64 = self.past.iter().map(|(_, size)| size).sum();
        let full = |past: &[(u64, u64)], total| {
            past.len() >= 2
                && (past.len() >= self.bounds.files_max || total > self.bounds.bytes_max)
        };
        while full(&self.past, total) {
            let (number, size) = self.past.remove(0);
            total -= size;
            // Somebody may have deleted it before us, which is as good.
            let _ = fs::remove_file(self.path(number));
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:04}.flight"))
    }
}

fn number_of(path: &Path) -> Option<u64> {
    (path.extension()? == "flight").then_some(())?;
    path.file_stem()?.to_str()?.parse().ok()
}

fn fault(what: &str, path: &Path, e: &std::io::Error) -> Fault {
    Fault::new(format!("{what} {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspath_core::{Frozen, Now};
    use bitspath_trace::recording::{Encoder, Frame, Header, Reader, Record, VERSION};

    fn header(segment: u64) -> Header {
        let opened = Now::default();
        Header { version: VERSION, build_id: 77, node: 3, segment, opened, redacted: false }
    }

    fn scratch(name: &str) -> std::path::PathBuf {
        let dir = std::env::temp_dir().join(format!("bitspath-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn a_ring_that_has_wrapped_keeps_the_newest_and_reads_from_its_oldest_checkpoint() {
        use std::os::unix::fs::PermissionsExt;
        let dir = scratch("ring");
        let bounds = Bounds { segment_bytes: 64, files_max: 3, bytes_max: 1 << 20 };
        let mut ring = Ring::open(&dir, bounds).expect("opens");
        for n in 0..7u64 {
            assert_eq!(ring.next_number(), n);
            ring.begin().expect("begins");
            let mut encoder = Encoder::default();
            encoder.begin(&header(n), &Frozen(vec![n as u8]));
            encoder.out_hash(n);
            ring.append(&encoder.take()).expect("appends");
        }
        drop(ring);
        let files = Ring::files(&dir).expect("lists");
        let names: Vec<_> = files.iter().filter_map(|f| f.file_name()?.to_str()).collect();
        assert_eq!(names, ["0004.flight", "0005.flight", "0006.flight"]);
        let mode = fs::metadata(&files[0]).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let all: Vec<u8> = files.iter().flat_map(|f| fs::read(f).expect("reads")).collect();
        let records: Vec<Record> = Reader::new(&all[..]).map(|r| r.expect("whole").1).collect();
        assert_eq!(records[1], Record::Checkpoint(Frozen(vec![4])));
        assert_eq!(records.last().cloned().expect("some"), Record::Frame(Frame::OutHash(6)));
        assert_eq!(Ring::open(&dir, bounds).expect("opens again").next_number(), 7);
        fs::remove_dir_all(&dir).expect("cleans up");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_a_fault_with_its_path() {
        let text =
            Ring::open("/dev/null/flight".as_ref(), Bounds::default()).unwrap_err().to_string();
        assert!(text.contains("/dev/null/flight"), "{text}");
    }
}
