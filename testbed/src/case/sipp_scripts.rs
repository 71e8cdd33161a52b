//! What sipp and sipsak say to the server, message by message.
use super::require;
use crate::clock::pause;
use crate::pbx::{HOST, Pbx};
use crate::sipp::{Run, Scenario, Sipp};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const UAC: &str = "127.0.0.41";
const UAS: &str = "127.0.0.42";

/// `SEQUENTIAL` and one row: user, password.
pub fn credentials(pbx: &Pbx, number: &str) -> Result<Option<String>, String> {
    let password = pbx.password(number)?;
    let row = format!("{number};[authentication username={number} password={password}]");
    Ok(Some(format!("SEQUENTIAL\n{row}\n")))
}

/// Registers `number` at the UAS's address by digest.
pub fn register(pbx: &Pbx, number: &str, ip: &str) -> Result<(), String> {
    let run = Run {
        name: "register",
        scenario: Scenario::File("register.xml"),
        ip,
        port: 5080,
        server_port: pbx.port,
        csv: credentials(pbx, number)?,
        more: &["-m", "1"],
    };
    Sipp::start(&pbx.dir, &run)?.finish(PATIENCE)
}

/// 1001 calls 1002, who answers by `uas`; sipp's UAC script `uac` says what the caller must see.
fn call(name: &str, uas: &str, uac: &str, cause: &str) -> Result<(), String> {
    let mut pbx = Pbx::start(name, &[])?;
    pbx.reconfigure("name = \"demo\"", "name = \"demo\"\nring_s = 5")?;
    register(&pbx, "1002", UAS)?;
    let callee = Run {
        name: "uas",
        scenario: Scenario::File(uas),
        ip: UAS,
        port: 5080,
        server_port: pbx.port,
        csv: None,
        more: &["-m", "1"],
    };
    let callee = Sipp::start(&pbx.dir, &callee)?;
    pause(Duration::from_millis(300));
    let caller = Run {
        name: "uac",
        scenario: Scenario::File(uac),
        ip: UAC,
        port: 5070,
        server_port: pbx.port,
        csv: credentials(&pbx, "1001")?,
        more: &["-s", "1002", "-m", "1"],
    };
    Sipp::start(&pbx.dir, &caller)?.finish(Duration::from_secs(90))?;
    callee.finish(PATIENCE)?;
    let cdrs = pbx.cdrs()?;
    require(cdrs.len() == 1 && cdrs[0]["cause"] == cause, || format!("{cdrs:?}"))?;
    pbx.stop()
}

pub fn busy() -> Result<(), String> {
    call("busy", "uas-busy.xml", "uac-486.xml", "busy")
}

pub fn decline() -> Result<(), String> {
    call("decline", "uas-decline.xml", "uac-603.xml", "declined")
}

pub fn no_answer() -> Result<(), String> {
    call("no-answer", "uas-rings.xml", "uac-480.xml", "no-answer")
}

pub fn options() -> Result<(), String> {
    let mut pbx = Pbx::start("options", &[])?;
    let run = Run {
        name: "options",
        scenario: Scenario::File("options.xml"),
        ip: UAC,
        port: 5070,
        server_port: pbx.port,
        csv: None,
        more: &["-m", "10", "-r", "50"],
    };
    Sipp::start(&pbx.dir, &run)?.finish(PATIENCE)?;
    pbx.stop()
}

pub fn sipsak_options() -> Result<(), String> {
    let mut pbx = Pbx::start("sipsak", &[])?;
    let out = Command::new("sipsak")
        .args(["-v", "-s", &format!("sip:{HOST}:{}", pbx.port)])
        .output()
        .map_err(|e| format!("sipsak: {e}"))?;
    require(out.status.success(), || String::from_utf8_lossy(&out.stdout).into_owned())?;
    pbx.stop()
}

/// `sipp -sn uac -s 600`, which knows no digest, from an admitted network.
pub fn guest_calls_echo() -> Result<(), String> {
    let mut pbx = Pbx::start("guest", &["--guest", "127.0.0.41/32"])?;
    guest(&pbx, &["-s", "600", "-m", "5", "-r", "10", "-d", "300"])?.finish(PATIENCE)?;
    pbx.stop()
}

/// Guests are off by default, and an admitted guest reaches the two test numbers only.
pub fn stranger_is_refused() -> Result<(), String> {
    let mut pbx = Pbx::start("stranger", &[])?;
    let refused = guest(&pbx, &["-s", "600", "-m", "1"])?.finish(PATIENCE);
    require(refused.is_err(), || "a stranger called 600".into())?;
    pbx.stop()?;
    let mut pbx = Pbx::start("guest2", &["--guest", "127.0.0.41/32"])?;
    let refused = guest(&pbx, &["-s", "1001", "-m", "1"])?.finish(PATIENCE);
    require(refused.is_err(), || "a guest called 1001".into())?;
    pbx.stop()
}

fn guest(pbx: &Pbx, more: &[&str]) -> Result<Sipp, String> {
    let run = Run {
        name: "guest",
        scenario: Scenario::Builtin("uac"),
        ip: UAC,
        port: 5070,
        server_port: pbx.port,
        csv: None,
        more,
    };
    Sipp::start(&pbx.dir, &run)
}
