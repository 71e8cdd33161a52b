//! The store as the loop sees it: requests go in, outcomes come back as inputs, nobody waits.
//! In production the engine has a thread of its own, which gathers what is there into one commit.
use crate::inbox::Mailbox;
use bitspath_core::Fault;
use bitspath_core::limits::STORE_PENDING_MAX;
use bitspath_core::store::{CdrRow, Outcome, Request};
use bitspath_server::Input;
use bitspath_store::{CdrQuery, Engine};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Requests of one commit. A bigger batch would hold back the first outcome too long.
const COMMIT_MAX: usize = 1_024;
/// Nobody waits for an outcome on the call path: a commit gathers what comes within this time.
const GATHER: Duration = Duration::from_millis(5);
/// What is not durable is on disk at most this much later.
const FLUSH_AFTER: Duration = Duration::from_millis(500);

pub type Rows = Result<Vec<CdrRow>, Fault>;

/// Where the loop sends the Node's writes.
pub trait Store {
    /// Takes a request; its outcome reaches the Node as an input.
    fn submit(&mut self, request: Request);
    fn query(&mut self, query: CdrQuery, reply: oneshot::Sender<Rows>);
    /// Everything is on disk when it returns.
    fn finish(&mut self);
}

/// An engine on the loop's own thread: for tests and simulated hosts.
pub struct Inline<T> {
    engine: T,
    mailbox: Mailbox,
}

impl<T: Engine> Inline<T> {
    pub const fn new(engine: T, mailbox: Mailbox) -> Self {
        Inline { engine, mailbox }
    }
}

impl<T: Engine> Store for Inline<T> {
    fn submit(&mut self, request: Request) {
        let batch = [request];
        for (request, outcome) in batch.iter().zip(self.engine.apply(&batch)) {
            self.mailbox.post(Input::Stored(request.op, outcome));
        }
    }

    fn query(&mut self, query: CdrQuery, reply: oneshot::Sender<Rows>) {
        let _ = reply.send(self.engine.cdrs(&query));
    }

    fn finish(&mut self) {
        let _ = self.engine.flush();
    }
}

enum Job {
    Write(Request),
    Query(CdrQuery, oneshot::Sender<Rows>),
}

/// An engine behind a thread.
pub struct Threaded {
    to: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    mailbox: Mailbox,
}

impl Threaded {
    pub fn start<T: Engine + Send + 'static>(engine: T, mailbox: Mailbox) -> Result<Self, Fault> {
        let (to, jobs) = sync_channel(STORE_PENDING_MAX as usize);
        let replies = mailbox.clone();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(engine, &jobs, &replies))
            .map_err(|e| Fault::new(format!("cannot start the store's thread: {e}")))?;
        Ok(Threaded { to: Some(to), thread: Some(thread), mailbox })
    }
}

impl Store for Threaded {
    fn submit(&mut self, request: Request) {
        let op = request.op;
        // The Node holds the credits, so a full channel is a bug; it is answered, not waited for.
        if self.to.as_ref().is_some_and(|to| to.try_send(Job::Write(request)).is_err()) {
            self.mailbox.post(Input::Stored(op, Outcome::Failed));
        }
    }

    fn query(&mut self, query: CdrQuery, reply: oneshot::Sender<Rows>) {
        if let Some(to) = &self.to {
            // A dropped `reply` tells the asker.
            let _ = to.try_send(Job::Query(query, reply));
        }
    }

    fn finish(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(mut engine: impl Engine, jobs: &Receiver<Job>, replies: &Mailbox) {
    let mut batch: Vec<Request> = Vec::new();
    loop {
        let first = match jobs.recv_timeout(FLUSH_AFTER) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                flush(&mut engine);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let until = Instant::now() + GATHER;
        let mut job = Some(first);
        while let Some(next) = job.take() {
            match next {
                Job::Write(request) => batch.push(request),
                Job::Query(query, reply) => {
                    commit(&mut engine, &mut batch, replies);
                    let _ = reply.send(engine.cdrs(&query));
                }
            }
            if batch.len() < COMMIT_MAX {
                job = jobs.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
            }
        }
        commit(&mut engine, &mut batch, replies);
    }
    flush(&mut engine);
}

fn commit(engine: &mut impl Engine, batch: &mut Vec<Request>, replies: &Mailbox) {
    if batch.is_empty() {
        return;
    }
    for (request, outcome) in batch.iter().zip(engine.apply(batch)) {
        replies.post(Input::Stored(request.op, outcome));
    }
    batch.clear();
}

fn flush(engine: &mut impl Engine) {
    if let Err(e) = engine.flush() {
        tracing::warn!("the store cannot be written: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspath_core::store::Write;
    use bitspath_store::Memory;
    use bitspath_store::conformance::{cdr, request};

    #[test]
    fn every_request_gets_its_outcome_and_queries_see_what_was_submitted_before() {
        let (mailbox, mut inputs) = Mailbox::new();
        let mut store = Threaded::start(Memory::default(), mailbox).expect("starts");
        for op in 0..3000 {
            store.submit(request(op, Write::PutCdr(cdr(u128::from(op), 1, None)), true));
        }
        let (reply, rows) = oneshot::channel();
        store.query(CdrQuery::default(), reply);
        assert_eq!(rows.blocking_recv().expect("answered").expect("reads").len(), 3000);
        store.finish();
        let mut ops = Vec::new();
        while let Ok(Input::Stored(op, Outcome::Done)) = inputs.try_recv() {
            ops.push(op.0);
        }
        assert_eq!(ops, (0..3000).collect::<Vec<_>>());
    }
}
