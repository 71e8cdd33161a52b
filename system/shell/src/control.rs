//! The operator's socket, `DIR/control.sock`: one JSON object per line, both ways, mode 0600.
//!
//! ```text
//!   {"cmd":"cdr"}            ─▶ {"cdr":{..}}*  {"done":true}
//!   {"cmd":"follow"}         ─▶ {"event":{..}}*                      until the peer hangs up
//!   {"cmd":"flight-flush"}   ─▶ {"done":true}                        recordings are on disk
//!   {"cmd":"calls"|"bindings"|"status"} ─▶ {"row":{..}}* {"done":true}
//!   {"cmd":"hang-up","call":N} {"cmd":"drain"} {"cmd":"resume"} ─▶ {"done":true} | {"error":".."}
//! ```
use crate::run::{Ask, Handle};
use bitspath_core::Fault;
use bitspath_core::store::{CdrId, CdrRow};
use bitspath_server::{Cmd, Event, Query, Reply};
use bitspath_store::CdrQuery;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, oneshot};

/// Longest command. Brim: the connection is closed.
const LINE_BYTES_MAX: u64 = 65_536;
/// Rows of one query between inputs.
const ROWS_PER_PAGE: usize = 256;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case")]
pub enum Command {
    Cdr { after: Option<String> },
    Follow,
    FlightFlush,
    Calls,
    Bindings,
    Status,
    HangUp { call: u64 },
    HangUpAll,
    Drain,
    Resume,
}

/// Opens the socket, in place of what a dead process left there.
pub fn bind(path: &Path) -> Result<UnixListener, Fault> {
    let told = |e: io::Error| Fault::new(format!("cannot open {}: {e}", path.display()));
    if connect(path).is_ok() {
        return Err(Fault::new(format!("{}: another server runs here", path.display())));
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(told(e)),
        _ => {}
    }
    let (_dir, short) = short(path).map_err(told)?;
    let listener = UnixListener::bind(short).map_err(told)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(told)?;
    Ok(listener)
}

/// The operator's end, however long the path is.
pub fn connect(path: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    let (_dir, short) = short(path)?;
    std::os::unix::net::UnixStream::connect(short)
}

/// A name of the same socket that fits into the 108 octets of its address; good while the
/// directory is held open.
fn short(path: &Path) -> io::Result<(File, PathBuf)> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    let dir = File::open(parent.unwrap_or(Path::new(".")))?;
    let name = path.file_name().unwrap_or_default();
    let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
    Ok((dir, short))
}

/// Serves operators for ever.
pub async fn serve(listener: UnixListener, handle: Handle) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(operator(stream, handle.clone()));
            }
            Err(e) => {
                tracing::warn!("the control socket fails: {e}");
                return;
            }
        }
    }
}

async fn operator(stream: UnixStream, handle: Handle) {
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    while let Ok(Some(line)) = command(&mut from).await {
        let answered = match serde_json::from_str(&line) {
            Ok(command) => carry_out(command, &handle, &mut to).await,
            Err(e) => say(&mut to, &json!({ "error": e.to_string() })).await,
        };
        if answered.is_err() {
            return;
        }
    }
}

async fn command(from: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let got = from.take(LINE_BYTES_MAX).read_line(&mut line).await?;
    Ok((got > 0 && line.ends_with('\n')).then_some(line))
}

async fn say(to: &mut OwnedWriteHalf, value: &Value) -> io::Result<()> {
    to.write_all(format!("{value}\n").as_bytes()).await
}

async fn carry_out(command: Command, handle: &Handle, to: &mut OwnedWriteHalf) -> io::Result<()> {
    match command {
        Command::Cdr { after } => return cdrs(after.as_deref(), handle, to).await,
        Command::Follow => return follow(handle, to).await,
        Command::Calls => rows(|after| Query::Calls { after: parsed(after) }, handle, to).await?,
        Command::Bindings => rows(|after| Query::Bindings { after }, handle, to).await?,
        Command::Status => {
            rows(|_| Query::Addresses, handle, to).await?;
            rows(|_| Query::Audit, handle, to).await?;
        }
        Command::FlightFlush => {
            let (done, flushed) = oneshot::channel();
            let _ = handle.asks.send(Ask::Flush(done)).await;
            if flushed.await.is_err() {
                return say(to, &json!({ "error": "nothing is being recorded" })).await;
            }
        }
        Command::HangUp { call } => return admin(Cmd::HangUp { call }, handle, to).await,
        Command::HangUpAll => return admin(Cmd::HangUpAll, handle, to).await,
        Command::Drain => return admin(Cmd::Drain, handle, to).await,
        Command::Resume => return admin(Cmd::Resume, handle, to).await,
    }
    say(to, &json!({ "done": true })).await
}

fn parsed(after: Option<String>) -> Option<u64> {
    after.and_then(|a| a.parse().ok())
}

async fn rows(
    query: impl Fn(Option<String>) -> Query,
    handle: &Handle,
    to: &mut OwnedWriteHalf,
) -> io::Result<()> {
    let mut after = None;
    loop {
        let Some(page) = handle.query(query(after.take()), ROWS_PER_PAGE).await else {
            return say(to, &json!({ "error": "the server is ending" })).await;
        };
        for row in &page.rows {
            say(to, &json!({ "row": row })).await?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn admin(cmd: Cmd, handle: &Handle, to: &mut OwnedWriteHalf) -> io::Result<()> {
    let (reply, answer) = oneshot::channel();
    let _ = handle.asks.send(Ask::Admin(cmd, reply)).await;
    let value = match answer.await {
        Ok(Reply::Done) => json!({ "done": true }),
        Ok(Reply::NotFound) => json!({ "error": "there is no such call" }),
        Ok(Reply::NotNow(why)) => json!({ "error": why }),
        Err(_) => json!({ "error": "the server is ending" }),
    };
    say(to, &value).await
}

async fn cdrs(after: Option<&str>, handle: &Handle, to: &mut OwnedWriteHalf) -> io::Result<()> {
    let mut query = CdrQuery { after: after.and_then(cdr_id), ..CdrQuery::default() };
    loop {
        let (reply, rows) = oneshot::channel();
        let _ = handle.asks.send(Ask::Cdrs(query.clone(), reply)).await;
        let rows = match rows.await {
            Ok(Ok(rows)) => rows,
            Ok(Err(fault)) => return say(to, &json!({ "error": fault.to_string() })).await,
            Err(_) => return say(to, &json!({ "error": "the server is ending" })).await,
        };
        let Some(last) = rows.last() else { return say(to, &json!({ "done": true })).await };
        query.after = Some(last.id);
        for row in &rows {
            say(to, &json!({ "cdr": cdr_json(row) })).await?;
        }
    }
}

async fn follow(handle: &Handle, to: &mut OwnedWriteHalf) -> io::Result<()> {
    let mut events = handle.events.subscribe();
    say(to, &json!({ "following": true })).await?;
    loop {
        let value = match events.recv().await {
            Ok(numbered) => match &*numbered {
                (n, Event::CallEnded { call, cdr }) => {
                    json!({ "n": n, "event": { "CallEnded": { "call": call, "cdr": cdr_json(cdr) } } })
                }
                (n, event) => json!({ "n": n, "event": event }),
            },
            Err(broadcast::error::RecvError::Lagged(missed)) => json!({ "missed": missed }),
            Err(broadcast::error::RecvError::Closed) => {
                return say(to, &json!({ "done": true })).await;
            }
        };
        say(to, &value).await?;
    }
}

/// A call record as JSON, the same from a running server and from the file.
pub fn cdr_json(row: &CdrRow) -> Value {
    json!({
        "id": row.id.to_string(),
        "tenant": row.tenant,
        "caller": row.caller,
        "callee": row.callee,
        "call_id": row.call_id,
        "started": row.started.to_string(),
        "answered": row.answered.map(|t| t.to_string()),
        "ended": row.ended.map(|t| t.to_string()),
        "billed_ms": u64::try_from(row.billed.as_millis()).unwrap_or(u64::MAX),
        "cause": row.cause.as_str(),
        "status": row.status,
        "packets": row.packets,
    })
}

fn cdr_id(text: &str) -> Option<CdrId> {
    u128::from_str_radix(text, 16).ok().map(CdrId)
}
