//! What a user, or a ladder, may ask of a phone. A wish that cannot be carried out yet (no call
//! has come, no final to ACK) is left undone and asked again.
use super::client::Draft;
use super::{Phone, Stage};
use crate::kernel::Cx;
use crate::peers::sdp::{Direction, Wish};
use bytes::Bytes;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Do {
    Register {
        expires: Option<u32>,
        headers: Vec<(String, String)>,
    },
    Invite {
        target: String,
        offer: Option<Wish>,
        headers: Vec<(String, String)>,
    },
    /// A re-INVITE with a new direction of our media.
    Reinvite {
        direction: Direction,
        offer: Option<Wish>,
        headers: Vec<(String, String)>,
    },
    Cancel,
    Ack,
    Bye {
        headers: Vec<(String, String)>,
    },
    /// A response to the newest open request of a method (INVITE when `None`).
    Answer {
        status: u16,
        method: Option<String>,
        answer: Option<Wish>,
        headers: Vec<(String, String)>,
    },
    /// Any other method; inside the newest call when no target is named.
    Request {
        method: String,
        target: Option<String>,
        headers: Vec<(String, String)>,
        body: String,
    },
    Raw(Bytes),
}

impl Phone {
    /// The newest call that is not over.
    fn current(&self) -> Option<usize> {
        self.calls.iter().rposition(|c| c.stage != Stage::Over)
    }

    fn current_at(&self, stage: Stage) -> Option<usize> {
        self.calls.iter().rposition(|c| c.stage == stage)
    }

    /// Carries out a wish; false when it cannot be done yet.
    pub fn perform(&mut self, cx: &mut Cx<'_>, wish: &Do) -> bool {
        let done = self.try_perform(cx, wish);
        self.settle();
        done
    }

    fn try_perform(&mut self, cx: &mut Cx<'_>, wish: &Do) -> bool {
        match wish {
            Do::Register { expires, headers } => {
                let expires = expires.unwrap_or(self.id.expires);
                self.register_with(cx, expires, headers);
                true
            }
            Do::Invite { target, offer, headers } => {
                self.dial(cx, target, offer.clone(), headers.clone());
                true
            }
            Do::Reinvite { direction, offer, headers } => {
                self.reinvite(cx, *direction, offer.as_ref(), headers)
            }
            Do::Cancel => {
                let Some(at) = self.current() else { return false };
                if !self.has_provisional(at) {
                    // RFC 3261 §9.1: not before a provisional came.
                    return false;
                }
                self.send_cancel(cx, at);
                true
            }
            Do::Ack => {
                let Some(at) = self.calls.iter().rposition(|c| c.ack_due) else { return false };
                self.release_ack(cx, at);
                true
            }
            Do::Bye { headers } => {
                let Some(at) = self.current_at(Stage::Up) else { return false };
                self.send_in_call(cx, at, "BYE", headers.clone(), None);
                true
            }
            Do::Answer { status, method, answer, headers } => {
                self.answer(cx, *status, method.as_deref(), answer.as_ref(), headers)
            }
            Do::Request { method, target, headers, body } => {
                self.plain(cx, method, target.as_deref(), headers, body)
            }
            Do::Raw(bytes) => {
                self.transmit(cx, self.id.server, bytes.clone());
                true
            }
        }
    }

    fn reinvite(
        &mut self,
        cx: &mut Cx<'_>,
        direction: Direction,
        offer: Option<&Wish>,
        headers: &[(String, String)],
    ) -> bool {
        let Some(at) = self.current_at(Stage::Up) else { return false };
        let Some(call) = self.calls.get_mut(at) else { return false };
        let wish = Wish { direction, ..offer.cloned().unwrap_or_else(|| call.wish.clone()) };
        call.offer(wish);
        let body = self.describe(at);
        self.send_in_call(cx, at, "INVITE", headers.to_vec(), body);
        true
    }

    fn answer(
        &mut self,
        cx: &mut Cx<'_>,
        status: u16,
        method: Option<&str>,
        answer: Option<&Wish>,
        headers: &[(String, String)],
    ) -> bool {
        let found = match method {
            None | Some("INVITE") => self.open_invite(),
            Some(method) => self.open_request(method),
        };
        let Some(server) = found else { return false };
        let invite = matches!(method, None | Some("INVITE"));
        let accepts = invite && (200..300).contains(&status);
        if accepts || answer.is_some() {
            self.accept(cx, server, status, answer.cloned(), headers);
        } else {
            self.respond(cx, server, status, headers, None);
        }
        true
    }

    /// OPTIONS, MESSAGE, SUBSCRIBE, INFO, an unknown method: nothing that the phone understands.
    fn plain(
        &mut self,
        cx: &mut Cx<'_>,
        method: &str,
        target: Option<&str>,
        headers: &[(String, String)],
        body: &str,
    ) -> bool {
        let body = (!body.is_empty()).then(|| body.to_owned());
        let (Some(target), _) = (target, ()) else {
            let Some(at) = self.current() else { return false };
            self.send_in_call(cx, at, method, headers.to_vec(), body);
            return true;
        };
        let uri = match target {
            "pbx" => format!("sip:{}", self.id.domain),
            t if t.contains(':') => t.to_owned(),
            t => format!("sip:{t}@{}", self.id.domain),
        };
        let tag = self.token(cx);
        let call_id = self.token(cx);
        let mut headers = headers.to_vec();
        let mut take = |name: &str| {
            let at = headers.iter().position(|(n, _)| n.eq_ignore_ascii_case(name))?;
            Some(headers.remove(at).1)
        };
        let to = take("To").unwrap_or_else(|| format!("<{uri}>"));
        let from = take("From").unwrap_or_else(|| format!("<{}>", self.aor()));
        let body_type = take("Content-Type").unwrap_or_else(|| "text/plain".to_owned());
        let draft = Draft {
            method: method.to_owned(),
            from: format!("{from};tag={tag}"),
            to,
            uri,
            call_id,
            cseq: 1,
            headers,
            body,
            body_type,
        };
        self.request(cx, self.id.server, draft, None);
        true
    }
}
