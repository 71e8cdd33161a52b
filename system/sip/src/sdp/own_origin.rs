//! Our own `o=` on one leg — RFC 3264 §5, §8: one session id for the life of the dialog, a version
//! that rises by one exactly when the description changed.
use super::session::{Connection, Origin, Session};
use alloc::string::ToString;
use bitspath_core::hash::TraceHasher;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnOrigin {
    pub id: u64,
    /// Of the last description that we sent; zero before the first.
    pub version: u64,
    pub last_hash: Option<u64>,
}

impl OwnOrigin {
    /// `id` from `Entropy` with `Purpose::SessionId`; it is cut to what RFC 3264 §5 allows.
    pub const fn new(id: u64) -> Self {
        OwnOrigin { id: id >> 2, version: 0, last_hash: None }
    }

    /// What stands in `o=` until [`stamp`](Self::stamp) gives the version.
    pub(super) fn blank(&self, ip: IpAddr) -> Origin {
        Origin {
            username: "-".to_string(),
            session_id: self.id,
            session_version: 0,
            connection: Connection::of(ip),
        }
    }

    //= RFC 3264 §8
    /// Gives the session its version: the last one when nothing changed, else the next.
    pub(super) fn stamp(&mut self, session: &mut Session) {
        session.origin.session_version = 0;
        let mut hash = TraceHasher::default();
        hash.fold(session);
        if self.last_hash.replace(hash.0) != Some(hash.0) {
            self.version += 1;
        }
        session.origin.session_version = self.version;
    }
}
