//! Two ordinary softphones, as the README's reader has them.
use super::require;
use crate::baresip::{Account, Baresip};
use crate::capture::Capture;
use crate::clock::{pause, timed};
use crate::pbx::{HOST, Pbx};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(6);
/// Their SIP ports.
const ALICE: u16 = 7_100;
const BOB: u16 = 7_400;
const ALICE_HZ: f64 = 440.0;
const BOB_HZ: f64 = 770.0;

fn phone(pbx: &Pbx, number: &str, port: u16, hz: f64, transport: &str) -> Result<Baresip, String> {
    let password = pbx.password(number)?;
    let account = Account { number, password: &password, port, hz, auto_answer: true, transport };
    let phone = Baresip::start(&pbx.dir, &account, &format!("{HOST}:{}", pbx.port))?;
    phone.logged("binding]", PATIENCE).map_err(|e| format!("{e}\nserver:\n{}", pbx.log()))?;
    Ok(phone)
}

fn dial(phone: &mut Baresip, pbx: &Pbx, number: &str) -> Result<(), String> {
    phone.command(&format!("dial sip:{number}@{HOST}:{}", pbx.port))?;
    phone
        .wait("CALL_ESTABLISHED", PATIENCE)
        .map(|_| ())
        .map_err(|e| format!("{e}\nserver:\n{}", pbx.log()))
}

/// The issue's own sentence: register, talk both ways, hang up; one CDR with true duration; the
/// recording replays with every hash equal.
pub fn two_phones_talk() -> Result<(), String> {
    let mut pbx = Pbx::start("talk", &[])?;
    let filter = format!("udp and portrange {}-{}", pbx.port, pbx.port + 10_099);
    let capture = Capture::start(&pbx.dir.join("talk.pcapng"), &filter)?;
    let mut alice = phone(&pbx, "1001", ALICE, ALICE_HZ, "udp")?;
    let mut bob = phone(&pbx, "1002", BOB, BOB_HZ, "udp")?;
    dial(&mut alice, &pbx, "1002")?;
    bob.wait("CALL_ESTABLISHED", PATIENCE)?;
    let ((), talked) = timed(|| pause(Duration::from_secs(4)));
    alice.command("hangup")?;
    bob.wait("CALL_CLOSED", PATIENCE)?;
    pbx.at_rest(Duration::from_secs(45))?;
    let (a, b) = (alice.heard(BOB_HZ)?, bob.heard(ALICE_HZ)?);
    require(a > 2.5 && b > 2.5, || format!("alice heard bob {a} s, bob heard alice {b} s of 4"))?;
    require(alice.heard(ALICE_HZ)? < 0.2, || "alice heard herself".into())?;
    one_cdr(&pbx, talked)?;
    let lines = capture.finish("sip.CSeq.method == \"BYE\"", &["sip.Method"])?;
    require(!lines.is_empty(), || "tshark saw no BYE".into())?;
    pbx.replays()?;
    pbx.stop()
}

fn one_cdr(pbx: &Pbx, talked: Duration) -> Result<(), String> {
    let cdrs = pbx.cdrs()?;
    require(cdrs.len() == 1, || format!("{} call records: {cdrs:?}", cdrs.len()))?;
    let billed = cdrs[0]["billed_ms"].as_f64().unwrap_or(-1.0) / 1000.0;
    let truth = talked.as_secs_f64();
    require((billed - truth).abs() < 1.0, || format!("billed {billed} s, talked {truth} s"))
}

/// Both phones tell of the end, each by its own event.
fn hang_up(one: &mut Baresip, other: &mut Baresip) -> Result<(), String> {
    one.command("hangup")?;
    one.wait("CALL_CLOSED", PATIENCE)?;
    other.wait("CALL_CLOSED", PATIENCE).map(|_| ())
}

pub fn tcp_phone_calls_udp_phone() -> Result<(), String> {
    let mut pbx = Pbx::start("tcp", &[])?;
    let mut alice = phone(&pbx, "1001", ALICE, ALICE_HZ, "tcp")?;
    let mut bob = phone(&pbx, "1002", BOB, BOB_HZ, "udp")?;
    dial(&mut alice, &pbx, "1002")?;
    pause(Duration::from_secs(2));
    hang_up(&mut alice, &mut bob)?;
    dial(&mut bob, &pbx, "1001")?;
    pause(Duration::from_secs(2));
    hang_up(&mut bob, &mut alice)?;
    let (a, b) = (alice.heard(BOB_HZ)?, bob.heard(ALICE_HZ)?);
    require(a > 2.8 && b > 2.8, || format!("alice heard bob {a} s, bob heard alice {b} s of 4"))?;
    pbx.stop()
}

pub fn echo_returns_the_own_voice() -> Result<(), String> {
    let mut pbx = Pbx::start("echo", &[])?;
    let mut alice = phone(&pbx, "1001", ALICE, ALICE_HZ, "udp")?;
    dial(&mut alice, &pbx, "600")?;
    pause(Duration::from_secs(3));
    alice.command("hangup")?;
    alice.wait("CALL_CLOSED", PATIENCE).or_else(|_| pbx.at_rest(PATIENCE).map(|()| "".into()))?;
    pause(Duration::from_millis(500));
    let heard = alice.heard(ALICE_HZ)?;
    require(heard > 2.0, || format!("alice heard her echo for {heard} s of 3"))?;
    pbx.stop()
}

pub fn tone_is_1004_hz() -> Result<(), String> {
    let mut pbx = Pbx::start("tone", &[])?;
    let mut alice = phone(&pbx, "1001", ALICE, ALICE_HZ, "udp")?;
    dial(&mut alice, &pbx, "601")?;
    pause(Duration::from_secs(3));
    alice.command("hangup")?;
    pause(Duration::from_millis(800));
    let heard = alice.heard(1004.0)?;
    require(heard > 2.0, || format!("alice heard 1004 Hz for {heard} s of 3"))?;
    pbx.stop()
}

pub fn caller_gives_up() -> Result<(), String> {
    let mut pbx = Pbx::start("cancel", &[])?;
    let password = pbx.password("1002")?;
    let account = Account {
        number: "1002",
        password: &password,
        port: BOB,
        hz: BOB_HZ,
        auto_answer: false,
        transport: "udp",
    };
    let mut bob = Baresip::start(&pbx.dir, &account, &format!("{HOST}:{}", pbx.port))?;
    bob.logged("binding]", PATIENCE)?;
    let mut alice = phone(&pbx, "1001", ALICE, ALICE_HZ, "udp")?;
    alice.command(&format!("dial sip:1002@{HOST}:{}", pbx.port))?;
    bob.wait("CALL_INCOMING", PATIENCE)?;
    pause(Duration::from_millis(500));
    alice.command("hangup")?;
    bob.wait("CALL_CLOSED", PATIENCE)?;
    let cdrs = pbx.cdrs()?;
    require(cdrs.len() == 1 && cdrs[0]["cause"] == "cancelled", || format!("{cdrs:?}"))?;
    pbx.stop()
}

/// One challenge, one refusal; no loop of REGISTERs.
pub fn wrong_password_once() -> Result<(), String> {
    let mut pbx = Pbx::start("password", &[])?;
    let capture = Capture::start(&pbx.dir.join("password.pcapng"), &format!("port {}", pbx.port))?;
    let account = Account {
        number: "1001",
        password: "not-the-password",
        port: ALICE,
        hz: ALICE_HZ,
        auto_answer: true,
        transport: "udp",
    };
    let alice = Baresip::start(&pbx.dir, &account, &format!("{HOST}:{}", pbx.port))?;
    alice.logged("403", PATIENCE)?;
    pause(Duration::from_secs(2));
    let tries = capture.finish("sip.Method == \"REGISTER\"", &["sip.CSeq"])?;
    require((2..=3).contains(&tries.len()), || format!("{} REGISTERs", tries.len()))?;
    require(pbx.metric("bitspath_registrations")? == 0.0, || "registered all the same".into())?;
    pbx.stop()
}
