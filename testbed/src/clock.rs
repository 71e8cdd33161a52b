//! The one place where the testbed reads the clock and waits: its peers live in real time.
#![allow(clippy::disallowed_methods, reason = "foreign peers live in real time")]
use std::time::{Duration, Instant};

/// Waits until `ready` gives a value, asking every 50 ms; `None` when `patience` ends first.
pub fn wait_for<T>(patience: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        pause(Duration::from_millis(50));
    }
}

pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Wall time that `work` took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}
