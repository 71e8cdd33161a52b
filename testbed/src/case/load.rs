//! Digest calls under load: sipp's UAC calls a registered UAS, every call held; afterwards nothing
//! may be left alive. `short` is part of every run, `long` is the figure of BENCHMARKS.md.
use super::require;
use super::sipp_scripts::{credentials, register};
use crate::clock::pause;
use crate::pbx::Pbx;
use crate::sipp::{Run, Scenario, Sipp};
use crate::tone;
use std::time::Duration;

const UAC: &str = "127.0.0.41";
const UAS: &str = "127.0.0.42";

pub fn short() -> Result<(), String> {
    load("load-short", 50, 100, 10)
}

/// 300 calls a second, held 1 s, for 30 s; 50 of them with audio both ways.
pub fn long() -> Result<(), String> {
    load("load-long", 300, 9_000, 50)
}

fn load(name: &str, rate: u32, calls: u32, talking: u32) -> Result<(), String> {
    let mut pbx = Pbx::start(name, &[])?;
    register(&pbx, "1002", UAS)?;
    tone::write_wav(&pbx.dir.join("say.wav"), 440.0, 10).map_err(|e| e.to_string())?;
    let (total, rate) = ((calls + talking).to_string(), rate.to_string());
    let callee = Run {
        name: "load-uas",
        scenario: Scenario::File("uas.xml"),
        ip: UAS,
        port: 5080,
        server_port: pbx.port,
        csv: None,
        more: &["-m", &total, "-rtp_echo", "-mp", "14000"],
    };
    let callee = Sipp::start(&pbx.dir, &callee)?;
    pause(Duration::from_millis(500));
    let caller = |script: &'static str, port, calls: &str, rate: &str| -> Result<Sipp, String> {
        let run = Run {
            name: script,
            scenario: Scenario::File(script),
            ip: UAC,
            port,
            server_port: pbx.port,
            csv: credentials(&pbx, "1001")?,
            more: &["-s", "1002", "-m", calls, "-r", rate, "-d", "1000", "-l", "5000"],
        };
        Sipp::start(&pbx.dir, &run)
    };
    let quiet = caller("uac-digest.xml", 5070, &calls.to_string(), &rate)?;
    let loud = caller("uac-digest-rtp.xml", 5071, &talking.to_string(), "10")?;
    quiet.finish(Duration::from_secs(120))?;
    loud.finish(Duration::from_secs(120))?;
    callee.finish(Duration::from_secs(60))?;
    pbx.at_rest(Duration::from_secs(60))?;
    audio_was_relayed(&pbx, talking)?;
    println!("        {total} calls at {rate}/s held 1 s, {talking} of them with audio: 0 failed");
    pbx.stop()
}

fn audio_was_relayed(pbx: &Pbx, talking: u32) -> Result<(), String> {
    let cdrs = pbx.cdrs()?;
    let both = |c: &&serde_json::Value| {
        let packets = |i: usize| c["packets"][i].as_u64().unwrap_or(0);
        packets(0) > 20 && packets(1) > 20
    };
    let with_audio = cdrs.iter().filter(both).count();
    let answered = cdrs.iter().filter(|c| !c["answered"].is_null()).count();
    require(with_audio >= talking as usize, || {
        format!("{with_audio} of {talking} talking calls had audio both ways; {answered} answered")
    })
}
