//! The end of a Node, in two steps that an operator can see.
//!
//! ```text
//!   Open ──1st Shutdown──▶ Closed ──2nd, or end now──▶ Ending ──no call, no write left──▶ Stopped
//!    │◀──────Resume──────────┘ └─────────no call, no write left────────────────────────────▲
//!    └─Drain (operator)─▶ Held ──Resume──▶ Open        Held never stops by itself
//! ```
//! New calls are refused with 503 and Retry-After in every state but `Open`; registrations and the
//! requests of live calls are served to the last.
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drain {
    #[default]
    Open,
    Held,
    Closed,
    Ending,
    Stopped,
}

impl Drain {
    pub const fn refuses_calls(self) -> bool {
        !matches!(self, Drain::Open)
    }

    /// The next state after a `Shutdown`; true when calls are to be ended now.
    pub const fn shutdown(self, now_end_calls: bool) -> (Drain, bool) {
        match self {
            Drain::Stopped => (Drain::Stopped, false),
            Drain::Ending => (Drain::Ending, false),
            Drain::Closed => (Drain::Ending, true),
            Drain::Open | Drain::Held if now_end_calls => (Drain::Ending, true),
            Drain::Open | Drain::Held => (Drain::Closed, false),
        }
    }

    /// Whether the Node may stop once nothing is alive.
    pub const fn wants_to_stop(self) -> bool {
        matches!(self, Drain::Closed | Drain::Ending)
    }
}
