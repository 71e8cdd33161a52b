//! The replay host: a recording, a fresh Node, no network. Every segment is thawed from its own
//! checkpoint and must say, frame by frame, what the recorded Node said.
use bitspath_core::hash::TraceHasher;
use bitspath_core::{Fault, Node, Now, freeze};
use bitspath_trace::recording::{Damage, Frame, Header, Place, Reader, Record};
use std::fmt;
use std::io::Read;

/// A replay that went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub segments: u64,
    pub frames: u64,
    pub hashes: u64,
    /// Frames that the recorder lost.
    pub lost: u64,
    pub marks: Vec<String>,
    /// The last record is not whole; everything before it was compared.
    pub cut_off: Option<Damage>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { segments, frames, hashes, .. } = self;
        write!(f, "{segments} segments, {frames} frames, {hashes} hashes, all equal")?;
        if self.lost > 0 {
            write!(f, "\n{} frames were never recorded (the disk was too slow)", self.lost)?;
        }
        if let Some(damage) = &self.cut_off {
            write!(f, "\n{damage}")?;
        }
        Ok(())
    }
}

/// Why a replay stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    Damage(Damage),
    /// Recorded by another build: its hashes need not be ours.
    OtherBuild {
        recorded: u64,
        ours: u64,
    },
    Redacted(Place),
    /// The checkpoint or an input is not what this build reads.
    Foreign(Place, Fault),
    Differs(Box<Difference>),
}

/// The first frame after which the two Nodes said different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Place of the frame, not of the hash behind it.
    pub place: Place,
    pub segment: u64,
    /// Number of the frame within its segment, from 1.
    pub frame: u64,
    pub now: Now,
    pub input: String,
    /// `None`: nothing was said.
    pub recorded: Option<u64>,
    pub replayed: Option<u64>,
    pub outputs: Vec<String>,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Damage(damage) => write!(f, "{damage}"),
            Stop::OtherBuild { recorded, ours } => write!(
                f,
                "recorded by build {recorded:016x}, this is build {ours:016x} \
                 (--any-build replays it all the same)"
            ),
            Stop::Redacted(place) => write!(f, "{place}: a redacted recording cannot be replayed"),
            Stop::Foreign(place, fault) => write!(f, "{place}: {fault}"),
            Stop::Differs(d) => write!(f, "{d}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = |h: Option<u64>| h.map_or("nothing said".to_owned(), |h| format!("{h:016x}"));
        let Difference { place, segment, frame, now, .. } = self;
        writeln!(f, "the replay differs in segment {segment}, frame {frame} ({place})")?;
        writeln!(f, "  time      {} {}", now.mono, now.wall)?;
        writeln!(f, "  input     {}", self.input)?;
        writeln!(f, "  recorded  {}", hash(self.recorded))?;
        write!(f, "  replayed  {}", hash(self.replayed))?;
        for output in &self.outputs {
            write!(f, "\n  output    {output}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Stop {}

/// Longest text of one input or output in a report.
const TEXT_MAX: usize = 2_000;

struct Host<N> {
    node: N,
    trace: TraceHasher,
    header: Header,
    frames: u64,
    /// The last frame that was fed, until its hash is compared.
    last: Option<Fed>,
}

struct Fed {
    place: Place,
    now: Now,
    input: String,
    outputs: Vec<String>,
}

/// Feeds a recording to Nodes of this build and compares every hash.
pub fn replay<N>(from: impl Read, build_id: u64, any_build: bool) -> Result<Verdict, Stop>
where
    N: Node,
    N::Input: fmt::Debug,
    N::Output: fmt::Debug,
{
    let mut verdict = Verdict::default();
    let mut header: Option<Header> = None;
    let mut host: Option<Host<N>> = None;
    for item in Reader::new(from) {
        let (place, record) = match item {
            Ok(item) => item,
            Err(damage) if damage.is_cut_off() && verdict.segments > 0 => {
                verdict.cut_off = Some(damage);
                return Ok(verdict);
            }
            Err(damage) => return Err(Stop::Damage(damage)),
        };
        match record {
            Record::Header(h) => {
                // A segment that ended behind a frame ended without a word of that frame.
                host.take().map_or(Ok(()), |mut h| h.compare(None))?;
                if h.redacted {
                    return Err(Stop::Redacted(place));
                }
                if h.build_id != build_id && !any_build {
                    return Err(Stop::OtherBuild { recorded: h.build_id, ours: build_id });
                }
                verdict.segments += 1;
                header = Some(h);
            }
            Record::Checkpoint(frozen) => {
                let node = N::thaw(&frozen).map_err(|e| Stop::Foreign(place, e))?;
                let trace = TraceHasher::default();
                let header = header.clone().unwrap_or_else(|| unreachable!("the reader's order"));
                host = Some(Host { node, trace, header, frames: 0, last: None });
            }
            Record::Frame(frame) => {
                let Some(host) = &mut host else { continue };
                host.frame(place, frame, &mut verdict)?;
            }
        }
    }
    Ok(verdict)
}

impl<N> Host<N>
where
    N: Node,
    N::Input: fmt::Debug,
    N::Output: fmt::Debug,
{
    fn frame(&mut self, place: Place, frame: Frame, verdict: &mut Verdict) -> Result<(), Stop> {
        match frame {
            Frame::Input { now, bytes } => {
                self.compare(None)?;
                let input: N::Input = freeze::thaw(&bytes).map_err(|e| Stop::Foreign(place, e))?;
                let text = cut(format!("{input:?}"));
                self.node.handle(now, input);
                self.drain(place, now, text, verdict);
            }
            Frame::Timeout { now } => {
                self.compare(None)?;
                let due = self.node.poll_timeout();
                let reason = due.map_or("nothing was due", |(_, reason)| reason);
                self.node.handle_timeout(now);
                self.drain(place, now, format!("timeout: {reason}"), verdict);
            }
            Frame::OutHash(hash) => {
                verdict.hashes += 1;
                self.compare(Some(hash))?;
            }
            Frame::Gap { lost } => {
                self.compare(None)?;
                verdict.lost += lost;
            }
            Frame::Mark(text) => verdict.marks.push(text),
        }
        Ok(())
    }

    fn drain(&mut self, place: Place, now: Now, input: String, verdict: &mut Verdict) {
        self.frames += 1;
        verdict.frames += 1;
        let mut outputs = Vec::new();
        while let Some(output) = self.node.poll_output() {
            self.trace.fold(&output);
            outputs.push(cut(format!("{output:?}")));
        }
        self.last = Some(Fed { place, now, input, outputs });
    }

    /// Compares what the last frame said with what was recorded of it.
    fn compare(&mut self, recorded: Option<u64>) -> Result<(), Stop> {
        let Some(fed) = self.last.take() else {
            return Ok(());
        };
        let replayed = Some(self.trace.0).filter(|_| !fed.outputs.is_empty());
        if recorded == replayed {
            return Ok(());
        }
        Err(Stop::Differs(Box::new(Difference {
            place: fed.place,
            segment: self.header.segment,
            frame: self.frames,
            now: fed.now,
            input: fed.input,
            recorded,
            replayed,
            outputs: fed.outputs,
        })))
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
