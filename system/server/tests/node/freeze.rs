//! Freeze and thaw at random steps changes no later output.
use crate::phone::{Phone, ack_of};
use crate::world::{TWO, World, status};
use bitspath_core::Duration;
use bitspath_server::{Cmd, Input};
use bitspath_sip::{HeaderName, Message};
use proptest::prelude::*;

/// One step of a small history; phones are 0..4, two of each tenant.
#[derive(Clone, Debug)]
enum Step {
    Register(u8),
    Wrong(u8),
    Call(u8, u8),
    Answer(u8),
    Wait(u16),
    Junk(u8),
    Operator(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..4).prop_map(Step::Register),
        1 => (0u8..4).prop_map(Step::Wrong),
        3 => (0u8..4, 0u8..4).prop_map(|(a, b)| Step::Call(a, b)),
        3 => (0u8..4).prop_map(Step::Answer),
        2 => (1u16..40_000).prop_map(Step::Wait),
        1 => any::<u8>().prop_map(Step::Junk),
        1 => (0u8..4).prop_map(Step::Operator),
    ]
}

fn phones() -> Vec<Phone> {
    [
        ("1001", "a-one", "alpha.example", "10.0.0.1:5060"),
        ("1002", "a-two", "alpha.example", "10.0.0.2:5060"),
        ("1001", "b-one", "beta.example", "10.0.0.3:5060"),
        ("1002", "b-two", "beta.example", "10.0.0.4:5060"),
    ]
    .into_iter()
    .map(|(user, password, domain, addr)| Phone::new(user, password, domain, addr))
    .collect()
}

/// Answers the last request that a phone got, and acknowledges the last 200 it got.
fn answer(w: &mut World, phone: &mut Phone) {
    let got = w.received(phone.addr);
    for msg in got {
        let text = if msg.is_request() && msg.method_token() != "ACK" {
            ok_to(&msg)
        } else if msg.status().is_some_and(|s| s.is_success()) && msg.cseq() > 0 {
            let to = msg.header(HeaderName::To).unwrap_or_default().to_owned();
            phone.request("ACK", "sip:x@192.0.2.1", &to, "", "")
        } else {
            continue;
        };
        w.datagram(phone.addr, text.into_bytes().into());
    }
}

fn ok_to(msg: &Message) -> String {
    let get = |name| msg.header(name).unwrap_or_default().to_owned();
    let vias: String = msg.vias().map(|v| format!("Via: {v}\r\n")).collect();
    format!(
        "SIP/2.0 200 OK\r\n{vias}From: {}\r\nTo: {};tag=z\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:z@10.0.0.9>\r\nContent-Length: 0\r\n\r\n",
        get(HeaderName::From),
        get(HeaderName::To),
        get(HeaderName::CallId),
        get(HeaderName::CSeq)
    )
}

/// The trace hash of a history.
fn run(steps: &[Step], thaw: Option<u64>) -> u64 {
    let mut w = World::new(TWO);
    w.thaw = thaw;
    let mut phones = phones();
    for step in steps {
        match step {
            Step::Register(n) => {
                let phone = &mut phones[usize::from(*n)];
                let _ = phone.register(&mut w, "Expires: 90\r\n");
            }
            Step::Wrong(n) => {
                let mut phone = phones.swap_remove(usize::from(*n));
                let right = std::mem::replace(&mut phone.password, "wrong".to_owned());
                let _ = phone.register(&mut w, "");
                phone.password = right;
                phones.push(phone);
            }
            Step::Call(a, b) => {
                let number = if *b == 3 { "600" } else { ["1001", "1002", "77"][usize::from(*b)] };
                let phone = &mut phones[usize::from(*a)];
                let uri = format!("sip:{number}@{}", phone.domain);
                let text = phone.request("INVITE", &uri, &format!("<{uri}>"), "", "");
                let first = w.send(phone.addr, &text).pop();
                if let Some(first) = first.filter(|m| status(std::slice::from_ref(m)) == 401) {
                    w.send(phone.addr, &ack_of(&text, &first));
                    phone.authorization = Some(phone.answer(&first, "INVITE", &uri));
                    let text = phone.request("INVITE", &uri, &format!("<{uri}>"), "", "");
                    w.datagram(phone.addr, text.into_bytes().into());
                }
            }
            Step::Answer(n) => answer(&mut w, &mut phones[usize::from(*n)]),
            Step::Wait(ms) => w.advance(Duration::from_millis(u64::from(*ms))),
            Step::Junk(n) => w.datagram(phones[0].addr, vec![*n; usize::from(*n)].into()),
            Step::Operator(0) => w.input(Input::Admin(1, Cmd::HangUpAll)),
            Step::Operator(1) => w.input(Input::Config(1, TWO.as_bytes().to_vec().into())),
            Step::Operator(2) => w.input(Input::Rekey([3; 32])),
            Step::Operator(_) => w.store(),
        }
    }
    w.advance(Duration::from_secs(200));
    w.hash.0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_thawed_node_goes_on_as_if_nothing_had_been(
        steps in proptest::collection::vec(step(), 1..25),
        seed in any::<u64>(),
    ) {
        let straight = run(&steps, None);
        prop_assert_eq!(straight, run(&steps, None), "a Node is a function of its inputs");
        prop_assert_eq!(straight, run(&steps, Some(seed)), "freeze and thaw change nothing");
    }
}
