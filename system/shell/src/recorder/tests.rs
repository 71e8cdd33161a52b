//! The recorder and the replay host together, on a Node small enough to see through.
use super::*;
use crate::replay::{Stop, Verdict, replay};
use bitspath_core::node::Audit;
use bitspath_core::{Node, UnixTime, freeze};
use serde::Deserialize;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Adds up its inputs and says the sum when it is even; a timer doubles it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Sum {
    sum: u64,
    due: Option<Instant>,
    out: VecDeque<u64>,
}

impl Node for Sum {
    type Input = u64;
    type Output = u64;

    fn handle(&mut self, now: Now, input: u64) {
        self.sum = self.sum.wrapping_add(input);
        self.due = Some(now.mono + Duration::from_nanos(10));
        if self.sum.is_multiple_of(2) {
            self.out.push_back(self.sum);
        }
    }
    fn handle_timeout(&mut self, _now: Now) {
        self.due = None;
        self.sum = self.sum.wrapping_mul(2);
        self.out.push_back(self.sum);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.due.map(|t| (t, "double"))
    }
    fn poll_output(&mut self) -> Option<u64> {
        self.out.pop_front()
    }
    fn freeze(&self) -> Frozen {
        freeze::freeze(self)
    }
    fn thaw(frozen: &Frozen) -> Result<Self, Fault> {
        freeze::thaw(&frozen.0)
    }
    fn audit(&self) -> Audit {
        Audit::default()
    }
}

fn at(t: u64) -> Now {
    Now { mono: Instant(t), wall: UnixTime(t) }
}

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("bitspath-rec-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

/// Records a run of `inputs`; every third is followed by a timeout.
fn record(dir: &Path, bounds: Bounds, inputs: u64) {
    let mut recorder = Recorder::open(dir, bounds, 7, 0).expect("opens");
    let mut node = Sum::default();
    recorder.begin(at(0), &node.freeze());
    for n in 0..inputs {
        let now = at(n * 100);
        recorder.input(now, &(n * n));
        node.handle(now, n * n);
        drain(&mut node, &mut recorder);
        if n % 3 == 0 {
            recorder.timeout(now);
            node.handle_timeout(now);
            drain(&mut node, &mut recorder);
        }
        if recorder.end_batch(now) {
            recorder.begin(now, &node.freeze());
        }
    }
    recorder.finish();
}

fn drain(node: &mut Sum, recorder: &mut Recorder) {
    while let Some(output) = node.poll_output() {
        recorder.output(&output);
    }
    recorder.settle();
}

fn read(dir: &Path) -> Vec<u8> {
    let files = Ring::files(dir).expect("lists");
    files.iter().flat_map(|f| std::fs::read(f).expect("reads")).collect()
}

#[test]
fn a_recorded_run_replays_with_every_hash_equal() {
    let dir = scratch("whole");
    record(&dir, Bounds::default(), 300);
    let verdict = replay::<Sum>(&read(&dir)[..], 7, false).expect("replays");
    assert_eq!((verdict.segments, verdict.frames, verdict.lost), (1, 400, 0));
    assert!(verdict.hashes > 200 && verdict.cut_off.is_none());
    std::fs::remove_dir_all(&dir).expect("cleans up");
}

#[test]
fn a_ring_that_has_wrapped_replays_from_its_oldest_checkpoint() {
    let dir = scratch("wrapped");
    let bounds = Bounds { segment_bytes: 1000, files_max: 3, bytes_max: 1 << 20 };
    record(&dir, bounds, 300);
    let verdict = replay::<Sum>(&read(&dir)[..], 7, false).expect("replays");
    assert_eq!(verdict.segments, 3);
    assert!(verdict.frames < 150, "{verdict}");
    std::fs::remove_dir_all(&dir).expect("cleans up");
}

#[test]
fn another_build_is_refused_unless_asked_for() {
    let dir = scratch("build");
    record(&dir, Bounds::default(), 10);
    let bytes = read(&dir);
    let stop = replay::<Sum>(&bytes[..], 8, false).expect_err("refuses");
    assert_eq!(stop, Stop::OtherBuild { recorded: 7, ours: 8 });
    assert!(replay::<Sum>(&bytes[..], 8, true).is_ok());
    std::fs::remove_dir_all(&dir).expect("cleans up");
}

#[test]
fn the_first_frame_that_differs_is_named_with_input_and_both_hashes() {
    let mut encoder = Encoder::default();
    let opened = at(0);
    let header =
        Header { version: VERSION, build_id: 7, node: 0, segment: 4, opened, redacted: false };
    encoder.begin(&header, &Sum::default().freeze());
    encoder.input(at(5), &3u64);
    encoder.input(at(6), &1u64);
    let mut trace = TraceHasher::default();
    trace.fold(&5u64);
    encoder.out_hash(trace.0);
    let stop = replay::<Sum>(&encoder.take()[..], 7, false).expect_err("differs");
    let text = stop.to_string();
    assert!(text.contains("segment 4, frame 2 (segment 0, record 3"), "{text}");
    assert!(text.contains("input     1\n") && text.contains("output    4"), "{text}");
    // A frame that said something in one run and nothing in the other differs, too.
    encoder.begin(&header, &Sum::default().freeze());
    encoder.input(at(5), &2u64);
    encoder.input(at(6), &1u64);
    let stop = replay::<Sum>(&encoder.take()[..], 7, false).expect_err("differs");
    assert!(stop.to_string().contains("recorded  nothing said"), "{stop}");
}

#[test]
fn a_cut_tail_is_compared_up_to_the_cut_and_told() {
    let dir = scratch("cut");
    record(&dir, Bounds::default(), 30);
    let bytes = read(&dir);
    for cut in bytes.len() - 80..bytes.len() {
        let verdict = replay::<Sum>(&bytes[..cut], 7, false).expect("tolerates");
        let told = verdict.cut_off.map(|d| d.to_string()).unwrap_or_default();
        assert!(told.is_empty() || told.contains("ends inside this record"), "{told}");
    }
    std::fs::remove_dir_all(&dir).expect("cleans up");
}

#[test]
fn a_slow_disk_gives_a_gap_and_a_new_checkpoint_and_both_sides_replay() {
    let (to, jobs) = sync_channel(1);
    let opened = at(0);
    let header =
        Header { version: VERSION, build_id: 7, node: 0, segment: 0, opened, redacted: false };
    let mut recorder = Recorder {
        encoder: Encoder::default(),
        trace: TraceHasher::default(),
        said: false,
        header,
        state: State::On,
        segment_bytes: 0,
        segment_bytes_max: 1 << 30,
        segment_bytes_due: 1 << 30,
        stalled: VecDeque::new(),
        to,
        writer: std::thread::Builder::new().spawn(|| {}).expect("a thread"),
        failed: Arc::default(),
        frames: 0,
        lost: 0,
    };
    let mut file = Vec::new();
    let write = |job: Job, file: &mut Vec<u8>| match job {
        Job::Begin(bytes) | Job::Append(bytes) => file.extend(bytes),
        Job::Flush(_) => {}
    };
    let mut node = Sum::default();
    recorder.begin(at(0), &node.freeze());
    let mut begun = 1;
    let mut now = at(0);
    for n in 0..400_000u64 {
        now = at(n * 10_000);
        recorder.input(now, &n);
        node.handle(now, n);
        drain(&mut node, &mut recorder);
        if recorder.end_batch(now) {
            recorder.begin(now, &node.freeze());
            begun += 1;
        }
        // The disk sleeps for most of the run.
        if !(1000..300_000).contains(&n) {
            jobs.try_iter().for_each(|job| write(job, &mut file));
        }
    }
    while !recorder.stalled.is_empty() || !recorder.encoder.is_empty() {
        let _ = recorder.end_batch(now);
        jobs.try_iter().for_each(|job| write(job, &mut file));
    }
    jobs.try_iter().for_each(|job| write(job, &mut file));
    assert_eq!(begun, 2, "one gap, one new segment");
    let verdict: Verdict = replay::<Sum>(&file[..], 7, false).expect("both sides replay");
    assert_eq!(verdict.segments, 2);
    assert_eq!(verdict.lost, recorder.lost());
    assert_eq!(verdict.frames + verdict.lost, 400_000);
}
