//! A disk that forgets: writes since the last sync survive a power cut at random, whole or torn.
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    now: Vec<u8>,
    /// What is on the platter for sure.
    synced: Vec<u8>,
    /// Writes since the last sync, in order.
    loose: Vec<(u64, Vec<u8>)>,
    operations_left: Option<u64>,
    full: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
pub struct Handle(Disk);

/// Smallest piece that a disk writes whole.
const SECTOR: usize = 512;

impl Disk {
    pub fn handle(&self) -> Handle {
        Handle(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// After so many writes and syncs the machine is dead.
    pub fn cut_after(&self, operations: u64) {
        self.state().operations_left = Some(operations);
    }

    pub fn fill(&self, full: bool) {
        self.state().full = full;
    }

    /// The power goes: each loose write survives, is torn or is lost, as `seed` decides.
    pub fn power_cut(&self, seed: u64) {
        let mut s = self.state();
        let loose = std::mem::take(&mut s.loose);
        let mut disk = s.synced.clone();
        let longest = loose.iter().map(|(at, b)| *at as usize + b.len()).max().unwrap_or(0);
        if disk.len() < longest.max(s.now.len()) {
            disk.resize(longest.max(s.now.len()), 0);
        }
        let mut draw = seed | 1;
        for (at, bytes) in loose {
            for (i, sector) in bytes.chunks(SECTOR).enumerate() {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if draw >> 63 == 1 {
                    let at = at as usize + i * SECTOR;
                    disk[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        s.synced.clone_from(&disk);
        s.now = disk;
        s.operations_left = None;
    }
}

impl State {
    fn spend(&mut self) -> io::Result<()> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match &mut self.operations_left {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.state().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let s = self.0.state();
        let from = offset as usize;
        out.copy_from_slice(s.now.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut s = self.0.state();
        s.spend()?;
        s.now.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut s = self.0.state();
        s.spend()?;
        s.synced = s.now.clone();
        s.loose.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut s = self.0.state();
        s.spend()?;
        let at = offset as usize;
        let end = at + data.len();
        s.now.get_mut(at..end).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        s.loose.push((offset, data.to_vec()));
        Ok(())
    }
}
