//! TCP connections as the Node sees them: ids, credits, one `Closed` for every one of them.
//!
//! ```text
//!   accept, connect ─▶ Opened ─▶ Data under the Node's Grant ─▶ Closed
//!                                Write ─▶ kernel ─▶ Writable
//! ```
//! Two tasks per connection: a reader that waits for credit, a writer that empties the queue. The
//! queue is bounded by the Node's own write credit. Missing: TLS and WebSocket (their issues).
use crate::env::{Ends, Env, Listener};
use crate::inbox::Inbox;
use bitspath_core::limits::CONNS_MAX;
use bitspath_core::net::{CloseReason, StreamKind, Transport};
use bitspath_core::{Bytes, ConnId, Duration, ListenerId, NetIn, NetOut};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;

/// Octets read at once.
const READ_BYTES: usize = 16_384;
/// A connection attempt is given up after this long; the transaction above has its own timer.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// What is left to write at `Close` may take this long.
const LINGER: Duration = Duration::from_secs(5);

/// All connections of one loop.
pub struct Streams<E: Env> {
    env: E,
    inbox: Rc<Inbox>,
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    conns: RefCell<BTreeMap<ConnId, Rc<Conn>>>,
    accepted: Cell<u64>,
}

#[derive(Default)]
struct Conn {
    out: RefCell<VecDeque<Bytes>>,
    credit: Cell<u32>,
    /// Set by the Node's `Close`: no more writes, and this reason.
    closing: Cell<Option<CloseReason>>,
    /// `Closed` has been said.
    closed: Cell<bool>,
    may_read: Notify,
    may_write: Notify,
}

impl<E: Env> Streams<E> {
    pub fn new(env: E, inbox: Rc<Inbox>) -> Self {
        Streams { env, inbox, shared: Rc::default() }
    }

    /// Connections that are open.
    pub fn len(&self) -> usize {
        self.shared.conns.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Accepts for ever on one listener.
    pub fn serve(&self, listener: E::Listener, id: ListenerId) {
        let (env, inbox, shared) = (self.env.clone(), self.inbox.clone(), self.shared.clone());
        self.env.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, ends)) if shared.conns.borrow().len() < CONNS_MAX as usize => {
                        let n = shared.accepted.get() + 1;
                        shared.accepted.set(n);
                        // Accepted connections have even ids.
                        let end = End { conn: ConnId(2 * n), inbox: inbox.clone() };
                        start(&env, &shared, end, stream, id, ends);
                    }
                    // Brim: the connection is dropped at once.
                    Ok(_) => {}
                    Err(e) => {
                        tracing::warn!("accept fails: {e}");
                        env.sleep_until(env.now().mono + Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }

    /// Carries out a stream output; a connection that is gone makes it a no-op.
    pub fn handle(&self, output: NetOut) {
        let find = |conn| self.shared.conns.borrow().get(&conn).cloned();
        match output {
            NetOut::Connect { conn, listener, peer, transport } => {
                self.connect(conn, listener, peer, transport);
            }
            NetOut::Write { conn, bytes } => {
                let Some(c) = find(conn).filter(|c| c.closing.get().is_none()) else { return };
                c.out.borrow_mut().push_back(bytes);
                c.may_write.notify_one();
            }
            NetOut::Grant { conn, bytes } => {
                let Some(c) = find(conn) else { return };
                c.credit.set(c.credit.get().saturating_add(bytes));
                c.may_read.notify_one();
            }
            NetOut::Close { conn, reason } => {
                let Some(c) = find(conn) else { return };
                c.closing.set(Some(reason));
                c.may_read.notify_one();
                c.may_write.notify_one();
            }
            NetOut::Datagram { .. } => {}
        }
    }

    fn connect(&self, conn: ConnId, listener: ListenerId, peer: SocketAddr, kind: Transport) {
        let (env, shared) = (self.env.clone(), self.shared.clone());
        let end = End { conn, inbox: self.inbox.clone() };
        if kind != Transport::Tcp {
            end.inbox.push(NetIn::Closed { conn, reason: CloseReason::Unreachable });
            return;
        }
        self.env.spawn(async move {
            let give_up = env.sleep_until(env.now().mono + CONNECT_TIME);
            let opened = tokio::select! {
                biased;
                opened = env.connect(peer) => opened,
                () = give_up => Err(io::ErrorKind::TimedOut.into()),
            };
            match opened {
                Ok(stream) => {
                    let local = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
                    start(&env, &shared, end, stream, listener, Ends { local, peer });
                }
                Err(e) => {
                    let reason = match e.kind() {
                        io::ErrorKind::ConnectionRefused => CloseReason::Refused,
                        _ => CloseReason::Unreachable,
                    };
                    end.inbox.push(NetIn::Closed { conn, reason });
                }
            }
        });
    }
}

/// How a connection speaks to the Node.
#[derive(Clone)]
struct End {
    conn: ConnId,
    inbox: Rc<Inbox>,
}

fn start<E: Env>(
    env: &E,
    shared: &Rc<Shared>,
    end: End,
    stream: E::Stream,
    listener: ListenerId,
    ends: Ends,
) {
    let conn = Rc::new(Conn::default());
    shared.conns.borrow_mut().insert(end.conn, conn.clone());
    let Ends { local, peer } = ends;
    let kind = StreamKind::Tcp;
    end.inbox.push(NetIn::Opened { conn: end.conn, listener, peer, local, kind });
    let (from, to) = tokio::io::split(stream);
    let (env2, shared, conn2, end2) = (env.clone(), shared.clone(), conn.clone(), end.clone());
    env.spawn(async move {
        let reason = write::<E>(&env2, &conn2, &end2, to).await;
        finish(&shared, &conn2, &end2, reason);
    });
    env.spawn(async move {
        let reason = read::<E>(&conn, &end, from).await;
        // The writer says `Closed`: it may still have something to write.
        if conn.closing.get().is_none() {
            conn.closing.set(Some(reason));
            conn.out.borrow_mut().clear();
        }
        conn.may_write.notify_one();
    });
}

async fn read<E: Env>(conn: &Conn, end: &End, mut from: ReadHalf<E::Stream>) -> CloseReason {
    let mut buffer = vec![0u8; READ_BYTES];
    loop {
        if let Some(reason) = conn.closing.get() {
            return reason;
        }
        let credit = conn.credit.get() as usize;
        if credit == 0 {
            conn.may_read.notified().await;
            continue;
        }
        let room = credit.min(READ_BYTES);
        let part = buffer.get_mut(..room).unwrap_or_default();
        let got = tokio::select! {
            biased;
            () = conn.may_read.notified() => continue,
            got = from.read(part) => got,
        };
        match got {
            Ok(0) => return CloseReason::Eof,
            Ok(n) => {
                conn.credit.set(conn.credit.get().saturating_sub(n as u32));
                let bytes = Bytes::copy_from_slice(buffer.get(..n).unwrap_or_default());
                end.inbox.push(NetIn::Data { conn: end.conn, bytes });
            }
            Err(_) => return CloseReason::Reset,
        }
    }
}

async fn write<E: Env>(
    env: &E,
    conn: &Conn,
    end: &End,
    mut to: WriteHalf<E::Stream>,
) -> CloseReason {
    loop {
        let next = conn.out.borrow_mut().pop_front();
        let Some(bytes) = next else {
            if let Some(reason) = conn.closing.get() {
                let _ = to.shutdown().await;
                return reason;
            }
            conn.may_write.notified().await;
            continue;
        };
        let whole = async {
            to.write_all(&bytes).await?;
            to.flush().await
        };
        let written = tokio::select! {
            biased;
            written = whole => written,
            () = gone(env, conn) => Err(io::ErrorKind::TimedOut.into()),
        };
        if written.is_err() {
            return conn.closing.get().unwrap_or(CloseReason::Reset);
        }
        end.inbox.push(NetIn::Writable { conn: end.conn, bytes_done: bytes.len() as u32 });
    }
}

/// Ready when the connection is to close and has lingered long enough.
async fn gone<E: Env>(env: &E, conn: &Conn) {
    while conn.closing.get().is_none() {
        conn.may_write.notified().await;
    }
    env.sleep_until(env.now().mono + LINGER).await;
}

fn finish(shared: &Shared, conn: &Conn, end: &End, reason: CloseReason) {
    if conn.closed.replace(true) {
        return;
    }
    conn.closing.set(Some(reason));
    conn.may_read.notify_one();
    shared.conns.borrow_mut().remove(&end.conn);
    end.inbox.push(NetIn::Closed { conn: end.conn, reason });
}
