//! What a step may look at, and what a call is born with.
//! Read-only: the Node's tables stay outside.
use alloc::string::String;
use alloc::vec::Vec;
use bitspath_core::store::CdrId;
use bitspath_core::{Duration, Entropy, Now};
use bitspath_media::PortNo;
pub use bitspath_pbx::Service;
use bitspath_sip::Status;
use bitspath_sip::endpoint::Flow;
use bitspath_sip::transaction::Timers;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// The world as one step sees it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub now: Now,
    pub entropy: &'a Entropy,
    /// Index of this Node, the first octet of every token that it mints.
    pub node: u8,
    /// The number of this call, unique in the life of the Node.
    pub call: u64,
    /// T1, T2 and T4 of the endpoint.
    pub timers: &'a Timers,
    /// Ports that may be leased now, in this order, all of one media shard.
    pub spare_ports: &'a [PortNo],
}

/// How we appear to the peer of one flow: the advertised address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Here {
    /// Host and port of our Contact, as `203.0.113.10:5060`.
    pub host: String,
    /// The address of c= lines.
    pub media: IpAddr,
}

/// A contact to ring: its URI verbatim, over its stored flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    pub uri: String,
    pub flow: Flow,
    pub here: Here,
}

/// The plan of `pbx` with the addresses that the Node added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    /// All at once; the first 2xx wins.
    Ring {
        targets: Vec<Branch>,
        ring: Duration,
    },
    Service(Service),
    Refuse(Status),
}

/// What an attempt is born with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub cdr: CdrId,
    pub tenant: String,
    pub caller: String,
    pub callee: String,
    /// Our tag towards the caller, the same that the endpoint gives to the answer of a CANCEL.
    pub tag: String,
    pub flow: Flow,
    pub here: Here,
    pub route: Route,
}
