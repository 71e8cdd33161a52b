//! The cases: one function each, with the programs that it needs. A case says what went wrong in
//! one string; a missing program skips it loudly.
mod baresip_talks;
mod load;
mod sipp_scripts;

use crate::doctor;
use std::process::ExitCode;

pub struct Case {
    pub name: &'static str,
    pub needs: &'static [&'static str],
    pub run: fn() -> Result<(), String>,
}

const fn case(
    name: &'static str,
    needs: &'static [&'static str],
    run: fn() -> Result<(), String>,
) -> Case {
    Case { name, needs, run }
}

const TALK: &[&str] = &["baresip"];
const SCRIPT: &[&str] = &["sipp"];

/// What `testbed run` runs, in this order.
pub const CASES: &[Case] = &[
    case("baresip-calls-baresip", &["baresip", "tshark"], baresip_talks::two_phones_talk),
    case("baresip-tcp-to-udp", TALK, baresip_talks::tcp_phone_calls_udp_phone),
    case("baresip-echo", TALK, baresip_talks::echo_returns_the_own_voice),
    case("baresip-tone", TALK, baresip_talks::tone_is_1004_hz),
    case("baresip-cancel", TALK, baresip_talks::caller_gives_up),
    case("baresip-wrong-password", &["baresip", "tshark"], baresip_talks::wrong_password_once),
    case("sipp-options", SCRIPT, sipp_scripts::options),
    case("sipsak-options", &["sipsak"], sipp_scripts::sipsak_options),
    case("sipp-busy", SCRIPT, sipp_scripts::busy),
    case("sipp-decline", SCRIPT, sipp_scripts::decline),
    case("sipp-no-answer", SCRIPT, sipp_scripts::no_answer),
    case("sipp-guest-echo", SCRIPT, sipp_scripts::guest_calls_echo),
    case("sipp-stranger-refused", SCRIPT, sipp_scripts::stranger_is_refused),
    case("sipp-digest-calls", SCRIPT, load::short),
];

/// What `testbed bench` runs.
pub const BENCHES: &[Case] = &[case("load", SCRIPT, load::long)];

/// Runs those whose names contain one of `names` (all when there is none).
pub fn run(cases: &[Case], names: &[String]) -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let wanted = |c: &&Case| names.is_empty() || names.iter().any(|n| c.name.contains(n.as_str()));
    for case in cases.iter().filter(wanted) {
        let missing = doctor::missing(case.needs);
        if !missing.is_empty() {
            skipped += 1;
            println!("skipped {}: no {}", case.name, missing.join(", no "));
            continue;
        }
        let (outcome, took) = crate::clock::timed(case.run);
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("ok      {} ({:.1} s)", case.name, took.as_secs_f64());
            }
            Err(why) => {
                failed += 1;
                println!("FAILED  {}: {why}", case.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if passed + failed + skipped == 0 {
        eprintln!("testbed: no case is called {}", names.join(" or "));
        return ExitCode::from(2);
    }
    ExitCode::from(u8::from(failed > 0))
}

/// `Err` with this text unless `truth`.
fn require(truth: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if truth { Ok(()) } else { Err(what()) }
}
