//! Digest, identity and registration, over two tenants with the same numbers.
use crate::phone::Phone;
use crate::world::{OPEN, TWO, World, status};
use bitspath_core::Duration;
use bitspath_server::Event;
use bitspath_sip::{HeaderName, Message};

fn contacts(msg: &Message) -> Vec<String> {
    msg.list(HeaderName::Contact).map(str::to_owned).collect()
}

fn challenges(msg: &Message) -> Vec<String> {
    msg.headers(HeaderName::WwwAuthenticate).map(str::to_owned).collect()
}

fn alice() -> Phone {
    Phone::new("1001", "a-one", "alpha.example", "10.0.0.11:5060")
}

//= RFC 3261 §22.1 type=test
#[test]
fn the_first_challenge_is_one_header_that_every_phone_reads() {
    let mut w = World::new(TWO);
    let mut alice = alice();
    let text = alice.register_text("");
    let answers = w.send(alice.addr, &text);
    assert_eq!((answers.len(), status(&answers)), (1, 401), "no 100 before the challenge");
    let [challenge] = &challenges(&answers[0])[..] else { panic!("one challenge") };
    let (head, rest) = challenge.split_once("nonce=\"").expect("a nonce");
    let (_, tail) = rest.split_once('"').expect("a closed nonce");
    assert_eq!(head, "Digest realm=\"alpha.example\", ");
    assert_eq!(tail, ", algorithm=MD5, qop=\"auth\"");
}

#[test]
fn the_right_password_registers_and_the_contact_comes_back_verbatim() {
    let mut w = World::new(TWO);
    let ok = alice().register(&mut w, "Expires: 600\r\n");
    assert_eq!(status(std::slice::from_ref(&ok)), 200);
    assert_eq!(contacts(&ok), ["<sip:1001@10.0.0.11:5060>;expires=600"]);
    assert_eq!(w.metric("registrations", ""), 1);
    assert!(w.events.iter().any(|e| matches!(e, Event::Registered { user, .. } if user == "1001")));
}

//= RFC 3261 §21.4.4 type=test
#[test]
fn unknown_user_and_wrong_password_get_the_same_answer() {
    let mut shapes = Vec::new();
    for (user, password) in [("1001", "wrong"), ("9999", "a-one")] {
        let mut w = World::new(TWO);
        let mut phone = Phone::new(user, password, "alpha.example", "10.0.0.11:5060");
        let answer = phone.register(&mut w, "");
        assert_eq!(status(std::slice::from_ref(&answer)), 403);
        let names: Vec<String> = answer.lines().map(|(name, _)| name.to_owned()).collect();
        assert!(challenges(&answer).is_empty());
        assert_eq!(w.metric("auth_total", "wrong"), 1);
        shapes.push((names, answer.reason().to_owned()));
    }
    assert_eq!(shapes[0], shapes[1]);
}

#[test]
fn an_old_nonce_with_the_right_digest_is_stale() {
    let mut w = World::new(TWO);
    let mut alice = alice();
    let text = alice.register_text("");
    let challenge = w.send(alice.addr, &text).remove(0);
    let old = alice.answer(&challenge, "REGISTER", "sip:alpha.example");
    w.advance(Duration::from_secs(301));
    alice.authorization = Some(old);
    let text = alice.register_text("");
    let again = w.send(alice.addr, &text).remove(0);
    assert_eq!(status(std::slice::from_ref(&again)), 401);
    assert!(challenges(&again)[0].ends_with(", stale=true"));
    alice.authorization = Some(alice.answer(&again, "REGISTER", "sip:alpha.example"));
    let text = alice.register_text("");
    assert_eq!(status(&w.send(alice.addr, &text)), 200);
}

#[test]
fn nobody_registers_or_calls_in_the_name_of_another() {
    let mut w = World::new(TWO);
    let mut alice = alice();
    let text = alice.register_text("");
    let challenge = w.send(alice.addr, &text).remove(0);
    let auth = alice.answer(&challenge, "REGISTER", "sip:alpha.example");
    let mut thief = Phone::new("1002", "", "alpha.example", "10.0.0.66:5060");
    thief.authorization = Some(auth);
    let text = thief.register_text("");
    assert_eq!(status(&w.send(thief.addr, &text)), 403);
    // From names another, the credentials are right.
    let mut mask = Phone::new("1001", "a-one", "alpha.example", "10.0.0.66:5060");
    let (uri, to) = ("sip:600@alpha.example", "<sip:600@alpha.example>");
    let text = mask.request("INVITE", uri, to, "", "");
    let challenge = w.send(mask.addr, &text).remove(0);
    mask.authorization = Some(mask.answer(&challenge, "INVITE", uri));
    let text = mask.request("INVITE", uri, to, "", "");
    let text = text.replace("From: <sip:1001@", "From: <sip:1002@");
    assert_eq!(status(&w.send(mask.addr, &text)), 403);
    assert_eq!(w.metric("auth_total", "foreign"), 2);
}

#[test]
fn credentials_of_one_tenant_are_nothing_in_the_other() {
    let mut w = World::new(TWO);
    let mut stray = Phone::new("1001", "a-one", "beta.example", "10.0.0.11:5060");
    assert_eq!(status(&[stray.register(&mut w, "")]), 403);
    let mut right = Phone::new("1001", "b-one", "beta.example", "10.0.0.21:5060");
    assert_eq!(status(&[right.register(&mut w, "")]), 200);
    assert_eq!(status(&[alice().register(&mut w, "")]), 200);
    // A query sees the own tenant's binding and no other.
    let text = right.register_text("");
    let challenge = w.send(right.addr, &text).remove(0);
    right.authorization = Some(right.answer(&challenge, "REGISTER", "sip:beta.example"));
    let text = right.register_text("").replace("Contact: <sip:1001@10.0.0.21:5060>\r\n", "");
    let answer = w.send(right.addr, &text).remove(0);
    assert_eq!(contacts(&answer).len(), 1);
    assert!(contacts(&answer)[0].contains("10.0.0.21"));
}

#[test]
fn an_address_or_an_unknown_host_means_the_default_tenant() {
    for host in ["192.0.2.1", "nobody.example"] {
        let mut w = World::new(TWO);
        let mut phone = Phone::new("1001", "a-one", host, "10.0.0.11:5060");
        let text = phone.register_text("");
        let challenge = w.send(phone.addr, &text).remove(0);
        assert!(challenges(&challenge)[0].contains("realm=\"alpha.example\""));
        phone.call_id.push('2');
        assert_eq!(status(&[phone.register(&mut w, "")]), 200, "{host}");
    }
}

#[test]
fn a_tenant_may_ask_for_better_digests_and_a_phone_may_choose() {
    let text = TWO.replace(
        "domains = [\"alpha.example\"]",
        "domains = [\"alpha.example\"]\nalgorithms = [\"sha-512-256\", \"sha-256\", \"md5\"]",
    );
    let mut w = World::new(&text);
    let mut phone = alice();
    let request = phone.register_text("");
    let challenge = w.send(phone.addr, &request).remove(0);
    let lines = challenges(&challenge);
    let algorithms: Vec<bool> = ["SHA-512-256", "SHA-256", "MD5"]
        .iter()
        .zip(&lines)
        .map(|(a, line)| line.contains(&format!("algorithm={a},")))
        .collect();
    assert_eq!(algorithms, [true, true, true]);
    for line in lines {
        let answer = bitspath_sip::digest::answer(
            &line,
            "1001",
            "a-one",
            "REGISTER",
            "sip:alpha.example",
            1,
            "c0ffee",
        );
        phone.authorization = Some(answer.expect("an answer"));
        let request = phone.register_text("");
        assert_eq!(status(&w.send(phone.addr, &request)), 200, "{line}");
    }
}

#[test]
fn an_unknown_number_cannot_register_where_nobody_is_asked() {
    let mut w = World::new(OPEN);
    let mut phone = Phone::new("7777", "", "example.com", "10.0.0.11:5060");
    assert_eq!(status(&[phone.register(&mut w, "")]), 404);
}

#[test]
fn a_phone_behind_nat_is_kept_alive_and_forgotten_when_it_expires() {
    let mut w = World::new(TWO);
    let mut phone = alice();
    phone.addr = crate::world::at("203.0.113.77:40000");
    let text =
        phone.register_text("Expires: 120\r\n").replace("203.0.113.77:40000", "10.9.9.9:5060");
    let challenge = w.send(phone.addr, &text).remove(0);
    phone.authorization = Some(phone.answer(&challenge, "REGISTER", "sip:alpha.example"));
    let text =
        phone.register_text("Expires: 120\r\n").replace("203.0.113.77:40000", "10.9.9.9:5060");
    assert_eq!(status(&w.send(phone.addr, &text)), 200);
    w.advance(Duration::from_secs(62));
    let pings = w.raw(phone.addr);
    assert!((2..=3).contains(&pings.len()), "{pings:?}");
    assert!(pings.iter().all(|p| &p[..] == b"\r\n\r\n"));
    w.advance(Duration::from_secs(62));
    assert_eq!(w.metric("registrations", ""), 0);
    w.raw(phone.addr);
    w.advance(Duration::from_secs(60));
    assert!(w.raw(phone.addr).is_empty());
    w.at_rest();
}
