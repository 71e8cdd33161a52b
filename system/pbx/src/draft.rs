//! What the bindings of one address of record would be after a REGISTER — RFC 3261 §10.3 step 7.
//! All contacts of the request are tried on a draft; only a draft that went through is committed,
//! so a failed request leaves nothing behind.
use crate::binding::{Binding, Contact, What, same_uri};
use crate::location::Kept;
use alloc::string::String;
use alloc::vec::Vec;
use bitspath_core::limits::CONTACTS_PER_AOR_MAX;
use bitspath_core::{Duration, Id, Now};
use bitspath_sip::endpoint::Flow;

/// What all contacts of one request share.
pub(crate) struct Stamp<'a> {
    pub now: Now,
    pub call_id: &'a str,
    pub cseq: u32,
    pub flow: Flow,
    /// Keep the flow alive.
    pub watched: bool,
}

pub(crate) struct Entry {
    /// Its place in the table; `None` until committed.
    pub id: Option<Id<Kept>>,
    pub binding: Binding,
    /// Order of the last refresh.
    pub seq: u64,
    /// This request wrote it.
    pub touched: bool,
    pub watched: bool,
}

pub(crate) struct Draft {
    pub entries: Vec<Entry>,
    pub gone: Vec<(Id<Kept>, What)>,
    pub seq: u64,
}

/// A request that is older than what it wants to change: it fails as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

impl Draft {
    /// One contact with its expiry in seconds; zero removes.
    pub fn apply(
        &mut self,
        contact: Contact,
        seconds: u32,
        stamp: &Stamp<'_>,
    ) -> Result<(), OutOfOrder> {
        let hits = self.hits(&contact, seconds == 0);
        for entry in hits.iter().filter_map(|n| self.entries.get(*n)) {
            stamp.follows(entry)?;
        }
        let binding = (seconds > 0).then(|| stamp.binding(contact, seconds));
        let place = binding.as_ref().and(hits.first().copied());
        let what = if binding.is_some() { What::Replaced } else { What::Removed };
        for n in hits.into_iter().rev().filter(|n| Some(*n) != place) {
            self.drop_at(n, what);
        }
        let Some(binding) = binding else { return Ok(()) };
        self.seq += 1;
        let (seq, watched) = (self.seq, stamp.watched);
        // The places before the first hit did not move.
        match place.and_then(|n| self.entries.get_mut(n)) {
            Some(e) => *e = Entry { id: e.id, binding, seq, touched: true, watched },
            None => self.entries.push(Entry { id: None, binding, seq, touched: true, watched }),
        }
        Ok(())
    }

    /// `Contact: *`.
    pub fn clear(&mut self, stamp: &Stamp<'_>) -> Result<(), OutOfOrder> {
        self.entries.iter().try_for_each(|e| stamp.follows(e))?;
        while let Some(last) = self.entries.len().checked_sub(1) {
            self.drop_at(last, What::Removed);
        }
        Ok(())
    }

    /// At the cap the oldest goes.
    pub fn shed(&mut self) {
        while self.entries.len() > CONTACTS_PER_AOR_MAX {
            let oldest = (0..).zip(&self.entries).min_by_key(|(_, e)| e.seq).map(|(n, _)| n);
            self.drop_at(oldest.unwrap_or(0), What::Replaced);
        }
    }

    /// The bindings that a contact means, in their order: those of an equal URI, and those of the
    /// same instance. A removal means the instance only where no URI is equal, and never undoes
    /// what the same request wrote ("the new address, and the old one with expires 0").
    fn hits(&self, contact: &Contact, removal: bool) -> Vec<usize> {
        let places = || (0usize..).zip(&self.entries);
        let by_uri: Vec<usize> = places()
            .filter(|(_, e)| same_uri(&e.binding.uri, &contact.uri))
            .map(|(n, _)| n)
            .collect();
        if removal && !by_uri.is_empty() {
            return by_uri;
        }
        let same = |e: &Entry| {
            contact.instance.is_some()
                && e.binding.instance == contact.instance
                && !(removal && e.touched)
        };
        let hit = |(n, e): &(usize, &Entry)| by_uri.contains(n) || same(e);
        places().filter(hit).map(|(n, _)| n).collect()
    }

    fn drop_at(&mut self, n: usize, what: What) {
        if n < self.entries.len() {
            let entry = self.entries.remove(n);
            self.gone.extend(entry.id.map(|id| (id, what)));
        }
    }
}

impl Stamp<'_> {
    //= RFC 3261 §10.3
    // Within one Call-ID only a higher CSeq may change a binding; another Call-ID always may.
    fn follows(&self, entry: &Entry) -> Result<(), OutOfOrder> {
        let b = &entry.binding;
        let is_older = !entry.touched && b.call_id == self.call_id && b.cseq >= self.cseq;
        if is_older { Err(OutOfOrder) } else { Ok(()) }
    }

    fn binding(&self, contact: Contact, seconds: u32) -> Binding {
        Binding {
            contact_value: contact.value,
            uri: contact.uri,
            flow: self.flow,
            q: contact.q,
            expires: self.now.mono + Duration::from_secs(u64::from(seconds)),
            call_id: String::from(self.call_id),
            cseq: self.cseq,
            instance: contact.instance,
            registered: self.now.mono,
        }
    }
}
