//! Which transaction a message belongs to — RFC 3261 §17.1.3, §17.2.3, §8.2.2.2, §9.2.
//! Owns: what is compared. Each identity is one keyed 128-bit hash (SipHash-1-3, key from the
//! entropy), so that the table stays small and no peer can make two identities meet.
//! Does not know: the table.
//! Missing: the To tag in the RFC 2543 identity of INVITE, ACK and CANCEL (the ACK's is ours, the
//! INVITE's is absent, so it cannot tell two of them apart); a CANCEL for anything but an INVITE.
use crate::method::Method;
use crate::mint::MAGIC_COOKIE;
use crate::wire::Message;
use bitspath_core::{Entropy, Purpose};
use core::hash::Hasher;
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

/// One identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(pub u64, pub u64);

/// Makes identities; its secret comes from the entropy.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Keys {
    secret: (u64, u64),
}

/// Kinds of identity: they share one index and never meet.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Client,
    SentBy,
    Server,
    Server2543,
    Merged,
}

impl Keys {
    pub fn new(entropy: &Entropy) -> Self {
        let draw = |n| entropy.at(Purpose::TableKey, 0x0074_786e, n);
        Keys { secret: (draw(0), draw(1)) }
    }

    //= RFC 3261 §17.1.3
    /// A response belongs to the client transaction with its branch and the method of its CSeq.
    pub fn client(&self, branch: &str, method: Method) -> Key {
        self.hash(Kind::Client).text(branch).text(method.as_str()).key()
    }

    //= RFC 3261 §18.1.2
    /// The sent-by that a response must bring back.
    pub fn sent_by(&self, host: &str, port: Option<u16>) -> u64 {
        self.hash(Kind::SentBy).text(host).number(port_of(port)).key().0
    }

    //= RFC 3261 §17.2.3
    /// The server transaction of `request`, taken as if its method were `method`: an ACK and a
    /// CANCEL look for the INVITE.
    pub fn server(&self, request: &Message, method: Method) -> Key {
        let via = request.top_via();
        let name = if method == Method::Other { request.method_token() } else { method.as_str() };
        match via.branch().filter(|b| is_rfc_3261(b)) {
            Some(branch) => self
                .hash(Kind::Server)
                .text(branch)
                .text(via.host)
                .number(port_of(via.port))
                .text(name)
                .key(),
            None => {
                let hash = self.conversation(Kind::Server2543, request);
                let hash = match method {
                    Method::Invite => hash,
                    _ => hash.text(request.to_tag().unwrap_or("")),
                };
                hash.text(request.uri_text()).text(via.text).text(name).key()
            }
        }
    }

    //= RFC 3261 §8.2.2.2
    /// What two copies of one request that came by different paths have in common.
    pub fn merged(&self, request: &Message) -> Key {
        self.conversation(Kind::Merged, request).text(request.method_token()).key()
    }

    fn conversation(&self, kind: Kind, request: &Message) -> Hash {
        self.hash(kind)
            .text(request.from_tag().unwrap_or(""))
            .text(request.call_id())
            .number(u64::from(request.cseq()))
    }

    fn hash(&self, kind: Kind) -> Hash {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write_u8(kind as u8);
        Hash(hasher)
    }
}

//= RFC 3261 §17.2.3
/// Does the branch identify a transaction by itself? The bare cookie (RFC 4475 §3.2.1, badbranch)
/// identifies nothing.
pub fn is_rfc_3261(branch: &str) -> bool {
    let (cookie, rest) = branch.as_bytes().split_at(MAGIC_COOKIE.len().min(branch.len()));
    cookie.eq_ignore_ascii_case(MAGIC_COOKIE.as_bytes()) && !rest.is_empty()
}

fn port_of(port: Option<u16>) -> u64 {
    u64::from(port.unwrap_or(5060))
}

struct Hash(SipHasher13);

impl Hash {
    /// RFC 3261 §7.3.1: without case. The length goes in, so that neighbours cannot flow together.
    fn text(mut self, text: &str) -> Self {
        let mut chunk = [0u8; 32];
        for part in text.as_bytes().chunks(chunk.len()) {
            if let Some(room) = chunk.get_mut(..part.len()) {
                room.copy_from_slice(part);
                room.make_ascii_lowercase();
                self.0.write(room);
            }
        }
        self.0.write_u64(text.len() as u64);
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.0.write_u64(number);
        self
    }

    fn key(self) -> Key {
        let hash = self.0.finish128();
        Key(hash.h1, hash.h2)
    }
}
