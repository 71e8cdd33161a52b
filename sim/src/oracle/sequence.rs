//! CSeq of what the system under test sends in one dialog rises — RFC 3261 §12.2.1.1; an ACK and a
//! CANCEL carry the number of their INVITE (§9.1, §13.2.2.4).
use super::Say;
use crate::seen::Seen;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// Highest number and the number of the last INVITE, by Call-ID and our tag.
    dialogs: BTreeMap<u64, (u32, u32)>,
}

impl Sequence {
    pub fn sent(&mut self, seen: &Seen, say: &mut Say<'_>) {
        if !seen.is_request() {
            return;
        }
        let key = xxh3_64_with_seed(seen.from_tag().as_bytes(), xxh3_64(seen.call_id().as_bytes()));
        let cseq = seen.cseq();
        let known = self.dialogs.get(&key).copied();
        match (seen.method(), known) {
            ("ACK" | "CANCEL", Some((_, invite))) if invite == cseq => {}
            ("ACK" | "CANCEL", known) => {
                let what = format!("{} {cseq} and no such INVITE ({known:?})", seen.method());
                say("CSeq rises", what);
            }
            (_, Some((last, _))) if cseq <= last => {
                say("CSeq rises", format!("{} {cseq} after {last}", seen.method()));
            }
            (method, known) => {
                let invite =
                    if method == "INVITE" { cseq } else { known.map_or(0, |(_, invite)| invite) };
                self.dialogs.insert(key, (cseq, invite));
            }
        }
    }
}
