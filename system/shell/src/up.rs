//! A whole server in one process: configuration, data directory, threads, signals, the loop.
//! Owns: the order in which things are opened, so that every fault is one clear line before
//! anything is heard.  Does not know: the command line.
use crate::data::DataDir;
use crate::env::{Env, TokioEnv, local_addresses};
use crate::media::{self, WorkerConfig};
use crate::recorder::Recorder;
use crate::ring::Bounds;
use crate::run::{Handle, Media, Setup, run};
use crate::storage::{Inline, Store, Threaded};
use crate::{BUILD_ID, control, metrics};
use bitspath_core::limits::PORTS_WARM;
use bitspath_core::{Bytes, Entropy, Fault, Now};
use bitspath_media::ShardId;
use bitspath_server::config;
use bitspath_server::query::{Metric, Row};
use bitspath_server::{Config, ConfigError, Input, Node, Overrides, Query, Start};
use bitspath_store::{CdrQuery, Embedded, Engine, Memory};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Files open besides media and connections: store, recording, listeners, operators.
const FILES_BESIDE: u64 = 256;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub config: Option<PathBuf>,
    /// `None`: nothing is kept and nothing is recorded.
    pub data: Option<PathBuf>,
    pub overrides: Overrides,
    pub guest: Option<String>,
    /// Print extensions with their passwords, as `up` does.
    pub passwords: bool,
}

/// Reads and checks a configuration; errors come as `file:line:column: message`, one per line.
pub fn read_config(path: &Path) -> Result<(String, Config), Fault> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Fault::new(format!("cannot read {}: {e}", path.display())))?;
    let config = Config::parse(&text).map_err(|errors| told(path, &errors))?;
    Ok((text, config))
}

fn told(path: &Path, errors: &[ConfigError]) -> Fault {
    let line =
        |e: &ConfigError| format!("{}:{}:{}: {}", path.display(), e.line, e.column, e.message);
    Fault::new(errors.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Runs until the Node has stopped.
pub fn serve(options: &Options) -> Result<(), Fault> {
    let env = Runtime::new()?;
    let plan = Plan::make(options)?;
    env.block_on(async move { plan.run().await })
}

struct Runtime(tokio::runtime::Runtime);

impl Runtime {
    fn new() -> Result<Self, Fault> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map(Runtime)
            .map_err(|e| Fault::new(format!("cannot start the runtime: {e}")))
    }

    fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        LocalSet::new().block_on(&self.0, task)
    }
}

/// Everything that was read before anything is opened to the network.
struct Plan {
    path: PathBuf,
    config: Config,
    start: Start,
    data: Option<DataDir>,
    store: Option<Embedded>,
    passwords: Vec<(String, String, String)>,
}

impl Plan {
    fn make(options: &Options) -> Result<Plan, Fault> {
        let fresh = || {
            let mut key = [0u8; 32];
            getrandom::fill(&mut key)
                .map(|()| key)
                .map_err(|e| Fault::new(format!("the system has no entropy: {e}")))
        };
        let data = options.data.as_deref().map(DataDir::open).transpose()?;
        if let (None, Some(data)) = (&options.config, &data) {
            data.first_start(fresh()?)?;
        }
        let path = match (&options.config, &data) {
            (Some(path), _) => path.clone(),
            (None, Some(data)) => data.config(),
            (None, None) => return Err(Fault::new("no configuration: give --config FILE")),
        };
        let (text, config) = read_config(&path)?;
        let sealed = config::seal(&text).map_err(|errors| told(&path, &errors))?;
        let config = config.moved(options.overrides);
        check_files(&config)?;
        let store = data.as_ref().map(|d| Embedded::open(&d.store())).transpose()?;
        let open = CdrQuery { open_only: true, ..CdrQuery::default() };
        let start = Start {
            config: Bytes::from(sealed),
            key: fresh()?,
            nonce_key: match &data {
                Some(data) => data.nonce_key(fresh()?)?,
                None => fresh()?,
            },
            node: 0,
            bindings: store.as_ref().map_or(Ok(vec![]), Engine::bindings)?,
            open_cdrs: store.as_ref().map_or(Ok(vec![]), |s| s.cdrs(&open))?,
            local_addrs: local_addresses(),
            overrides: options.overrides,
            guest: options.guest.clone(),
            build_id: BUILD_ID,
        };
        let passwords = if options.passwords { passwords(&text) } else { Vec::new() };
        Ok(Plan { path, config, start, data, store, passwords })
    }

    async fn run(self) -> Result<(), Fault> {
        let Plan { path, config, start, data, store, passwords } = self;
        let env = TokioEnv::new();
        let (handle, ends) = Handle::new();
        let operator = data.as_ref().map(|d| control::bind(&d.control())).transpose()?;
        if let Some(listener) = operator {
            tokio::task::spawn_local(control::serve(listener, handle.clone()));
        }
        if let Some(at) = config.metrics {
            let listener = env
                .listen(at)
                .await
                .map_err(|e| Fault::new(format!("cannot listen for metrics on {at}: {e}")))?;
            tokio::task::spawn_local(metrics::serve(env, listener, handle.clone()));
        }
        spawn_signals(&handle, path)?;
        let recorder = data
            .as_ref()
            .map(|d| Recorder::open(&d.flight(), Bounds::default(), BUILD_ID, start.node))
            .transpose()?;
        let store: Box<dyn Store> = match store {
            Some(engine) => Box::new(Threaded::start(engine, handle.mailbox.clone())?),
            None => Box::new(Inline::new(Memory::default(), handle.mailbox.clone())),
        };
        let media = Box::new(Workers::start(&config, &handle, env)?);
        let listeners = config.listeners.clone();
        let control = data.as_ref().map(DataDir::control);
        let banner = Banner { data, passwords };
        let ready = Box::new(move |node: &Node, now: Now| banner.print(node, now));
        let setup = Setup { start, listeners, recorder, store, media, ends, ready };
        let ended = run(env, setup).await;
        if let Some(path) = control {
            // It may never have been made.
            let _ = std::fs::remove_file(path);
        }
        ended
    }
}

/// The media plane: one thread per shard, each with its part of the ports.
struct Workers(Vec<media::Handle>);

impl Workers {
    /// Binds the first ports, so that what cannot be bound is known before `ready`.
    fn start(config: &Config, handle: &Handle, env: TokioEnv) -> Result<Workers, Fault> {
        let told = |e: std::io::Error| Fault::new(format!("cannot open the media plane: {e}"));
        let bind = config.listeners.first().map_or(Ipv4Addr::UNSPECIFIED.into(), |l| l.bind.ip());
        let mut workers = Vec::new();
        for (n, ports) in shares(config.media.ports, config.media.shards).enumerate() {
            let shard = ShardId(n as u8);
            let ip = config.media.ip.unwrap_or(bind);
            let worker = WorkerConfig { ip, ports, warm: PORTS_WARM };
            let mailbox = handle.mailbox.clone();
            let events = Box::new(move |event| mailbox.post(Input::Media(shard, event)));
            let entropy = Entropy::new(env.entropy().map_err(told)?);
            workers.push(media::spawn(shard, worker, entropy, events, env.origin()).map_err(told)?);
        }
        Ok(Workers(workers))
    }
}

impl Media for Workers {
    fn handle(&mut self, shard: ShardId, cmd: bitspath_media::Cmd) {
        let taken = self.0.get(usize::from(shard.0)).is_some_and(|w| w.send(cmd));
        if !taken {
            tracing::error!(shard = shard.0, "a media worker does not take commands");
        }
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut out = Vec::new();
        for (n, worker) in self.0.iter().enumerate() {
            let g = worker.gauges();
            let all = [
                ("streams", false, &g.streams),
                ("ports_bound", false, &g.ports_bound),
                ("packets_in_total", true, &g.packets_in),
                ("packets_out_total", true, &g.packets_out),
                ("packets_drained_total", true, &g.drained),
                ("packets_truncated_total", true, &g.truncated),
                ("send_errors_total", true, &g.send_errors),
                ("receive_errors_total", true, &g.receive_errors),
            ];
            out.extend(all.map(|(name, counter, value)| Metric {
                name: format!("bitspath_media_{name}"),
                help: format!("Media worker: {}", name.trim_end_matches("_total")),
                counter,
                labels: vec![("shard".to_owned(), n.to_string())],
                value: value.load(Ordering::Relaxed),
            }));
        }
        out
    }

    fn finish(&mut self) {
        self.0.clear();
    }
}

/// The port range in equal parts that begin at even ports.
fn shares(ports: (u16, u16), shards: u8) -> impl Iterator<Item = RangeInclusive<u16>> {
    let first = u32::from(ports.0).next_multiple_of(2);
    let pairs = (u32::from(ports.1) + 1).saturating_sub(first) / 2;
    let shards = u32::from(shards.max(1));
    (0..shards).map(move |n| {
        let from = first + 2 * (pairs * n / shards);
        let to = first + 2 * (pairs * (n + 1) / shards);
        from as u16..=to.saturating_sub(1).min(65_535) as u16
    })
}

/// Every media port and connection is a file: the limit is raised as far as it goes and checked.
fn check_files(config: &Config) -> Result<(), Fault> {
    let needed = u64::from(config.media.pairs()) * 2 + FILES_BESIDE;
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    if limit.current.is_some_and(|soft| soft < hard) {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // Not being allowed to raise it is judged below.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    let have = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if have < needed {
        let (first, last) = config.media.ports;
        return Err(Fault::new(format!(
            "the open-file limit {have} is below the {needed} that media ports {first}-{last} \
             need: raise `ulimit -n` or narrow [media] ports"
        )));
    }
    Ok(())
}

/// SIGTERM (or ^C) drains, a second one ends calls, a third one ends the process; SIGHUP reloads.
fn spawn_signals(handle: &Handle, path: PathBuf) -> Result<(), Fault> {
    let open = |kind| signal(kind).map_err(|e| Fault::new(format!("cannot watch signals: {e}")));
    let mut term = open(SignalKind::terminate())?;
    let mut interrupt = open(SignalKind::interrupt())?;
    let mut hangup = open(SignalKind::hangup())?;
    let mailbox = handle.mailbox.clone();
    tokio::task::spawn_local(async move {
        let (mut asked, mut generation) = (0, 0);
        loop {
            let end = tokio::select! {
                biased;
                _ = term.recv() => true,
                _ = interrupt.recv() => true,
                _ = hangup.recv() => false,
            };
            if end {
                asked += 1;
                match asked {
                    1 => tracing::info!("draining: no new calls; once more ends the calls"),
                    2 => tracing::info!("ending calls"),
                    _ => std::process::exit(1),
                }
                mailbox.post(Input::Shutdown { now_end_calls: asked > 1 });
                continue;
            }
            generation += 1;
            match reload(&path) {
                Ok(text) => {
                    mailbox.post(Input::Config(generation, text));
                }
                Err(e) => tracing::warn!("the old configuration stays: {e}"),
            }
        }
    });
    Ok(())
}

fn reload(path: &Path) -> Result<Bytes, Fault> {
    let (text, _) = read_config(path)?;
    config::seal(&text).map(Bytes::from).map_err(|errors| told(path, &errors))
}

/// Passwords are only in the text, which is known to be good: (tenant, number, password).
fn passwords(text: &str) -> Vec<(String, String, String)> {
    let table: toml::Table = text.parse().unwrap_or_default();
    let list = |v: Option<&toml::Value>| v.and_then(toml::Value::as_array).cloned();
    let text = |v: &toml::Value, key| Some(v.get(key)?.as_str()?.to_owned());
    let mut out = Vec::new();
    for tenant in list(table.get("tenant")).into_iter().flatten() {
        for extension in list(tenant.get("extension")).into_iter().flatten() {
            let (number, password) = (text(&extension, "number"), text(&extension, "password"));
            let tenant = text(&tenant, "name").unwrap_or_default();
            out.extend(number.zip(password).map(|(n, p)| (tenant, n, p)));
        }
    }
    out
}

/// What `up` prints when it is ready.
struct Banner {
    data: Option<DataDir>,
    passwords: Vec<(String, String, String)>,
}

impl Banner {
    fn print(&self, node: &Node, now: Now) {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        let text = self.text(node, now);
        // Nobody may be reading.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn text(&self, node: &Node, now: Now) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        for row in node.query(now, &Query::Addresses, 64).rows {
            if let Row::Address { transport, bind, advertised, .. } = row {
                let told: Vec<String> = advertised.iter().map(ToString::to_string).collect();
                let _ =
                    writeln!(out, "sip    {transport} {bind}, advertised as {}", told.join(", "));
            }
        }
        if let Some(config) = node.config() {
            let (first, last) = config.media.ports;
            let _ = writeln!(out, "rtp    UDP {first}-{last}");
            if let Some(at) = config.metrics {
                let _ = writeln!(out, "metrics http://{at}/metrics");
            }
        }
        for (tenant, number, password) in &self.passwords {
            let _ = writeln!(out, "extension {number} password {password} ({tenant})");
        }
        if let Some(data) = &self.data {
            let _ = writeln!(out, "data   {}", data.path().display());
            let _ = writeln!(out, "flight {}", data.flight().display());
        }
        out.push_str("ready\n");
        out
    }
}
