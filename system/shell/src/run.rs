//! The loop: one Node, one thread, the same code in production and inside turmoil.
//!
//! ```text
//!   clock ─▶ due timers ─▶ a batch of inputs ─▶ hand the recording over ─▶ wait
//!              each: record, mutate, drain every output, record its hash
//! ```
//! Owns: the Node, its sockets, what is done with each output.  Does not know: SIP, disk, threads.
use crate::env::{Env, Udp};
use crate::inbox::{self, Inbox, Mailbox};
use crate::recorder::Recorder;
use crate::storage::{Rows, Store};
use crate::streams::Streams;
use bitspath_core::net::Transport;
use bitspath_core::{Duration, Fault, Instant, ListenerId, NetOut, Node as _, Now};
use bitspath_media::{Cmd as MediaCmd, Evt as MediaEvt, ShardId, Stats};
use bitspath_server::config::Listener;
use bitspath_server::query::{Metric, Row};
use bitspath_server::{Cmd, DoorCounts, Event, Input, Node, Output, Page, Query, Reply, Start};
use bitspath_store::CdrQuery;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Inputs handled under one clock reading.
const BATCH_MAX: usize = 256;
/// Timers fired before inputs have a turn.
const TIMERS_MAX: usize = 1_024;
/// The Node hears of the door this often, when there is something to hear.
const DOOR_REPORT: Duration = Duration::from_secs(1);
/// Datagrams that the kernel would not take at once. Brim: dropped; UDP may.
const BACKLOG_MAX: usize = 4_096;
/// Events kept for a slow follower. Brim: it misses the oldest and is told so.
pub const EVENTS_MAX: usize = 4_096;
const ASKS_MAX: usize = 64;

/// Where commands to media go; events come back through the mailbox.
pub trait Media {
    fn handle(&mut self, shard: ShardId, cmd: MediaCmd);
    /// What the workers show of themselves.
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }
    /// Ends the workers.
    fn finish(&mut self) {}
}

/// No media plane: every stream fails to open, and closes at once.
#[derive(Clone, Debug)]
pub struct NoMedia(pub Mailbox);

impl Media for NoMedia {
    fn handle(&mut self, shard: ShardId, cmd: MediaCmd) {
        let event = match cmd {
            MediaCmd::Open { stream, port, .. } => {
                let what = "this host has no media".to_owned();
                MediaEvt::Failed { stream: Some(stream), port, what }
            }
            MediaCmd::Close { stream } => MediaEvt::Closed { stream, stats: Stats::default() },
            MediaCmd::Modify { .. } | MediaCmd::Link { .. } => return,
        };
        self.0.post(Input::Media(shard, event));
    }
}

/// A question between inputs; it cannot change the Node. `Admin` is an input with an answer.
pub enum Ask {
    Query(Query, usize, oneshot::Sender<Page>),
    Cdrs(CdrQuery, oneshot::Sender<Rows>),
    /// Answered when everything recorded so far is in its file.
    Flush(oneshot::Sender<()>),
    Admin(Cmd, oneshot::Sender<Reply>),
}

/// An event and its number.
pub type Numbered = Rc<(u64, Event)>;

/// What the loop's surroundings hold of it.
#[derive(Clone)]
pub struct Handle {
    pub mailbox: Mailbox,
    pub asks: mpsc::Sender<Ask>,
    pub events: broadcast::Sender<Numbered>,
}

/// The loop's own ends of [`Handle`].
pub struct Ends {
    inputs: mpsc::Receiver<Input>,
    asks: mpsc::Receiver<Ask>,
    events: broadcast::Sender<Numbered>,
}

impl Handle {
    pub fn new() -> (Handle, Ends) {
        let (mailbox, inputs) = Mailbox::new();
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let handle = Handle { mailbox, asks, events: events.clone() };
        (handle, Ends { inputs, asks: asked, events })
    }

    /// A page, or `None` when the loop has ended.
    pub async fn query(&self, query: Query, budget: usize) -> Option<Page> {
        let (reply, page) = oneshot::channel();
        self.asks.send(Ask::Query(query, budget, reply)).await.ok()?;
        page.await.ok()
    }
}

/// What is done with the Node that has just started.
pub type Ready = Box<dyn FnOnce(&Node, Now)>;

/// Everything that a loop needs to begin.
pub struct Setup {
    pub start: Start,
    /// In the order of their `ListenerId`.
    pub listeners: Vec<Listener>,
    pub recorder: Option<Recorder>,
    pub store: Box<dyn Store>,
    pub media: Box<dyn Media>,
    pub ends: Ends,
    /// Called once, when every listener is open and the Node has started.
    pub ready: Ready,
}

/// Opens the listeners and runs the Node until it says `Stopped`.
pub async fn run<E: Env>(env: E, setup: Setup) -> Result<(), Fault> {
    let Setup { start, listeners, recorder, store, media, ends, ready } = setup;
    let inbox = Rc::new(Inbox::default());
    let streams = Streams::new(env.clone(), inbox.clone());
    let mut sockets = BTreeMap::new();
    for (n, listener) in listeners.iter().enumerate() {
        let id = ListenerId(n as u16);
        let told = |e: io::Error| {
            Fault::new(format!("cannot listen on {} {}: {e}", listener.transport, listener.bind))
        };
        match listener.transport {
            Transport::Udp => {
                let socket = Rc::new(env.udp(listener.bind).await.map_err(told)?);
                sockets.insert(id, socket);
            }
            Transport::Tcp => streams.serve(env.listen(listener.bind).await.map_err(told)?, id),
            other => return Err(Fault::new(format!("this build has no {other} listener"))),
        }
    }
    for (id, socket) in &sockets {
        env.spawn(inbox::read_socket(socket.clone(), *id, inbox.clone()));
    }
    let mut host = Host {
        node: Node::new(),
        env,
        inbox,
        streams,
        sockets,
        backlog: VecDeque::new(),
        recorder,
        store,
        media,
        ends,
        admin: BTreeMap::new(),
        asked: 0,
        door_at: Instant(0),
        refused: None,
        stopped: false,
    };
    host.start(start)?;
    ready(&host.node, host.env.now());
    host.serve().await;
    host.finish();
    Ok(())
}

struct Host<E: Env> {
    env: E,
    node: Node,
    inbox: Rc<Inbox>,
    streams: Streams<E>,
    sockets: BTreeMap<ListenerId, Rc<E::Udp>>,
    backlog: VecDeque<NetOut>,
    recorder: Option<Recorder>,
    store: Box<dyn Store>,
    media: Box<dyn Media>,
    ends: Ends,
    /// Operators waiting for the answer to their command.
    admin: BTreeMap<u64, oneshot::Sender<Reply>>,
    asked: u64,
    door_at: Instant,
    refused: Option<Vec<String>>,
    stopped: bool,
}

impl<E: Env> Host<E> {
    fn start(&mut self, start: Start) -> Result<(), Fault> {
        let now = self.env.now();
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(now, &self.node.freeze());
        }
        self.step(now, Input::Start(Box::new(start)));
        self.end_batch(now);
        match self.refused.take() {
            Some(errors) => Err(Fault::new(errors.join("\n"))),
            None => Ok(()),
        }
    }

    async fn serve(&mut self) {
        while !self.stopped {
            let now = self.env.now();
            let worked = self.timers(now) + self.inputs(now) + self.asks();
            self.report_door(now);
            self.end_batch(now);
            if worked > 0 {
                // Sockets and other tasks have their turn.
                tokio::task::yield_now().await;
            } else {
                self.wait(now).await;
            }
        }
    }

    fn timers(&mut self, now: Now) -> usize {
        let mut fired = 0;
        while fired < TIMERS_MAX && self.node.poll_timeout().is_some_and(|(t, _)| t <= now.mono) {
            if let Some(recorder) = &mut self.recorder {
                recorder.timeout(now);
            }
            self.node.handle_timeout(now);
            self.drain();
            fired += 1;
        }
        fired
    }

    fn inputs(&mut self, now: Now) -> usize {
        let mut handled = 0;
        while handled < BATCH_MAX {
            let input = match self.ends.inputs.try_recv() {
                Ok(input) => input,
                Err(_) => match self.inbox.pop() {
                    Some(input) => Input::Net(input),
                    None => break,
                },
            };
            self.step(now, input);
            handled += 1;
            // Hosts fire due timers before an input of the same time.
            if self.node.poll_timeout().is_some_and(|(t, _)| t <= now.mono) {
                self.timers(now);
            }
        }
        handled
    }

    fn step(&mut self, now: Now, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
        }
        self.node.handle(now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            if let Some(recorder) = &mut self.recorder {
                recorder.output(&output);
            }
            self.output(output);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.settle();
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Net(datagram @ NetOut::Datagram { .. }) => self.send(datagram),
            Output::Net(stream) => self.streams.handle(stream),
            Output::Media(shard, cmd) => self.media.handle(shard, cmd),
            Output::Store(request) => self.store.submit(request),
            Output::Event(number, event) => self.event(number, event),
            Output::AdminReply(number, reply) => {
                if let Some(asker) = self.admin.remove(&number) {
                    let _ = asker.send(reply);
                }
            }
            Output::Stopped => self.stopped = true,
        }
    }

    fn event(&mut self, number: u64, event: Event) {
        crate::log::event(number, &event);
        if let Event::StartRefused { errors } = &event {
            self.refused = Some(errors.clone());
        }
        // Nobody may be following.
        let _ = self.ends.events.send(Rc::new((number, event)));
    }

    fn send(&mut self, output: NetOut) {
        let NetOut::Datagram { listener, local, peer, bytes } = &output else { return };
        let Some(socket) = self.sockets.get(listener) else { return };
        if !self.backlog.is_empty() {
            self.keep(output);
            return;
        }
        match socket.try_send(*local, *peer, bytes) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.keep(output),
            Err(e) => tracing::debug!("cannot send to {peer}: {e}"),
        }
    }

    fn keep(&mut self, output: NetOut) {
        if self.backlog.len() < BACKLOG_MAX {
            self.backlog.push_back(output);
        }
    }

    /// Sends again what the kernel would not take.
    fn resend(&mut self) {
        for output in std::mem::take(&mut self.backlog) {
            self.send(output);
        }
    }

    fn asks(&mut self) -> usize {
        let mut answered = 0;
        while answered < ASKS_MAX {
            let Ok(ask) = self.ends.asks.try_recv() else { break };
            self.answer(ask);
            answered += 1;
        }
        answered
    }

    fn answer(&mut self, ask: Ask) {
        let now = self.env.now();
        match ask {
            Ask::Query(query, budget, reply) => {
                if query == Query::Metrics {
                    self.door_at = now.mono;
                    self.report_door(now);
                }
                let mut page = self.node.query(now, &query, budget);
                if query == Query::Metrics {
                    page.rows.extend(self.metrics().into_iter().map(Row::Metric));
                }
                let _ = reply.send(page);
            }
            Ask::Cdrs(query, reply) => self.store.query(query, reply),
            Ask::Flush(done) => {
                self.end_batch(now);
                match &mut self.recorder {
                    Some(recorder) => recorder.flush(done),
                    None => drop(done),
                }
            }
            Ask::Admin(cmd, reply) => {
                self.asked += 1;
                self.admin.insert(self.asked, reply);
                self.step(now, Input::Admin(self.asked, cmd));
            }
        }
    }

    /// What the host knows and the Node does not.
    fn metrics(&self) -> Vec<Metric> {
        let one = |name: &str, help: &str, counter, value| Metric {
            name: format!("bitspath_host_{name}"),
            help: help.to_owned(),
            counter,
            labels: Vec::new(),
            value,
        };
        let mut out = self.media.metrics();
        out.push(one("inbox", "Inputs that wait", false, self.inbox.len() as u64));
        out.push(one("connections", "Open streams", false, self.streams.len() as u64));
        if let Some(r) = &self.recorder {
            out.push(one("frames_total", "Frames at the recorder", true, r.frames()));
            out.push(one("frames_lost_total", "Frames not recorded", true, r.lost()));
        }
        out
    }

    fn report_door(&mut self, now: Now) {
        if now.mono < self.door_at {
            return;
        }
        self.door_at = now.mono + DOOR_REPORT;
        let counts = self.inbox.counts();
        if counts != DoorCounts::default() {
            self.step(now, Input::Door(counts));
        }
    }

    fn end_batch(&mut self, now: Now) {
        self.resend();
        let Some(recorder) = &mut self.recorder else { return };
        if !recorder.end_batch(now) {
            return;
        }
        // The new key is in the new checkpoint only: an old segment does not foretell new tokens.
        if let Ok(key) = self.env.entropy() {
            self.node.handle(now, Input::Rekey(key));
            while let Some(output) = self.node.poll_output() {
                self.output(output);
            }
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(now, &self.node.freeze());
        }
    }

    /// Sleeps until there is something to do.
    async fn wait(&mut self, now: Now) {
        let mut until = self.node.poll_timeout().map(|(t, _)| t);
        if !self.backlog.is_empty() {
            until = Some(now.mono + Duration::from_millis(1));
        }
        let deadline = async {
            match until {
                Some(t) => self.env.sleep_until(t).await,
                None => std::future::pending().await,
            }
        };
        let mut input = None;
        let mut ask = None;
        tokio::select! {
            biased;
            Some(got) = self.ends.inputs.recv() => input = Some(got),
            () = self.inbox.filled() => {}
            Some(got) = self.ends.asks.recv() => ask = Some(got),
            () = deadline => {}
        }
        if let Some(input) = input {
            let now = self.env.now();
            self.timers(now);
            self.step(now, input);
        }
        if let Some(ask) = ask {
            self.answer(ask);
        }
    }

    fn finish(&mut self) {
        let now = self.env.now();
        self.end_batch(now);
        self.media.finish();
        self.store.finish();
        if let Some(recorder) = self.recorder.take() {
            recorder.finish();
        }
    }
}
