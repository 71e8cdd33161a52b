//! Connections — RFC 3261 §18.1.1, §18.2.2, §18.3; RFC 5626 §3.5.1; RFC 7118 §5.
//! Owns: framing, the credits of both directions, what waits for a connection to open.
//! Does not know: messages, transactions, sockets.
//! Missing: closing of idle connections (`CONNS_MAX` bounds them); TLS name checks (the host's).
//!
//! ```text
//!            Connect ─▶ Connecting ──Opened──▶ Open ──Close, Slow, unframed──▶ Closing
//!   Opened (accepted) ─────────────────────────▲ └──Closed──▶ (forgotten) ◀──Closed──┘
//! ```
//! Credits: `Grant(CONN_IN_CREDIT)` goes out at `Opened`; until then the host delivers nothing.
//! Each `Data` is granted again as soon as it has been read. What we wrote and the host has not
//! reported `Writable` counts against `CONN_OUT_CREDIT`; beyond it the peer is `Slow` and is cut.
use crate::Status;
use crate::endpoint::{Counters, Flow};
use crate::wire::framing::{Broken, Frame, Framer};
use alloc::collections::{BTreeMap, VecDeque};
use bitspath_core::limits::{CONN_IN_CREDIT, CONN_OUT_CREDIT, CONNS_MAX, SIP_MESSAGE_BYTES_MAX};
use bitspath_core::net::{CloseReason, StreamKind, Transport};
use bitspath_core::{Bytes, ConnId, ListenerId, NetOut};
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// What the next stretch of a stream turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Message(Bytes),
    Ping,
    /// Nothing more can be read; the head, for an answer with this status.
    Broken(Status, Bytes),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Connecting,
    Open,
    /// We have asked for the end; the host's `Closed` is to come.
    Closing,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Conn {
    flow: Flow,
    state: State,
    /// WebSocket: one frame is one message, kept here until it is taken.
    frames: VecDeque<Bytes>,
    framer: Framer,
    /// Written before the connection opened.
    queue: VecDeque<Bytes>,
    /// Octets that the host has not yet passed to the kernel.
    waiting: u32,
    /// A CRLF is owed for a ping.
    pong: bool,
}

impl Conn {
    fn new(flow: Flow, state: State) -> Conn {
        Conn {
            flow,
            state,
            frames: VecDeque::new(),
            framer: Framer::new(),
            queue: VecDeque::new(),
            waiting: 0,
            pong: false,
        }
    }

    fn peer(&self) -> (ListenerId, Transport, SocketAddr) {
        (self.flow.listener, self.flow.transport, self.flow.peer)
    }
}

/// All connections of one endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Streams {
    conns: BTreeMap<ConnId, Conn>,
    /// The youngest living connection to each peer.
    by_peer: BTreeMap<(ListenerId, Transport, SocketAddr), ConnId>,
    /// Lost connections that client transactions have not been told of.
    broken: VecDeque<ConnId>,
    /// How many we have asked for; the Node's ids are odd.
    asked: u64,
}

impl Streams {
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// The flow of a connection that is, or will be, open.
    pub fn flow(&self, conn: ConnId) -> Option<Flow> {
        self.conns.get(&conn).filter(|c| c.state != State::Closing).map(|c| c.flow)
    }

    //= RFC 3261 §18.1.1
    /// A connection to the flow's peer: one that there is, or a new one. `None` at the brim.
    pub fn connect(&mut self, flow: &Flow, out: &mut VecDeque<NetOut>) -> Option<ConnId> {
        let peer = (flow.listener, flow.transport, flow.peer);
        if let Some(conn) = self.by_peer.get(&peer) {
            return Some(*conn);
        }
        if self.conns.len() >= CONNS_MAX as usize {
            return None;
        }
        let conn = ConnId(2 * self.asked + 1);
        self.asked += 1;
        let flow = Flow { conn: Some(conn), ..*flow };
        self.conns.insert(conn, Conn::new(flow, State::Connecting));
        self.by_peer.insert(peer, conn);
        let (listener, transport, peer) = peer;
        out.push_back(NetOut::Connect { conn, listener, peer, transport });
        Some(conn)
    }

    /// `true` when the connection is welcome.
    pub fn opened(
        &mut self,
        flow: Flow,
        kind: &StreamKind,
        out: &mut VecDeque<NetOut>,
        counters: &mut Counters,
    ) -> bool {
        let Some(id) = flow.conn else { return false };
        let known = self.conns.get(&id).map(|c| c.state);
        match known {
            Some(State::Connecting) => {}
            // Our Close and the host's Opened have crossed, or the id was never ours.
            Some(State::Open | State::Closing) => return false,
            None if id.is_ours() || self.conns.len() >= CONNS_MAX as usize => {
                counters.conns_refused += 1;
                // Kept until its `Closed`, so that every id ends in the same way.
                self.conns.insert(id, Conn::new(flow, State::Open));
                self.close(id, CloseReason::Shutdown, out);
                return false;
            }
            None => {
                self.conns.insert(id, Conn::new(flow, State::Connecting));
            }
        }
        debug_assert_eq!(kind.transport(), flow.transport);
        counters.conns_opened += 1;
        let Some(conn) = self.conns.get_mut(&id) else { return false };
        let asked_peer = conn.peer();
        conn.state = State::Open;
        conn.flow = flow;
        out.push_back(NetOut::Grant { conn: id, bytes: CONN_IN_CREDIT });
        for bytes in conn.queue.drain(..) {
            out.push_back(NetOut::Write { conn: id, bytes });
        }
        let peer = conn.peer();
        if asked_peer != peer && self.by_peer.get(&asked_peer) == Some(&id) {
            self.by_peer.remove(&asked_peer);
        }
        self.by_peer.insert(peer, id);
        true
    }

    /// Takes octets off the wire; read them with [`next_frame`](Self::next_frame).
    pub fn push(&mut self, id: ConnId, bytes: &Bytes, counters: &mut Counters) {
        match self.conns.get_mut(&id) {
            Some(conn) if conn.state == State::Open => match conn.flow.transport {
                Transport::Ws | Transport::Wss => conn.frames.push_back(bytes.clone()),
                Transport::Udp | Transport::Tcp | Transport::Tls => conn.framer.push(bytes),
            },
            // Data may cross our Close.
            Some(_) => {}
            None => counters.stray_conns += 1,
        }
    }

    /// The next thing in the stream, and the flow that it came by.
    pub fn next_frame(&mut self, id: ConnId) -> Option<(Flow, Got)> {
        let conn = self.conns.get_mut(&id).filter(|c| c.state == State::Open)?;
        if let Some(frame) = conn.frames.pop_front() {
            let got = match &frame[..] {
                b"\r\n\r\n" | b"\r\n" => Got::Ping,
                _ => Got::Message(frame),
            };
            return Some((conn.flow, got));
        }
        let got = match conn.framer.next()? {
            Ok(Frame::Message(bytes)) => Got::Message(bytes),
            Ok(Frame::Ping) => Got::Ping,
            Err(why) => Got::Broken(status(why), head(conn.framer.rest())),
        };
        Some((conn.flow, got))
    }

    //= RFC 5626 §3.5.1
    /// A ping was read: one CRLF answers all those of one delivery.
    pub fn pong(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.pong = true;
        }
    }

    /// What was delivered has been read: the host may deliver as much again.
    pub fn granted(
        &mut self,
        id: ConnId,
        bytes: usize,
        out: &mut VecDeque<NetOut>,
        counters: &mut Counters,
    ) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.state != State::Open {
            return;
        }
        let flow = conn.flow;
        let owed = core::mem::take(&mut conn.pong);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if bytes > 0 {
            out.push_back(NetOut::Grant { conn: id, bytes });
        }
        if owed {
            self.write(&flow, Bytes::from_static(b"\r\n"), out, counters);
        }
    }

    /// `false`: the connection is gone, or went because of this.
    pub fn write(
        &mut self,
        flow: &Flow,
        bytes: Bytes,
        out: &mut VecDeque<NetOut>,
        counters: &mut Counters,
    ) -> bool {
        let Some(id) = flow.conn else { return false };
        let Some(conn) = self.conns.get_mut(&id) else { return false };
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        match conn.state {
            State::Closing => return false,
            _ if conn.waiting.saturating_add(len) > CONN_OUT_CREDIT => {
                counters.conns_slow += 1;
                self.close(id, CloseReason::Slow, out);
                return false;
            }
            State::Connecting => conn.queue.push_back(bytes),
            State::Open => out.push_back(NetOut::Write { conn: id, bytes }),
        }
        conn.waiting += len;
        true
    }

    pub fn writable(&mut self, id: ConnId, bytes_done: u32, counters: &mut Counters) {
        match self.conns.get_mut(&id) {
            Some(conn) => conn.waiting = conn.waiting.saturating_sub(bytes_done),
            None => counters.stray_conns += 1,
        }
    }

    /// Asks for the end: nothing more is read or written.
    pub fn close(&mut self, id: ConnId, reason: CloseReason, out: &mut VecDeque<NetOut>) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.state == State::Closing {
            return;
        }
        *conn = Conn::new(conn.flow, State::Closing);
        out.push_back(NetOut::Close { conn: id, reason });
        self.lost(id);
    }

    /// The end after `Got::Broken`.
    pub fn close_broken(&mut self, id: ConnId, status: Status, out: &mut VecDeque<NetOut>) {
        let reason = match status {
            Status::MESSAGE_TOO_LARGE => CloseReason::TooLong,
            _ => CloseReason::Shutdown,
        };
        self.close(id, reason, out);
    }

    /// The host's last word on a connection; `false` when it was unknown.
    pub fn closed(&mut self, id: ConnId, counters: &mut Counters) -> bool {
        if !self.conns.contains_key(&id) {
            counters.stray_conns += 1;
            return false;
        }
        counters.conns_closed += 1;
        self.lost(id);
        self.conns.remove(&id);
        true
    }

    fn lost(&mut self, id: ConnId) {
        if let Some(peer) = self.conns.get(&id).map(Conn::peer)
            && self.by_peer.get(&peer) == Some(&id)
        {
            self.by_peer.remove(&peer);
        }
        self.broken.push_back(id);
    }

    /// A lost connection whose client transactions are to be failed.
    pub fn pop_broken(&mut self) -> Option<ConnId> {
        self.broken.pop_front()
    }
}

fn status(why: Broken) -> Status {
    match why {
        Broken::TooLong => Status::MESSAGE_TOO_LARGE,
        Broken::NoLength | Broken::BadLength => Status::BAD_REQUEST,
    }
}

/// As much of the unframed stream as an answer needs: its first head.
fn head(rest: &[u8]) -> Bytes {
    let end = memchr::memmem::find(rest, b"\r\n\r\n").map_or(rest.len(), |at| at + 4);
    Bytes::copy_from_slice(rest.get(..end.min(SIP_MESSAGE_BYTES_MAX)).unwrap_or(&[]))
}
