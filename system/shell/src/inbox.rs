//! What waits before the Node, bounded: datagrams behind the door and stream inputs in one queue,
//! so that nothing is reordered; inputs of other threads in the mailbox.
//! Brim: the fuller the queue, the fewer classes get in; work under way is shed last. Stream inputs
//! are always taken, because their peers have credits.
use crate::env::{Datagram, Udp};
use bitspath_core::limits::INPUT_QUEUE_MAX;
use bitspath_core::{ListenerId, NetIn};
use bitspath_server::{DoorCounts, Input};
use bitspath_sip::door::{self, Class, Door};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::{Notify, mpsc};

/// Datagrams taken from one socket before others have a turn.
const DATAGRAMS_PER_TURN: usize = 512;

#[derive(Debug, Default)]
pub struct Inbox {
    state: RefCell<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<NetIn>,
    counts: DoorCounts,
}

impl Inbox {
    /// One input of a stream.
    pub fn push(&self, input: NetIn) {
        self.state.borrow_mut().queue.push_back(input);
        self.wake.notify_one();
    }

    /// One datagram that is SIP.
    pub fn datagram(&self, class: Class, input: NetIn) {
        let mut state = self.state.borrow_mut();
        if state.queue.len() >= room(class) {
            state.counts.shed += 1;
            return;
        }
        state.queue.push_back(input);
        drop(state);
        self.wake.notify_one();
    }

    pub fn pop(&self) -> Option<NetIn> {
        self.state.borrow_mut().queue.pop_front()
    }

    pub fn len(&self) -> usize {
        self.state.borrow().queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until something was pushed since the last call; safe to drop.
    pub async fn filled(&self) {
        self.wake.notified().await;
    }

    /// What the door did since the last call.
    pub fn counts(&self) -> DoorCounts {
        std::mem::take(&mut self.state.borrow_mut().counts)
    }

    fn count(&self, add: impl FnOnce(&mut DoorCounts)) {
        add(&mut self.state.borrow_mut().counts);
    }
}

/// Queue length up to which a class gets in.
const fn room(class: Class) -> usize {
    match class {
        Class::InDialog => INPUT_QUEUE_MAX,
        Class::Invite => INPUT_QUEUE_MAX / 4 * 3,
        Class::Register => INPUT_QUEUE_MAX / 8 * 5,
        Class::Other => INPUT_QUEUE_MAX / 2,
    }
}

/// Reads one socket for ever: batch, door, inbox.
pub async fn read_socket<U: Udp>(socket: Rc<U>, listener: ListenerId, inbox: Rc<Inbox>) {
    let mut batch = Vec::new();
    loop {
        if let Err(e) = socket.readable().await {
            tracing::warn!("a UDP socket fails: {e}");
            return;
        }
        let mut taken = 0;
        while taken < DATAGRAMS_PER_TURN && socket.try_recv(&mut batch).is_ok() {
            taken += batch.len();
            for datagram in batch.drain(..) {
                admit(socket.as_ref(), listener, &inbox, datagram);
            }
        }
        tokio::task::yield_now().await;
    }
}

fn admit<U: Udp>(socket: &U, listener: ListenerId, inbox: &Inbox, datagram: Datagram) {
    let Datagram { peer, local, bytes } = datagram;
    let answer = |reply: &[u8]| {
        // A keep-alive that cannot be answered now is asked again.
        let _ = socket.try_send(local.ip(), peer, reply);
    };
    match door::classify(&bytes, peer) {
        Door::Sip(class) => {
            inbox.datagram(class, NetIn::Datagram { listener, peer, local, bytes });
        }
        Door::Ping(reply) => {
            answer(reply);
            inbox.count(|c| c.pings += 1);
        }
        Door::Stun(reply) => {
            answer(reply.as_bytes());
            inbox.count(|c| c.stuns += 1);
        }
        Door::Drop(door::Why::KeepAlive) => inbox.count(|c| c.pings += 1),
        Door::Drop(_) => inbox.count(|c| c.dropped += 1),
    }
}

/// The way in for other threads and for the operator. The Node's credits bound what comes here.
#[derive(Clone, Debug)]
pub struct Mailbox(mpsc::Sender<Input>);

impl Mailbox {
    pub fn new() -> (Mailbox, mpsc::Receiver<Input>) {
        let (to, from) = mpsc::channel(INPUT_QUEUE_MAX);
        (Mailbox(to), from)
    }

    /// Delivers an input. False: the loop has ended, or a credit was overdrawn, which is our bug
    /// and is told.
    pub fn post(&self, input: Input) -> bool {
        match self.0.try_send(input) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::error!("the mailbox overflows: somebody has no credits");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspath_core::Bytes;
    use std::net::SocketAddr;

    fn input() -> NetIn {
        let any = SocketAddr::from(([127, 0, 0, 1], 5060));
        NetIn::Datagram { listener: ListenerId(0), peer: any, local: any, bytes: Bytes::new() }
    }

    #[test]
    fn a_full_house_sheds_new_work_first_and_streams_never() {
        let inbox = Inbox::default();
        for class in [Class::Other, Class::Register, Class::Invite, Class::InDialog] {
            for _ in 0..INPUT_QUEUE_MAX {
                inbox.datagram(class, input());
            }
            assert_eq!(inbox.state.borrow().queue.len(), room(class), "{class:?}");
        }
        assert_eq!(inbox.counts().shed, 3 * INPUT_QUEUE_MAX as u64);
        inbox.push(input());
        assert_eq!(inbox.state.borrow().queue.len(), INPUT_QUEUE_MAX + 1);
        assert_eq!(inbox.counts(), DoorCounts::default());
    }
}
