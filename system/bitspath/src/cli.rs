//! The command lines. What they promise is in INTERFACE.md; nothing here decides anything.
use crate::decode::Layer;
use bitspath_server::Overrides;
use bitspath_shell::up;
use clap::{Args, Parser, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(name = "bitspath", version, about = "BitsPath Voice: a PBX that replays byte for byte")]
pub enum Bitspath {
    /// Run the whole PBX in one process; the first start makes DIR with a demo tenant
    Up(Up),
    /// Read call records, also while the server runs
    Cdr {
        /// The data directory
        #[arg(long, default_value = "data", value_name = "DIR")]
        data: PathBuf,
        /// Go on with every call that ends
        #[arg(long)]
        follow: bool,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Save recordings, or strike the secrets out of them
    #[command(subcommand)]
    Flight(Flight),
    /// Decode messages and captures, one block each; exit 1 when one is rejected
    Decode {
        /// What the octets are; guessed when absent
        #[arg(long = "as", value_name = "LAYER")]
        layer: Option<Layer>,
        /// The files hold hex digits
        #[arg(long)]
        hex: bool,
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Check a configuration; every error comes as file:line:column
    Check {
        #[arg(value_name = "F")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Up {
    /// The configuration [default: DIR/bitspath.toml]
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Where everything is kept
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Put every listener on this address
    #[arg(long, value_name = "IP")]
    bind: Option<IpAddr>,
    /// Move everything: SIP to N, metrics to N+9, RTP to N+100 .. N+10099
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..=55_436))]
    base_port: Option<u16>,
    /// Admit calls without a password from this network to 600 and 601
    #[arg(long, value_name = "CIDR")]
    guest: Option<String>,
}

impl Up {
    pub fn options(self) -> up::Options {
        up::Options {
            config: self.config,
            data: Some(self.data),
            overrides: Overrides { bind: self.bind, base_port: self.base_port },
            guest: self.guest,
            passwords: true,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Flight {
    /// Save the recording to one file for `sip_server --replay`
    Save {
        /// Only the segments that cover this call (Call-ID or record id), with the call marked
        #[arg(long, value_name = "ID")]
        call: Option<String>,
        /// The data directory
        #[arg(long, default_value = "data", value_name = "DIR")]
        data: PathBuf,
        /// The file to write
        #[arg(short, long = "out", default_value = "saved.flight", value_name = "F")]
        out: PathBuf,
    },
    /// Strike out keys, checkpoints and credentials: for reading, not for replay
    Redact {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The file to write [default: FILE with the ending .redacted.flight]
        #[arg(short, long = "out", value_name = "F")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Parser)]
#[command(name = "sip_server", version, about = "The SIP plane alone, and its replay")]
pub struct SipServer {
    /// The configuration
    #[arg(long, value_name = "F", required_unless_present = "replay")]
    pub config: Option<PathBuf>,
    /// Only check the configuration
    #[arg(long, requires = "config", conflicts_with = "replay")]
    pub check: bool,
    /// Replay a recording and compare every output hash
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub replay: Option<PathBuf>,
    /// Replay what another build recorded, too
    #[arg(long, requires = "replay")]
    pub any_build: bool,
    /// Keep registrations, records and recordings here
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_lines_are_sound() {
        Bitspath::command().debug_assert();
        SipServer::command().debug_assert();
    }
}
