//! The configuration: one TOML text, read whole, with every error at its line and column.
//! Owns: the text's meaning and its defaults. Does not know: files, sockets.
//! Missing: TLS and WebSocket listeners, trunks (their issues bring them).
//!
//! ```toml
//! [listen]                 # an address, or { address, external_address, local_nets, tenant }
//! udp = ["0.0.0.0:5060"]
//! tcp = ["0.0.0.0:5060"]
//! external_address = "203.0.113.5" # 1:1 NAT: told to peers outside local_nets
//! local_nets = ["10.0.0.0/8"]
//! [media]
//! ports = "10000-32767"
//! [[tenant]]
//! name = "demo"
//! domains = ["demo.example"]
//! services = { 600 = "echo", 601 = "tone" }
//! [[tenant.extension]]
//! number = "1001"
//! password = "..."                 # or ha1 = { md5 = "32 hex digits" }
//! ```
mod demo;
mod directory;
mod listen;
mod reader;
mod seal;
mod tenant;
#[cfg(test)]
mod tests;

pub use bitspath_pbx::Service;
pub use demo::demo;
pub use directory::TenantIds;
pub use listen::{Listener, net};
pub use reader::ConfigError;
pub use seal::seal;
pub use tenant::{Extension, Tenant};

use bitspath_core::limits;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use reader::{At, Fields, Reader};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `ListenerId` is the place in this list.
    pub listeners: Vec<Listener>,
    pub media: Media,
    pub metrics: Option<SocketAddr>,
    pub limits: Limits,
    /// `TenantId` is the place in this list; the first is the default.
    pub tenants: Vec<Tenant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where RTP sockets are bound; the address of the SIP listener when absent.
    pub ip: Option<IpAddr>,
    /// First and last RTP or RTCP port, both ends included.
    pub ports: (u16, u16),
    pub quarantine: Duration,
    pub shards: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub calls: u32,
    pub bindings: u32,
}

/// What the command line moves; it stays in force over a reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// Every listener on this address.
    pub bind: Option<IpAddr>,
    /// SIP at N, metrics at N+9, RTP from N+100 to N+10099.
    pub base_port: Option<u16>,
}

/// RTP ends 10,099 above the base.
const BASE_PORT_MAX: u16 = u16::MAX - 10_099;

impl Overrides {
    /// Whether every port has room above the base.
    pub fn check(&self) -> Result<(), String> {
        match self.base_port {
            Some(base) if !(1024..=BASE_PORT_MAX).contains(&base) => {
                Err(format!("the base port must be 1024 to {BASE_PORT_MAX}, not {base}"))
            }
            _ => Ok(()),
        }
    }
}

impl Config {
    /// Reads a configuration, or gives everything that is wrong with it, in the text's order.
    pub fn parse(text: &str) -> Result<Config, Vec<ConfigError>> {
        let mut r = Reader::new(text);
        let mut top = r.document();
        let tenants = tenant::read(&mut r, &mut top);
        let listeners = listen::read(&mut r, &mut top, &tenants);
        let media = read_media(&mut r, &mut top);
        let metrics = read_metrics(&mut r, &mut top);
        let limits = read_limits(&mut r, &mut top, &media);
        top.finish(&mut r);
        if r.is_clean() {
            Ok(Config { listeners, media, metrics, limits, tenants })
        } else {
            Err(r.into_errors())
        }
    }

    /// The same configuration, moved as the command line asks; see [`Overrides::check`].
    pub fn moved(mut self, by: Overrides) -> Config {
        if let Some(ip) = by.bind {
            self.listeners.iter_mut().for_each(|l| l.bind.set_ip(ip));
            self.media.ip = Some(ip).filter(|ip| !ip.is_unspecified());
            if let Some(metrics) = &mut self.metrics {
                metrics.set_ip(ip);
            }
        }
        if let Some(base) = by.base_port {
            let base = base.min(BASE_PORT_MAX);
            self.listeners.iter_mut().for_each(|l| l.bind.set_port(base));
            self.media.ports = (base + 100, base + 10_099);
            self.limits.calls = self.limits.calls.min(self.media.calls_max());
            if let Some(metrics) = &mut self.metrics {
                metrics.set_port(base + 9);
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        self.listeners.retain(|l| seen.insert((l.bind, l.transport)));
        self
    }

    /// Files that this configuration may hold open at most, connections of peers apart: RTP and
    /// RTCP of every port, or of every call and the warm list where that is less.
    pub fn open_files_max(&self) -> u64 {
        let warm = limits::PORTS_WARM as u64 * u64::from(self.media.shards);
        let ports = u64::from(self.media.pairs()) * 2;
        let calls = u64::from(self.limits.calls) * 4 + warm;
        ports.min(calls) + self.listeners.len() as u64 + 64
    }
}

impl Media {
    /// Even ports of the range whose odd neighbour is in the range too.
    pub fn pairs(&self) -> u32 {
        let first = u32::from(self.ports.0).next_multiple_of(2);
        (u32::from(self.ports.1) + 1).saturating_sub(first) / 2
    }

    /// A relayed call has two sides, each with a port pair.
    pub fn calls_max(&self) -> u32 {
        (self.pairs() / 2).min(limits::CALLS_MAX)
    }
}

fn read_media(r: &mut Reader<'_>, top: &mut Fields<'_>) -> Media {
    let mut media =
        Media { ip: None, ports: (10_000, 32_767), quarantine: limits::PORT_QUARANTINE, shards: 1 };
    let Some(mut table) = top.table(r, "media") else { return media };
    media.ip = table.text(r, "ip", ip).map(|at| at.value);
    if let Some(ports) = table.text(r, "ports", port_range) {
        media.ports = ports.value;
        if media.pairs() == 0 {
            r.blame(&ports.span, "`ports` holds no even port with its odd neighbour");
        }
    }
    if let Some(s) = table.number(r, "quarantine_s", 5..=600) {
        media.quarantine = Duration::from_secs(s.value);
    }
    if let Some(n) = table.number(r, "shards", 1..=64) {
        media.shards = n.value as u8;
    }
    table.finish(r);
    media
}

fn read_metrics(r: &mut Reader<'_>, top: &mut Fields<'_>) -> Option<SocketAddr> {
    let mut table = top.table(r, "metrics")?;
    let listen = table.text(r, "listen", socket).map(|at| at.value);
    table.finish(r);
    listen
}

fn read_limits(r: &mut Reader<'_>, top: &mut Fields<'_>, media: &Media) -> Limits {
    let mut out = Limits { calls: media.calls_max(), bindings: limits::BINDINGS_MAX };
    let Some(mut table) = top.table(r, "limits") else { return out };
    if let Some(At { value, span }) = table.number(r, "calls", 1..=u64::from(limits::CALLS_MAX)) {
        out.calls = value as u32;
        if out.calls > media.calls_max() {
            let (room, (first, last)) = (media.calls_max(), media.ports);
            let why = format!("the media ports {first}-{last} carry {room} calls, not {value}");
            r.blame(&span, why);
        }
    }
    let bindings = table.number(r, "bindings", 1..=u64::from(limits::BINDINGS_MAX));
    if let Some(at) = bindings {
        out.bindings = at.value as u32;
    }
    table.finish(r);
    out
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an IP address"))
}

fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an address with a port, as 0.0.0.0:5060"))
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    text.split_once('-')
        .and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)))
        .filter(|(a, b): &(u16, u16)| *a >= 1024 && a < b)
        .ok_or_else(|| format!("`{text}` is not a range of ports, as 10000-32767"))
}
