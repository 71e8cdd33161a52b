//! What a ladder says, parsed once and run with many seeds.
use crate::peers::sdp::{Codec, Direction, Wish};
use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ladder {
    pub path: String,
    /// The first comment: what the scenario is about.
    pub title: String,
    pub server: Server,
    pub phones: Vec<Phone>,
    pub nats: Vec<NatBox>,
    /// Phones that register before the ladder begins.
    pub registered: Vec<String>,
    pub faults: Vec<FaultLine>,
    pub seeds: Option<(u64, u64)>,
    pub steps: Vec<Step>,
    pub expects: Vec<Expect>,
    /// The source, for the side-by-side picture.
    pub lines: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Server {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    /// One-to-one NAT: what the world calls the first address.
    pub external: Option<IpAddr>,
    /// No authentication at all.
    pub open: bool,
    pub guests: Vec<String>,
    pub ring: Option<Duration>,
    pub algorithms: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Phone {
    pub name: String,
    pub address: IpAddr,
    pub port: u16,
    pub tcp: bool,
    pub tenant: String,
    pub number: String,
    pub password: Option<String>,
    pub user: Option<String>,
    /// The server's address that it uses, when not the first.
    pub via: Option<IpAddr>,
    pub manual: bool,
    pub pick_up: Option<Duration>,
    pub refuse: Option<u16>,
    /// Is in the world and not in the directory.
    pub stranger: bool,
    pub expires: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NatBox {
    pub name: String,
    pub address: IpAddr,
    pub behind: Vec<String>,
    pub filtered: bool,
    pub timeout: Option<Duration>,
}

/// Ranges of which each seed draws one value, for the links between two names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultLine {
    pub from: String,
    pub to: String,
    pub both: bool,
    /// In a million.
    pub loss: (u32, u32),
    pub duplicate: (u32, u32),
    pub reorder: (u32, u32),
    pub corrupt: (u32, u32),
    pub mangle: (u32, u32),
    /// Per packet, in nanoseconds.
    pub delay: (u64, u64),
    pub mtu: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub line: usize,
    pub kind: StepKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    Arrow(Arrow),
    /// `alice ~> bob PCMU 5s`
    Voice {
        from: String,
        codec: Codec,
        length: Duration,
    },
    Wait(Duration),
    AnyOrder(Vec<Step>),
    Verb(Verb),
}

/// What is done to the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// The next so many datagrams from here to there.
    Drop {
        from: String,
        to: String,
        count: u32,
    },
    Duplicate {
        from: String,
        to: String,
        count: u32,
    },
    Delay {
        from: String,
        to: String,
        by: Duration,
    },
    Partition {
        a: String,
        b: String,
        cut: bool,
    },
    Reset {
        a: String,
        b: String,
    },
    Rebind(String),
    Crash(String),
    Restart(String),
    Skew {
        who: String,
        ns: i64,
    },
    Drain(String),
    Shutdown(String),
}

/// Whose doing an arrow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// From a peer: the peer does it.
    Perform,
    /// From the system under test, or unasked by a peer.
    Await,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    pub role: Role,
    pub what: What,
    pub rules: Vec<(String, Rule)>,
    pub media: MediaRule,
    pub again: bool,
    pub within: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Request {
        method: String,
        target: Option<String>,
    },
    Response {
        status: u16,
        method: String,
    },
    /// `hold` and `resume`: a re-INVITE.
    Reinvite(Direction),
    Raw(String),
}

/// What a header must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Is(String),
    Has(String),
    Present,
    Absent,
    /// From the same header of the last arrow with the same method.
    Differs,
    Same,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaRule {
    /// `offer`, `answer`: these codecs in this order; `None` is free.
    pub codecs: Option<Vec<Codec>>,
    pub none: bool,
    pub direction: Option<Direction>,
    pub profile: Option<String>,
    pub video: bool,
    pub lines: Vec<String>,
    pub body: Option<String>,
    /// The ports of the m-lines are zero or not, in order.
    pub refused: Option<Vec<bool>>,
}

impl MediaRule {
    /// What a phone writes for it.
    pub fn wish(&self) -> Option<Wish> {
        let free = self.codecs.is_none()
            && self.direction.is_none()
            && self.profile.is_none()
            && !self.video
            && self.lines.is_empty();
        if self.none || free {
            return None;
        }
        let mut wish = Wish::default();
        if let Some(codecs) = &self.codecs {
            wish.codecs.clone_from(codecs);
        }
        if let Some(direction) = self.direction {
            wish.direction = direction;
        }
        if let Some(profile) = &self.profile {
            wish.profile.clone_from(profile);
        }
        wish.video = self.video;
        wish.lines.clone_from(&self.lines);
        Some(wish)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    pub line: usize,
    pub kind: ExpectKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExpectKind {
    Cdr {
        from: String,
        to: String,
        /// A cause word, or `answered` for either side's hang-up.
        cause: String,
        billed: Option<Duration>,
        status: Option<u16>,
    },
    NoCdr,
    AtRest,
    Registered {
        who: String,
        contacts: Option<usize>,
    },
    NotRegistered(String),
    Hears {
        who: String,
        voice: Voice,
        loss_ppm: Option<u32>,
    },
    Never(Arrow),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voice {
    Of(String),
    Itself,
    Tone,
    Nothing,
}
