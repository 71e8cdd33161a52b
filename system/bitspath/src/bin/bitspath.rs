//! `bitspath`: the whole PBX in one process, and the tools of its operator.
use bitspath_bitspath::cli::{Bitspath, Flight};
use bitspath_bitspath::{Exit, cdr, decode, flight};
use bitspath_shell::{log, up};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = Bitspath::parse();
    log::init();
    let exit: Exit = match command {
        Bitspath::Up(up) => up::serve(&up.options()).into(),
        Bitspath::Cdr { data, follow, json } => cdr::show(&data, follow, json).into(),
        Bitspath::Flight(Flight::Save { call, data, out }) => {
            flight::save(&data, call.as_deref(), &out).into()
        }
        Bitspath::Flight(Flight::Redact { file, out }) => flight::redact(&file, out).into(),
        Bitspath::Decode { layer, hex, files } => decode::files(&files, layer, hex),
        Bitspath::Check { file } => up::read_config(&file).map(|_| ()).into(),
    };
    exit.code()
}
