//! `sip_server`: the SIP plane alone, the check of its configuration, and the replay host.
use bitspath_bitspath::cli::SipServer;
use bitspath_bitspath::{Exit, replay};
use bitspath_shell::{log, up};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let SipServer { config, check, replay, any_build, data } = SipServer::parse();
    log::init();
    let exit: Exit = match (replay, &config) {
        (Some(file), _) => replay::file(&file, any_build),
        (None, Some(file)) if check => up::read_config(file).map(|_| ()).into(),
        (None, _) => up::serve(&up::Options { config, data, ..up::Options::default() }).into(),
    };
    exit.code()
}
