//! One leg: a dialog with one peer over one flow, and the INVITE that is under way in it.
//! Owns: our tag, Call-ID, CSeq and o= line on this leg.  Does not know: the other leg.
//!
//! ```text
//!   dialog   Early ─2xx▶ Up ─BYE sent▶ Leaving ─answer▶ Down      Early ─refused▶ Down
//!                         └──BYE received────────────────▲
//!   INVITE   Idle ─received▶ Received ─2xx▶ Answered ─ACK▶ Idle          (see uas_leg)
//!            Idle ─sent▶ Sent ─2xx▶ Idle, or Unacked ─answer▶ Idle       (see uac_leg)
//! ```
use crate::effect::{Effect, LegId, ReqId};
use crate::facts::Here;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use bitspath_core::Outbox;
use bitspath_core::net::Transport;
use bitspath_sip::Method;
use bitspath_sip::dialog::{Accepted, Dialog};
use bitspath_sip::endpoint::{Flow, TxnId};
use bitspath_sip::sdp::{OwnOrigin, Session};
use bitspath_sip::wire::{Body, OutRequest};
use serde::{Deserialize, Serialize};

/// Methods that work inside a dialog of ours; Allow says these and no other.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS";
/// RFC 3261 §8.1.1.6, for a request of ours that continues nobody's.
pub const MAX_FORWARDS: u8 = 70;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegState {
    Early,
    Up,
    /// Our BYE waits for its answer.
    Leaving {
        req: ReqId,
    },
    Down,
}

/// The INVITE under way in this leg; at most one, RFC 3261 §14.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Invite {
    Idle,
    /// The peer's, without our final response.
    Received {
        txn: TxnId,
        cseq: u32,
    },
    /// The peer's, with our 2xx that is repeated until its ACK.
    Answered {
        txn: TxnId,
        cseq: u32,
        accepted: Accepted,
    },
    /// Ours, without a final response. `ask` is kept for the dialog that a first INVITE makes.
    Sent {
        req: ReqId,
        ask: Box<OutRequest>,
        cancelled: bool,
    },
    /// Ours, with the peer's 2xx whose offer we have not answered yet.
    Unacked {
        req: ReqId,
        cseq: u32,
        offer: Box<Session>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leg {
    pub flow: Flow,
    pub here: Here,
    /// Our tag; also the user part of our Contact, so both carry the Node's index.
    pub tag: String,
    pub state: LegState,
    pub invite: Invite,
    pub dialog: Option<Dialog>,
    pub origin: OwnOrigin,
    /// The hang-up waits for the ACK to our 2xx.
    pub bye_after_ack: bool,
    reqs: u32,
}

impl Leg {
    pub fn new(flow: Flow, here: Here, tag: String, session_id: u64) -> Leg {
        Leg {
            flow,
            here,
            tag,
            state: LegState::Early,
            invite: Invite::Idle,
            dialog: None,
            origin: OwnOrigin::new(session_id),
            bye_after_ack: false,
            reqs: 0,
        }
    }

    /// Our Contact on this leg, with the transport of its flow.
    pub fn contact(&self) -> String {
        match self.flow.transport {
            Transport::Udp => format!("<sip:{}@{}>", self.tag, self.here.host),
            other => {
                let transport = other.via_token().to_ascii_lowercase();
                format!("<sip:{}@{};transport={transport}>", self.tag, self.here.host)
            }
        }
    }

    /// The number of the leg's next transaction.
    pub fn mint(&mut self) -> ReqId {
        self.reqs += 1;
        ReqId(self.reqs)
    }

    pub fn is_up(&self) -> bool {
        self.state == LegState::Up
    }

    /// Neither side owes the other anything on this leg.
    pub fn is_at_rest(&self) -> bool {
        self.state == LegState::Down && matches!(self.invite, Invite::Idle)
    }

    /// A request inside the dialog, sent over the leg's flow.
    pub fn request(
        &mut self,
        id: LegId,
        method: Method,
        body: Option<Body>,
        out: &mut Outbox<Effect>,
    ) -> Option<(ReqId, OutRequest)> {
        let contact = (method == Method::Invite).then(|| self.contact());
        let mut request = self.dialog.as_mut()?.request(method, contact, MAX_FORWARDS);
        request.body = body;
        let req = self.mint();
        out.push(Effect::Request { leg: id, req, flow: self.flow, request: request.clone() });
        Some((req, request))
    }

    /// Says how to end this leg should the call be buried.
    pub fn will(&self, id: LegId, out: &mut Outbox<Effect>) {
        if let Some(mut dialog) = self.dialog.clone() {
            let bye = dialog.request(Method::Bye, None, MAX_FORWARDS);
            out.push(Effect::Will { leg: id, flow: self.flow, bye });
        }
    }

    pub fn down(&mut self, id: LegId, out: &mut Outbox<Effect>) {
        self.state = LegState::Down;
        out.push(Effect::NoWill { leg: id });
    }

    /// The tag of the peer, once a dialog is there.
    pub fn remote_tag(&self) -> Option<&str> {
        self.dialog.as_ref().map(|d| d.remote_tag.as_str())
    }
}
