//! A user agent that speaks SIP as text.
#![allow(dead_code)]
use crate::world::{World, at, status};
use bitspath_sip::{HeaderName, Message};
use std::net::SocketAddr;

/// One user agent: it numbers its requests and answers a challenge once.
pub struct Phone {
    pub user: String,
    pub password: String,
    pub domain: String,
    pub addr: SocketAddr,
    pub call_id: String,
    pub cseq: u32,
    pub branch: u32,
    /// Sent with the next request, if any.
    pub authorization: Option<String>,
}

impl Phone {
    pub fn new(user: &str, password: &str, domain: &str, addr: &str) -> Phone {
        Phone {
            user: user.to_owned(),
            password: password.to_owned(),
            domain: domain.to_owned(),
            addr: at(addr),
            call_id: format!("{user}-{domain}-{addr}"),
            cseq: 0,
            branch: 0,
            authorization: None,
        }
    }

    /// A request as text, with the next CSeq and a new branch. `more` are whole header lines.
    pub fn request(&mut self, method: &str, uri: &str, to: &str, more: &str, body: &str) -> String {
        self.cseq += 1;
        self.branch += 1;
        let Phone { user, domain, addr, call_id, cseq, branch, .. } = self;
        let salt = call_id.replace(':', "-");
        let auth = self
            .authorization
            .take()
            .map(|a| format!("Authorization: {a}\r\n"))
            .unwrap_or_default();
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {addr};branch=z9hG4bK-{salt}-{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@{domain}>;tag=t{user}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:{user}@{addr}>\r\n\
             {auth}{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub fn register_text(&mut self, more: &str) -> String {
        let uri = format!("sip:{}", self.domain);
        let to = format!("<sip:{}@{}>", self.user, self.domain);
        self.request("REGISTER", &uri, &to, more, "")
    }

    /// REGISTER, answering one challenge; the final answer.
    pub fn register(&mut self, world: &mut World, more: &str) -> Message {
        let text = self.register_text(more);
        let first = world.send(self.addr, &text).pop().expect("an answer");
        if status(std::slice::from_ref(&first)) != 401 {
            return first;
        }
        let uri = format!("sip:{}", self.domain);
        self.authorization = Some(self.answer(&first, "REGISTER", &uri));
        let text = self.register_text(more);
        world.send(self.addr, &text).pop().expect("an answer")
    }

    /// INVITE to a number of the own tenant, answering one challenge; the last answer.
    pub fn call(&mut self, world: &mut World, number: &str) -> Message {
        let uri = format!("sip:{number}@{}", self.domain);
        let to = format!("<{uri}>");
        let text = self.request("INVITE", &uri, &to, "", "");
        let first = world.send(self.addr, &text).pop().expect("an answer");
        if status(std::slice::from_ref(&first)) != 401 {
            return first;
        }
        world.send(self.addr, &ack_of(&text, &first));
        self.authorization = Some(self.answer(&first, "INVITE", &uri));
        let text = self.request("INVITE", &uri, &to, "", "");
        world.send(self.addr, &text).pop().expect("an answer")
    }

    /// The Authorization value for this challenge.
    pub fn answer(&self, challenge: &Message, method: &str, uri: &str) -> String {
        let text = challenge.header(HeaderName::WwwAuthenticate).expect("a 401 has a challenge");
        bitspath_sip::digest::answer(text, &self.user, &self.password, method, uri, 1, "c0ffee")
            .expect("a challenge that can be answered")
    }
}

/// The ACK for a final answer that is no 2xx, RFC 3261 §17.1.1.3.
pub fn ack_of(invite: &str, answer: &Message) -> String {
    let to = answer.header(HeaderName::To).expect("a To");
    let (head, _) = invite.split_once("\r\n\r\n").expect("a head");
    let keep = ["Via:", "Max-Forwards:", "From:", "Call-ID:"];
    let mut out = head.lines().next().expect("a line").replacen("INVITE", "ACK", 1);
    for line in head.lines().filter(|l| keep.iter().any(|k| l.starts_with(k))) {
        out.push_str(&format!("\r\n{line}"));
    }
    let cseq = head.lines().find(|l| l.starts_with("CSeq:")).expect("a CSeq");
    let cseq = cseq.replace("INVITE", "ACK");
    out.push_str(&format!("\r\nTo: {to}\r\n{cseq}\r\nContent-Length: 0\r\n\r\n"));
    out
}
