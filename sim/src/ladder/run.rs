//! Runs a ladder in a World: performs what comes from peers, awaits what comes from the system
//! under test, then heals, lets everything come to rest and judges.
//!
//!   build ─▶ register (clean) ─▶ break links ─▶ steps ─▶ heal ─▶ rest ─▶ expectations ─▶ Outcome
use super::ast::{Arrow as Line, Role, Step, StepKind, What};
use super::diff;
use super::observe::View;
use super::setting::{Cast, Setting};
use crate::host::HostId;
use crate::kernel::Frame;
use crate::link::{Injected, Ledger};
use crate::peers::{Do, Phone};
use crate::plant::Plant;
use crate::server_host::ServerHost;
use crate::world::{Step as Did, World};
use bitspath_core::{Duration, Instant};
use std::collections::BTreeMap;

/// The bound of an awaited arrow: 64*T1 and what a slow link adds, RFC 3261 §17.1.1.2.
const BOUND: Duration = Duration::from_secs(40);
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub seed: u64,
    /// Keep frames and print ladders: for the re-run of a failure.
    pub capture: bool,
    pub thaw_ppm: u32,
    /// Apply these faults and draw none.
    pub replay: Option<Vec<Injected>>,
    pub plant: Option<Plant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub what: String,
    /// Line of the ladder, when one is to blame.
    pub line: Option<usize>,
    pub at: Duration,
}

#[derive(Debug, Default)]
pub struct Outcome {
    pub hash: u64,
    pub checkpoints: Vec<u64>,
    pub events: u64,
    pub failure: Option<Failure>,
    pub injected: Vec<Injected>,
    /// Both ladders side by side; only with `capture`.
    pub picture: String,
    /// The observed ladder; only with `capture`.
    pub observed: Vec<String>,
    pub frames: Vec<Frame>,
    /// Names of the hosts of a link, for printing faults.
    pub hosts: Vec<String>,
}

/// A panic of the product is a failure of the run, not the end of the simulator's.
pub fn run(setting: &Setting, options: &Options) -> Outcome {
    let (world, cast) = setting.build(options.seed);
    let mut r = Runner {
        setting,
        world,
        cast,
        cursor: 0,
        first: 0,
        matched: BTreeMap::new(),
        last_of: BTreeMap::new(),
        near: None,
        line: None,
    };
    r.prepare(options);
    let failure = r.all().err();
    r.outcome(options, failure)
}

pub(super) struct Runner<'a> {
    pub setting: &'a Setting,
    pub world: World,
    pub cast: Cast,
    /// Arrows before this one are behind us.
    cursor: usize,
    /// Where the ladder proper begins.
    first: usize,
    /// Places in the trail to lines of the ladder.
    matched: BTreeMap<usize, usize>,
    last_of: BTreeMap<String, usize>,
    /// The arrow that came nearest to the awaited one, and what was wrong with it.
    near: Option<String>,
    pub line: Option<usize>,
}

pub(super) type Result<T> = std::result::Result<T, Failure>;

impl Runner<'_> {
    fn prepare(&mut self, options: &Options) {
        self.world.thaw_ppm = options.thaw_ppm;
        if options.capture {
            self.world.kernel.capture = Some(Vec::new());
        }
        if let Some(plant) = options.plant {
            self.world.act(self.cast.server, |s: &mut ServerHost, _| s.plant = Some(plant));
        }
        if let Some(list) = &options.replay {
            self.world.kernel.ledger = Ledger::replaying(list);
        }
    }

    fn outcome(self, options: &Options, failure: Option<Failure>) -> Outcome {
        let kernel = self.world.kernel;
        let ladder = &self.setting.ladder;
        let mut out =
            Outcome { hash: kernel.hash.0, events: kernel.events, failure, ..Outcome::default() };
        if options.capture {
            let arrows = &kernel.trail.arrows;
            let stopped = out.failure.as_ref().and_then(|f| f.line);
            out.picture = diff::side_by_side(
                ladder,
                &kernel.network,
                arrows,
                &self.matched,
                stopped,
                crate::kernel::START,
            );
            let seen = arrows.get(self.first..).unwrap_or_default();
            out.observed = super::observe::ladder_text(ladder, &kernel.network, seen);
        }
        out.hosts = (0..kernel.network.len())
            .map(|n| kernel.network.name(HostId(n as u16)).to_owned())
            .collect();
        out.frames = kernel.capture.unwrap_or_default();
        out.checkpoints = kernel.checkpoints;
        out.injected = kernel.ledger.injected;
        out
    }

    fn all(&mut self) -> Result<()> {
        self.registrations()?;
        self.first = self.world.kernel.trail.arrows.len();
        self.cursor = self.first;
        if self.world.kernel.ledger.replay.is_none() {
            let seed = self.world.kernel.seed;
            self.setting.break_links(&mut self.world, &self.cast, seed);
        } else {
            self.setting.judge_as_drawn(&mut self.world);
        }
        let steps = &self.setting.ladder.steps;
        for step in steps {
            self.step(step)?;
        }
        self.line = None;
        self.finish()
    }

    pub(super) fn fail<T>(&self, what: impl Into<String>) -> Result<T> {
        let at = self.world.kernel.now.since(crate::kernel::START);
        Err(Failure { what: what.into(), line: self.line, at })
    }

    /// One event of the World, then the oracles.
    pub(super) fn advance(&mut self, until: Instant) -> Result<bool> {
        let did = self.world.step(until);
        if let Some(broken) = self.world.kernel.oracles.broken.first() {
            let what = format!("oracle `{}`: {}", broken.oracle, broken.what);
            return self.fail(what);
        }
        if let Some((_, host, why)) = self.world.kernel.trail.garbled.first()
            && *host == self.cast.server
            && !self.world.kernel.oracles.mangled
        {
            return self.fail(format!("oracle `the message is well-formed`: {why}"));
        }
        match did {
            Did::Done => Ok(true),
            Did::Late | Did::Empty => Ok(false),
            Did::Livelock => self.fail("the world goes in circles: the event budget is spent"),
        }
    }

    pub(super) fn pass(&mut self, time: Duration) -> Result<()> {
        let until = self.world.kernel.now + time;
        while self.advance(until)? {}
        self.world.kernel.now = until;
        Ok(())
    }

    fn registrations(&mut self) -> Result<()> {
        let names = &self.setting.ladder.registered;
        let ids: Vec<HostId> =
            names.iter().filter_map(|n| self.cast.phones.get(n).copied()).collect();
        for id in &ids {
            let expires = None;
            let wish = Do::Register { expires, headers: Vec::new() };
            self.world.act(*id, |p: &mut Phone, cx| p.perform(cx, &wish));
        }
        let until = self.world.kernel.now + BOUND;
        loop {
            let missing = ids.iter().find(|id| {
                self.world.host::<Phone>(**id).is_none_or(|p| p.registered_until.is_none())
            });
            let Some(missing) = missing else { return Ok(()) };
            let name = self.world.kernel.network.name(*missing).to_owned();
            if !self.advance(until)? {
                return self.fail(format!("{name} could not register"));
            }
        }
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        self.line = Some(step.line);
        self.near = None;
        match &step.kind {
            StepKind::Arrow(line) => self.arrow(line, step.line),
            StepKind::Wait(time) => self.pass(*time),
            StepKind::Voice { from, codec, length } => {
                let Some(id) = self.cast.phones.get(from).copied() else { return Ok(()) };
                let (codec, length) = (*codec, *length);
                let what = format!("{from} has no call to speak on");
                self.until(&what, |r| {
                    r.world.act(id, |p: &mut Phone, cx| p.speak(cx, codec, length)) == Some(true)
                })
            }
            StepKind::AnyOrder(inner) => self.any_order(inner),
            StepKind::Verb(verb) => {
                self.verb(verb);
                Ok(())
            }
        }
    }

    /// Runs the World until `done`, at most for the bound.
    pub(super) fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<()> {
        let until = self.world.kernel.now + BOUND;
        while !done(self) {
            if !self.advance(until)? {
                return self.fail(what);
            }
        }
        Ok(())
    }

    fn arrow(&mut self, line: &Line, number: usize) -> Result<()> {
        if line.role == Role::Perform {
            self.perform(line)?;
        }
        if matches!(line.what, What::Raw(_)) {
            return Ok(());
        }
        let until = self.world.kernel.now + line.within.unwrap_or(BOUND);
        let mut from = self.cursor;
        loop {
            let len = self.world.kernel.trail.arrows.len();
            for at in from..len {
                if self.is_meant(line, at) {
                    self.found(at, number, line);
                    self.cursor = at + 1;
                    return Ok(());
                }
            }
            from = len;
            if !self.advance(until)? {
                return self.never_seen(line);
            }
        }
    }

    fn never_seen(&self, line: &Line) -> Result<()> {
        let bound = line.within.unwrap_or(BOUND);
        let mut what = format!("this was not seen within {}s", bound.as_secs_f64());
        let earlier = (self.first..self.cursor)
            .find(|at| !self.matched.contains_key(at) && self.peek(line, *at) == Ok(()));
        if let Some(near) = &self.near {
            what += &format!("; the nearest differs: {near}");
        } else if earlier.is_some() {
            what += "; it came earlier, before the line above";
        }
        self.fail(what)
    }

    fn peek(&self, line: &Line, at: usize) -> std::result::Result<(), Option<String>> {
        let (Some(from), Some(to)) = (self.cast.id(&line.from), self.cast.id(&line.to)) else {
            return Err(None);
        };
        let arrows = &self.world.kernel.trail.arrows;
        let Some(arrow) = arrows.get(at) else { return Err(None) };
        let before = self.last_of.get(arrow.seen.method()).and_then(|at| arrows.get(*at));
        let ladder = &self.setting.ladder;
        let view = View { ladder, from, to, before: before.map(|a| &a.seen) };
        if line.role == Role::Perform {
            // What a peer was told to send needs no check of its headers.
            let bare = Line { rules: Vec::new(), media: Default::default(), ..line.clone() };
            return view.judge(&bare, arrow);
        }
        view.judge(line, arrow)
    }

    fn is_meant(&mut self, line: &Line, at: usize) -> bool {
        match self.peek(line, at) {
            Ok(()) => true,
            Err(near) => {
                self.near = near.or(self.near.take());
                false
            }
        }
    }

    fn found(&mut self, at: usize, number: usize, _line: &Line) {
        self.matched.insert(at, number);
        let Some(arrow) = self.world.kernel.trail.arrows.get(at) else { return };
        if arrow.seen.is_request() {
            self.last_of.insert(arrow.seen.method().to_owned(), at);
        }
    }

    fn any_order(&mut self, inner: &[Step]) -> Result<()> {
        let base = self.cursor;
        let until = self.world.kernel.now + BOUND;
        let mut left: Vec<&Step> = inner.iter().collect();
        let mut undone: Vec<&Step> = Vec::new();
        for step in inner {
            match &step.kind {
                StepKind::Arrow(line) if line.role == Role::Perform => undone.push(step),
                StepKind::Arrow(_) => {}
                _ => {
                    self.step(step)?;
                    left.retain(|s| s.line != step.line);
                }
            }
        }
        let mut last = base;
        loop {
            undone.retain(|s| match &s.kind {
                StepKind::Arrow(line) => !self.try_perform(line),
                _ => false,
            });
            let len = self.world.kernel.trail.arrows.len();
            let mut at = base;
            while at < len {
                let hit = left.iter().position(|s| match &s.kind {
                    StepKind::Arrow(line) => {
                        !self.matched.contains_key(&at) && self.is_meant(line, at)
                    }
                    _ => false,
                });
                if let Some(hit) = hit {
                    let step = left.remove(hit);
                    if let StepKind::Arrow(line) = &step.kind {
                        self.found(at, step.line, line);
                    }
                    last = last.max(at + 1);
                }
                at += 1;
            }
            if left.is_empty() {
                self.cursor = last;
                return Ok(());
            }
            if !self.advance(until)? {
                self.line = left.first().map(|s| s.line);
                return self.fail("this was not seen, in whatever order");
            }
        }
    }

    fn perform(&mut self, line: &Line) -> Result<()> {
        let what = format!("{} cannot do this: nothing to answer, or no call", line.from);
        let cursor = self.cursor;
        let is_response = matches!(line.what, What::Response { .. });
        self.until(&what, |r| {
            // Done already, unasked.
            let done = is_response
                && (cursor..r.world.kernel.trail.arrows.len()).any(|at| r.peek(line, at) == Ok(()));
            done || r.try_perform(line)
        })
    }

    fn try_perform(&mut self, line: &Line) -> bool {
        let Some(id) = self.cast.phones.get(&line.from).copied() else { return true };
        let wish = self.wish(line);
        self.world.act(id, |p: &mut Phone, cx| p.perform(cx, &wish)).unwrap_or(true)
    }

    pub(super) fn first_arrow(&self) -> usize {
        self.first
    }
}
