//! `testbed`: real foreign peers against the real binaries, on loopback only.
//! Exit code 0 = as asked, 1 = a check failed, 2 = unusable arguments or surroundings.
mod baresip;
mod capture;
mod case;
mod clock;
mod doctor;
mod pbx;
mod sipp;
mod tone;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "testbed", about = "Drives foreign SIP peers against the real bitspath binaries")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Which foreign peers are installed here, and what each is needed for
    Doctor,
    /// Run every case, or those whose names contain one of NAME; a missing peer is skipped loudly
    Run { name: Vec<String> },
    /// Measure beside the peers: `load` is the digest call load of BENCHMARKS.md
    Bench { name: Vec<String> },
}

fn main() -> ExitCode {
    let (outcome, names) = match Cli::parse().command {
        Command::Doctor => return doctor::print(),
        Command::Run { name } => (case::CASES, name),
        Command::Bench { name } => (case::BENCHES, name),
    };
    case::run(outcome, &names)
}
