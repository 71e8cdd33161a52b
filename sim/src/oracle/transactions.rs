//! Exactly one final per server transaction, and nothing after it — RFC 3261 §17.2, §8.2.6.
//! The system under test may repeat the same octets; any other octets are a second answer.
use super::Say;
use crate::trail::Arrow;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

#[derive(Clone, Debug)]
struct Answered {
    /// 0 while only provisional.
    status: u16,
    label: String,
}

#[derive(Debug, Default)]
pub(super) struct Transactions {
    answered: BTreeMap<u64, Answered>,
}

impl Transactions {
    pub fn sent(&mut self, arrow: &Arrow, say: &mut Say<'_>) {
        let seen = &arrow.seen;
        if seen.is_request() {
            return;
        }
        let key = xxh3_64(seen.via().as_bytes());
        let key = xxh3_64_with_seed(seen.call_id().as_bytes(), key ^ u64::from(seen.cseq()));
        let key = xxh3_64_with_seed(seen.method().as_bytes(), key);
        let status = if seen.status() < 200 { 0 } else { seen.status() };
        match self.answered.get_mut(&key) {
            None => {
                self.answered.insert(key, Answered { status, label: seen.label() });
            }
            Some(known) if known.status == 0 => {
                known.status = status;
                known.label = seen.label();
            }
            Some(known) => {
                let what = format!("{} after the final {}", seen.label(), known.label);
                say("one final per transaction", what);
            }
        }
    }

    /// An INVITE that got a provisional must have got a final by now.
    pub fn at_rest(&self, say: &mut Say<'_>) {
        for known in self.answered.values().filter(|k| k.status == 0) {
            say("one final per transaction", format!("{} was never followed by one", known.label));
        }
    }
}
