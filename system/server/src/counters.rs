//! What this Node has counted since its start: plain numbers, frozen with the rest. A counter only
//! rises; gauges are read from the tables when somebody asks (see `metrics`).
use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($name:ident $metric:literal $labels:expr, $help:literal;)+) => {
        /// One counter of the Node.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Count { $($name),+ }

        impl Count {
            pub const ALL: &'static [Count] = &[$(Count::$name),+];

            /// Metric name, labels and help, as Prometheus shows them.
            pub const fn metric(self) -> (&'static str, &'static [(&'static str, &'static str)],
                &'static str) {
                match self { $(Count::$name => ($metric, $labels, $help)),+ }
            }
        }
    };
}

counters! {
    Bugs "bugs_total" &[], "Broken invariants of our own that buried a call";
    CallsStarted "calls_started_total" &[], "Call attempts that were let in";
    CallsAnswered "calls_answered_total" &[], "Calls that were answered";
    CallsEnded "calls_ended_total" &[], "Call attempts that are over";
    Registrations "registers_total" &[("result", "ok")], "REGISTER requests answered with 200";
    RegisterRefused "registers_total" &[("result", "refused")],
        "REGISTER requests answered with anything else after authentication";
    AuthChallenged "auth_total" &[("result", "challenged")], "Requests that brought no credentials";
    AuthStale "auth_total" &[("result", "stale")], "Right digests with an old nonce";
    AuthWrong "auth_total" &[("result", "wrong")], "Wrong credentials";
    AuthOk "auth_total" &[("result", "ok")], "Requests with right credentials";
    AuthForeign "auth_total" &[("result", "foreign")], "Right credentials of somebody else: 403";
    GuestsAdmitted "auth_total" &[("result", "guest")], "Unauthenticated calls let in to a service";
    RejectedHops "rejects_total" &[("why", "483")], "Requests without hops left";
    RejectedMerged "rejects_total" &[("why", "482")], "Merged requests";
    RejectedDialog "rejects_total" &[("why", "481")], "Requests within no dialog of ours";
    RejectedMethod "rejects_total" &[("why", "405")], "Known methods that we do not serve";
    RejectedUnknown "rejects_total" &[("why", "501")], "Methods that nobody knows";
    RejectedEvent "rejects_total" &[("why", "489")], "Subscriptions to events that we do not have";
    RejectedExtension "rejects_total" &[("why", "420")], "Extensions required that we do not have";
    RejectedBody "rejects_total" &[("why", "415")], "Bodies that we do not understand";
    RejectedAccept "rejects_total" &[("why", "406")], "Callers that accept no SDP";
    RejectedDrain "rejects_total" &[("why", "drain")], "Calls refused while draining: 503";
    RejectedFull "rejects_total" &[("why", "full")], "Calls refused at a limit: 503";
    RejectedPlan "rejects_total" &[("why", "plan")], "Calls that the dialplan refuses";
    RejectedAddress "rejects_total" &[("why", "address")],
        "Requests whose own address cannot be read";
    DoorPings "door_total" &[("what", "ping")], "Keep-alives answered at the door";
    DoorStuns "door_total" &[("what", "stun")], "STUN requests answered at the door";
    DoorDropped "door_total" &[("what", "dropped")], "Datagrams that are not SIP";
    DoorShed "door_total" &[("what", "shed")], "Datagrams shed under load";
    StoreFailed "store_failed_total" &[], "Writes that the store refused";
    KeepAlives "keepalives_total" &[], "Keep-alives sent to phones behind NAT";
    ConfigLoaded "config_total" &[("result", "loaded")], "Configurations taken";
    ConfigRefused "config_total" &[("result", "refused")], "Configurations refused";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    counts: Vec<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters { counts: vec![0; Count::ALL.len()] }
    }
}

impl Counters {
    pub fn add(&mut self, count: Count) {
        self.add_n(count, 1);
    }

    pub fn add_n(&mut self, count: Count, n: u64) {
        if let Some(value) = self.counts.get_mut(count as usize) {
            *value = value.saturating_add(n);
        }
    }

    pub fn get(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or(0)
    }
}
