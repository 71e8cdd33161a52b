//! Phones that do the obvious unasked: ACK finals, answer BYE and CANCEL, take calls as told.
use crate::phone::{Phone, ack_of};
use crate::world::{World, status};
use bitspath_core::Duration;
use bitspath_server::Query;
use bitspath_server::query::Row;
use bitspath_sip::{HeaderName, Message};
use std::collections::BTreeMap;

pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8\r\n";
const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8\r\na=sendonly\r\n";
const SDP: &str = "v=0\r\no=- 2 1 IN IP4 10.0.0.12\r\ns=-\r\nc=IN IP4 10.0.0.12\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\n";
const TYPE: &str = "Content-Type: application/sdp\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Answer,
    Ring,
    Busy,
}

pub struct Ua {
    pub phone: Phone,
    pub takes: Takes,
    pub acknowledges: bool,
    /// INVITEs that ring.
    ringing: Vec<Message>,
    /// The last dialog: the peer's Contact, our From and their To, with tags.
    dialog: Option<(String, String, String)>,
    /// Requests that we sent, by Call-ID and CSeq, and the finals that they got.
    sent: BTreeMap<(String, u32, String), (String, Vec<u16>)>,
    /// In a call, as far as this phone knows.
    talking: bool,
    tag: String,
}

impl Ua {
    fn new(user: &str, addr: &str) -> Ua {
        Ua {
            phone: Phone::new(user, "x", "example.com", addr),
            takes: Takes::Answer,
            acknowledges: true,
            ringing: Vec::new(),
            dialog: None,
            sent: BTreeMap::new(),
            talking: false,
            tag: format!("u{}", addr.replace([':', '.'], "")),
        }
    }

    /// The next INVITE begins another call.
    pub fn next_call(&mut self) {
        self.phone.call_id.push('x');
        self.dialog = None;
    }

    fn send(&mut self, w: &mut World, method: &str, uri: &str, to: &str, body: &str) {
        let more = if body.is_empty() { "" } else { TYPE };
        let text = self.phone.request(method, uri, to, more, body);
        let key = (self.phone.call_id.clone(), self.phone.cseq, method.to_owned());
        self.sent.insert(key, (text.clone(), Vec::new()));
        w.datagram(self.phone.addr, text.into_bytes().into());
    }

    /// A request in the dialog, as the caller sees it.
    fn within(&mut self, w: &mut World, method: &str, body: &str) {
        if let Some((contact, _, to)) = self.dialog.clone() {
            self.send(w, method, &contact, &to, body);
        }
    }

    /// A request in the dialog, as the callee sees it: From and To change places.
    fn callee_within(&mut self, w: &mut World, method: &str, cseq: u32, body: &str) {
        let Some((contact, from, to)) = self.dialog.clone() else { return };
        let addr = self.phone.addr;
        let call_id = self.phone.call_id.clone();
        let more = if body.is_empty() { "" } else { TYPE };
        let text = format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {addr};branch=z9hG4bKc{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:1002@{addr}>\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.sent.insert((call_id, cseq, method.to_owned()), (text.clone(), Vec::new()));
        w.datagram(addr, text.into_bytes().into());
    }

    fn hear(&mut self, w: &mut World, msg: &Message) {
        match msg.is_request() {
            true => self.hear_request(w, msg),
            false => self.hear_response(w, msg),
        }
    }

    fn hear_request(&mut self, w: &mut World, msg: &Message) {
        match msg.method_token() {
            "INVITE" if msg.to_tag().is_some() => self.answer(w, msg, "200 OK"),
            "INVITE" => {
                self.phone.call_id = msg.call_id().to_owned();
                match self.takes {
                    Takes::Busy => self.reply(w, msg, "486 Busy Here", ""),
                    Takes::Ring | Takes::Answer => {
                        self.reply(w, msg, "180 Ringing", "");
                        self.ringing.push(msg.clone());
                    }
                }
                if self.takes == Takes::Answer {
                    self.pick_up(w);
                }
            }
            "CANCEL" => {
                self.reply(w, msg, "200 OK", "");
                if let Some(ring) = self.ringing.pop() {
                    self.reply(w, &ring, "487 Request Terminated", "");
                }
            }
            "ACK" => {}
            "BYE" => {
                self.talking = false;
                self.reply(w, msg, "200 OK", "");
            }
            _ => self.reply(w, msg, "200 OK", ""),
        }
    }

    fn pick_up(&mut self, w: &mut World) {
        let Some(ring) = self.ringing.pop() else { return };
        self.talking = true;
        let contact = ring.contacts().first().map(|c| c.uri_text.to_owned()).unwrap_or_default();
        let to = ring.header(HeaderName::To).unwrap_or_default();
        let from = format!("{to};tag={}", self.tag);
        let to = ring.header(HeaderName::From).unwrap_or_default().to_owned();
        self.dialog = Some((contact, from, to));
        self.answer(w, &ring, "200 OK");
    }

    fn answer(&mut self, w: &mut World, msg: &Message, line: &str) {
        self.reply(w, msg, line, SDP);
    }

    fn reply(&mut self, w: &mut World, msg: &Message, line: &str, body: &str) {
        let mut out = format!("SIP/2.0 {line}\r\n");
        for via in msg.vias() {
            out.push_str(&format!("Via: {via}\r\n"));
        }
        let get = |name| msg.header(name).unwrap_or_default().to_owned();
        let mut to = get(HeaderName::To);
        if msg.to_tag().is_none() {
            to.push_str(&format!(";tag={}", self.tag));
        }
        let more = if body.is_empty() { "" } else { TYPE };
        out.push_str(&format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:{}@{}>\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            get(HeaderName::From),
            get(HeaderName::CallId),
            get(HeaderName::CSeq),
            self.phone.user,
            self.phone.addr,
            body.len()
        ));
        w.datagram(self.phone.addr, out.into_bytes().into());
    }

    fn hear_response(&mut self, w: &mut World, msg: &Message) {
        let code = msg.status().map_or(0, |s| s.0);
        let method = msg.method_token().to_owned();
        let key = (msg.call_id().to_owned(), msg.cseq(), method.clone());
        if code < 200 {
            return;
        }
        let Some((text, finals)) = self.sent.get_mut(&key) else { return };
        finals.push(code);
        match method.as_str() {
            "INVITE" if code < 300 => self.talking = true,
            "BYE" => self.talking = false,
            _ => {}
        }
        if method != "INVITE" || !self.acknowledges {
            return;
        }
        let text = text.clone();
        if code >= 300 {
            return w.datagram(self.phone.addr, ack_of(&text, msg).into_bytes().into());
        }
        let contact = msg.contacts().first().map(|c| c.uri_text.to_owned()).unwrap_or_default();
        let to = msg.header(HeaderName::To).unwrap_or_default().to_owned();
        let delayed = !text.contains("m=audio");
        self.acknowledge(w, &contact, &to, &text, msg.cseq(), if delayed { SDP } else { "" });
        if self.dialog.is_none() {
            self.dialog = Some((contact, String::new(), to));
        }
    }

    fn acknowledge(
        &mut self,
        w: &mut World,
        contact: &str,
        to: &str,
        invite: &str,
        cseq: u32,
        body: &str,
    ) {
        let line = |name: &str| {
            invite.lines().find(|l| l.starts_with(name)).unwrap_or_default().to_owned()
        };
        let more = if body.is_empty() { "" } else { TYPE };
        let text = format!(
            "ACK {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKack{cseq}\r\n\
             Max-Forwards: 70\r\n{}\r\nTo: {to}\r\n{}\r\nCSeq: {cseq} ACK\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            self.phone.addr,
            line("From:"),
            line("Call-ID:"),
            body.len()
        );
        w.datagram(self.phone.addr, text.into_bytes().into());
    }

    pub fn assert_hung_up(&self, when: &str) {
        assert!(!self.talking, "{when}: {} talks to nobody", self.phone.addr);
    }

    /// Every request got a final, and never two different ones.
    pub fn assert_answered(&self, when: &str) {
        for ((_, cseq, method), (_, finals)) in &self.sent {
            let mut different = finals.clone();
            different.dedup();
            assert_eq!(different.len(), 1, "{when}: {cseq} {method} got {finals:?}");
        }
    }
}

pub struct Stage {
    pub world: World,
    pub alice: Ua,
    bobs: Vec<Ua>,
    carol: Ua,
}

impl Stage {
    pub fn new(world: World) -> Stage {
        Stage {
            world,
            alice: Ua::new("1001", "10.0.0.11:5060"),
            bobs: Vec::new(),
            carol: Ua::new("1003", "10.0.0.13:5060"),
        }
    }

    pub fn bobs(&mut self, takes: Takes) {
        let addr = format!("10.0.0.{}:5060", 21 + self.bobs.len());
        let mut bob = Ua::new("1002", &addr);
        bob.takes = takes;
        assert_eq!(status(&[bob.phone.register(&mut self.world, "")]), 200);
        self.bobs.push(bob);
    }

    pub fn second_bob(&mut self) {
        self.bobs(Takes::Ring);
    }

    pub fn bystander_calls(&mut self) {
        self.carol.send(
            &mut self.world,
            "INVITE",
            "sip:600@example.com",
            "<sip:600@example.com>",
            OFFER,
        );
        self.pump();
        assert_eq!(self.calls().len(), 1);
    }

    pub fn bystander_hangs_up(&mut self) {
        self.carol.within(&mut self.world, "BYE", "");
        self.pump();
        self.carol.assert_answered("the bystander");
    }

    pub fn call(&mut self, number: &str, offer: Option<&str>) {
        let uri = format!("sip:{number}@example.com");
        let to = format!("<{uri}>");
        self.alice.send(&mut self.world, "INVITE", &uri, &to, offer.unwrap_or(""));
        self.pump();
    }

    pub fn pick_up(&mut self, bob: usize) {
        self.bobs[bob].pick_up(&mut self.world);
        self.pump();
    }

    pub fn reinvite(&mut self, hold: bool) {
        self.alice.within(&mut self.world, "INVITE", if hold { HOLD } else { OFFER });
        self.pump();
    }

    pub fn bye(&mut self) {
        self.alice.within(&mut self.world, "BYE", "");
        self.pump();
    }

    pub fn callee_reinvite(&mut self) {
        self.bobs[0].callee_within(&mut self.world, "INVITE", 500, SDP);
        self.pump();
    }

    pub fn callee_bye(&mut self) {
        self.bobs[0].callee_within(&mut self.world, "BYE", 501, "");
        self.pump();
    }

    pub fn cancel(&mut self) {
        let open = self.alice.sent.values().find(|(text, _)| text.starts_with("INVITE"));
        let Some((text, _)) = open else { return };
        let cancel = text.lines().filter(|l| {
            !["Contact", "Content-Type", "v=", "o=", "s=", "c=", "t=", "m="]
                .iter()
                .any(|p| l.starts_with(p))
        });
        let mut out = String::new();
        for line in cancel.filter(|l| !l.is_empty()) {
            let line = match line.starts_with("Content-Length") {
                true => "Content-Length: 0".to_owned(),
                false => line.replace("INVITE", "CANCEL"),
            };
            out.push_str(&line);
            out.push_str("\r\n");
        }
        out.push_str("\r\n");
        self.world.datagram(self.alice.phone.addr, out.into_bytes().into());
        self.pump();
    }

    /// Seconds pass, and everybody answers what comes.
    pub fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.world.advance(Duration::from_secs(1));
            self.pump();
        }
    }

    /// Long enough for the longest timer of any protocol part.
    pub fn settle(&mut self) {
        self.wait(3);
        for _ in 0..12 {
            self.world.advance(Duration::from_secs(10));
            self.pump();
        }
    }

    pub fn assert_hung_up(&self, when: &str) {
        self.alice.assert_hung_up(when);
        self.bobs.iter().for_each(|bob| bob.assert_hung_up(when));
    }

    /// Live calls.
    pub fn calls(&self) -> Vec<u64> {
        let page = self.world.node.query(self.world.now, &Query::Calls { after: None }, 100);
        let call = |row: &Row| match row {
            Row::Call(row) => Some(row.call),
            _ => None,
        };
        page.rows.iter().filter_map(call).collect()
    }

    /// Everybody hears and answers until nobody has anything to say.
    pub fn pump(&mut self) {
        for _ in 0..50 {
            let mut quiet = true;
            let uas = [&mut self.alice, &mut self.carol].into_iter().chain(&mut self.bobs);
            for ua in uas {
                for msg in self.world.received(ua.phone.addr) {
                    quiet = false;
                    ua.hear(&mut self.world, &msg);
                }
            }
            if quiet {
                return;
            }
        }
        panic!("they never stop talking");
    }
}
