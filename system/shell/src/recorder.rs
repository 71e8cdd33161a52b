//! The recorder at the Node's door: behind the queues, before `handle`. It never makes a call
//! wait: octets go to a writer thread over a bounded channel, and when the disk is too slow frames
//! are lost, counted in a `Gap`, and a new segment begins with a checkpoint.
//!
//! ```text
//!   On ──channel full, 4 MiB behind──▶ Lost ──room again──▶ Gap, new segment ──▶ On
//!   On ──segment full─────────────────────────────────────▶ new segment      ──▶ On
//! ```
use crate::ring::{Bounds, Ring};
use bitspath_core::hash::TraceHasher;
use bitspath_core::{Duration, Fault, Frozen, Instant, Now};
use bitspath_trace::recording::{Encoder, Header, VERSION};
use serde::Serialize;
use std::collections::VecDeque;
use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Batches under way to the disk.
const BATCHES_MAX: usize = 256;
/// Octets kept back while the channel is full. Brim: a `Gap`.
const BEHIND_BYTES_MAX: usize = 4 << 20;
/// A checkpoint costs time: after a loss no sooner than this.
const RETRY: Duration = Duration::from_secs(2);

enum Job {
    /// Begins a file with these octets.
    Begin(Vec<u8>),
    Append(Vec<u8>),
    /// Everything before this is in the file when it is answered.
    Flush(tokio::sync::oneshot::Sender<()>),
}

enum State {
    On,
    Lost { frames: u64, again: Instant },
}

pub struct Recorder {
    encoder: Encoder,
    trace: TraceHasher,
    /// An output has come since the last frame's hash.
    said: bool,
    header: Header,
    state: State,
    /// Octets of the open segment.
    segment_bytes: u64,
    segment_bytes_max: u64,
    /// Octets after the checkpoint that end the present segment.
    segment_bytes_due: u64,
    /// What the channel had no room for, in order; at most a batch, a gap and a beginning.
    stalled: VecDeque<Job>,
    to: SyncSender<Job>,
    writer: JoinHandle<()>,
    /// The writer thread could not write; it waits for a new segment.
    failed: Arc<AtomicBool>,
    frames: u64,
    lost: u64,
}

impl Recorder {
    /// Opens the ring and starts the writer thread. [`Recorder::begin`] must follow.
    pub fn open(dir: &Path, bounds: Bounds, build_id: u64, node: u8) -> Result<Recorder, Fault> {
        let ring = Ring::open(dir, bounds)?;
        let segment = ring.next_number();
        let (to, jobs) = sync_channel(BATCHES_MAX);
        let failed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&failed);
        let writer = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write_all(ring, &jobs, &flag))
            .map_err(|e| Fault::new(format!("cannot start the recorder's thread: {e}")))?;
        let opened = Now::default();
        let header = Header { version: VERSION, build_id, node, segment, opened, redacted: false };
        Ok(Recorder {
            encoder: Encoder::default(),
            trace: TraceHasher::default(),
            said: false,
            header,
            state: State::On,
            segment_bytes: 0,
            segment_bytes_max: bounds.segment_bytes,
            segment_bytes_due: bounds.segment_bytes,
            stalled: VecDeque::new(),
            to,
            writer,
            failed,
            frames: 0,
            lost: 0,
        })
    }

    /// Begins a segment from this checkpoint.
    pub fn begin(&mut self, now: Now, checkpoint: &Frozen) {
        self.header.opened = now;
        self.trace = TraceHasher::default();
        self.said = false;
        self.encoder.begin(&self.header, checkpoint);
        self.header.segment += 1;
        let bytes = self.encoder.take();
        // Only what comes after the checkpoint fills a segment, and a large checkpoint asks for a
        // long one: freezing costs the signalling thread at most a fixed share of its recording.
        self.segment_bytes = 0;
        self.segment_bytes_due = self.segment_bytes_max.max(4 * bytes.len() as u64);
        self.failed.store(false, Ordering::Relaxed);
        self.state = State::On;
        self.send(Job::Begin(bytes));
    }

    pub fn input<I: Serialize>(&mut self, now: Now, input: &I) {
        self.frames += 1;
        match &mut self.state {
            State::On => self.encoder.input(now, input),
            State::Lost { frames, .. } => *frames += 1,
        }
    }

    pub fn timeout(&mut self, now: Now) {
        self.frames += 1;
        match &mut self.state {
            State::On => self.encoder.timeout(now),
            State::Lost { frames, .. } => *frames += 1,
        }
    }

    /// One output of the frame that was recorded last.
    pub fn output<O: Hash>(&mut self, output: &O) {
        self.trace.fold(output);
        self.said = true;
    }

    /// The outputs of the last frame are all told.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.said) && matches!(self.state, State::On) {
            self.encoder.out_hash(self.trace.0);
        }
    }

    /// Hands the batch over. True: the Node is to be re-keyed and frozen for a new segment now.
    #[must_use]
    pub fn end_batch(&mut self, now: Now) -> bool {
        while let Some(job) = self.stalled.pop_front() {
            if let Some(job) = self.offer(job) {
                self.stalled.push_front(job);
                break;
            }
        }
        if self.failed.load(Ordering::Relaxed) && matches!(self.state, State::On) {
            self.lose(now);
        }
        if let State::Lost { frames, again } = self.state {
            if !self.stalled.is_empty() || now.mono < again {
                return false;
            }
            self.lost += frames;
            self.encoder.gap(frames);
            let gap = self.encoder.take();
            self.send(Job::Append(gap));
            return true;
        }
        if self.stalled.is_empty() && !self.encoder.is_empty() {
            let bytes = self.encoder.take();
            self.segment_bytes += bytes.len() as u64;
            self.send(Job::Append(bytes));
        } else if self.encoder.len() > BEHIND_BYTES_MAX {
            self.lose(now);
        }
        self.stalled.is_empty() && self.segment_bytes >= self.segment_bytes_due
    }

    /// Frames that came to the door since the start.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames that no file holds.
    pub const fn lost(&self) -> u64 {
        self.lost
            + match self.state {
                State::On => 0,
                State::Lost { frames, .. } => frames,
            }
    }

    /// Asks the writer thread to answer when all of this is in the file.
    pub fn flush(&mut self, done: tokio::sync::oneshot::Sender<()>) {
        // A full channel drops `done`: the asker sees that nothing was promised.
        if self.stalled.is_empty() {
            let _ = self.to.try_send(Job::Flush(done));
        }
    }

    /// Waits until the writer thread has written what it was given.
    pub fn finish(mut self) {
        for job in std::mem::take(&mut self.stalled) {
            let _ = self.to.send(job);
        }
        if !self.encoder.is_empty() {
            let _ = self.to.send(Job::Append(self.encoder.take()));
        }
        drop(self.to);
        let _ = self.writer.join();
    }

    fn lose(&mut self, now: Now) {
        let frames = self.encoder.forget();
        self.state = State::Lost { frames, again: now.mono + RETRY };
    }

    fn send(&mut self, job: Job) {
        let back = if self.stalled.is_empty() { self.offer(job) } else { Some(job) };
        self.stalled.extend(back);
    }

    /// Gives the job back when the channel is full; a writer that is gone swallows it.
    fn offer(&self, job: Job) -> Option<Job> {
        match self.to.try_send(job) {
            Err(TrySendError::Full(job)) => Some(job),
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
        }
    }
}

fn write_all(mut ring: Ring, jobs: &Receiver<Job>, failed: &AtomicBool) {
    for job in jobs {
        let result = match job {
            Job::Begin(bytes) => ring.begin().and_then(|()| ring.append(&bytes)),
            Job::Append(_) if failed.load(Ordering::Relaxed) => Ok(()),
            Job::Append(bytes) => ring.append(&bytes),
            Job::Flush(done) => {
                let _ = done.send(());
                Ok(())
            }
        };
        if let Err(e) = result {
            tracing::warn!("recording stops until there is room: {e}");
            failed.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
