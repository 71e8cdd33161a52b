//! `[listen]`: where SIP comes in, and what a listener calls itself towards its peers.
use super::reader::{At, Fields, Reader, article};
use super::tenant::Tenant;
use super::{ip, socket};
use bitspath_core::net::Transport;
use core::net::{IpAddr, SocketAddr};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    pub transport: Transport,
    pub bind: SocketAddr,
    /// Told to peers outside `local_nets` in place of our own address.
    pub external_address: Option<IpAddr>,
    pub local_nets: Vec<IpNet>,
    /// The tenant of requests whose From names no domain of ours: a place in `Config::tenants`.
    pub tenant: usize,
}

/// What the table gives to listeners that do not say it themselves.
struct Shared {
    external: Option<IpAddr>,
    nets: Vec<IpNet>,
    tenant: usize,
}

pub fn read(r: &mut Reader<'_>, top: &mut Fields<'_>, tenants: &[Tenant]) -> Vec<Listener> {
    let Some(mut table) = top.table(r, "listen") else {
        r.blame(&(0..0), "there is no [listen] table: nothing would be heard");
        return Vec::new();
    };
    let none = Shared { external: None, nets: Vec::new(), tenant: 0 };
    let shared = read_shared(r, &mut table, tenants, &none);
    let mut out: Vec<Listener> = Vec::new();
    for (key, transport) in [("udp", Transport::Udp), ("tcp", Transport::Tcp)] {
        for item in table.list(r, key) {
            let span = item.span.clone();
            let Some(listener) = read_one(r, item, transport, tenants, &shared) else { continue };
            if out.iter().any(|l| l.bind == listener.bind && l.transport == transport) {
                r.blame(&span, format!("{} {transport} is listed twice", listener.bind));
            }
            out.push(listener);
        }
    }
    if out.is_empty() && r.is_clean() {
        r.blame(&table.span, "[listen] names no address: give `udp` or `tcp`");
    }
    table.finish(r);
    out
}

fn read_one(
    r: &mut Reader<'_>,
    item: At<DeValue<'_>>,
    transport: Transport,
    tenants: &[Tenant],
    shared: &Shared,
) -> Option<Listener> {
    let (bind, own) = match item.value {
        DeValue::String(text) => match socket(&text) {
            Ok(bind) => (bind, None),
            Err(why) => {
                r.blame(&item.span, why);
                return None;
            }
        },
        DeValue::Table(table) => {
            let mut fields = Fields::new("listen", item.span.clone(), table);
            let address = fields.text(r, "address", socket);
            let own = read_shared(r, &mut fields, tenants, shared);
            fields.finish(r);
            match address {
                Some(at) => (at.value, Some(own)),
                None => {
                    r.blame(&item.span, "a listener needs an `address`");
                    return None;
                }
            }
        }
        other => {
            let what = article(&other);
            r.blame(&item.span, format!("a listener is an address or a table, not {what}"));
            return None;
        }
    };
    let of = own.as_ref().unwrap_or(shared);
    Some(Listener {
        transport,
        bind,
        external_address: of.external,
        local_nets: of.nets.clone(),
        tenant: of.tenant,
    })
}

fn read_shared(
    r: &mut Reader<'_>,
    table: &mut Fields<'_>,
    tenants: &[Tenant],
    above: &Shared,
) -> Shared {
    let external = table.text(r, "external_address", ip).map(|at| at.value);
    let nets: Vec<IpNet> =
        table.texts(r, "local_nets", net).into_iter().map(|at| at.value).collect();
    let tenant = table.text(r, "tenant", |name| {
        let found = tenants.iter().position(|t| t.name == name);
        found.ok_or_else(|| format!("there is no tenant `{name}`"))
    });
    Shared {
        external: external.or(above.external),
        nets: if nets.is_empty() { above.nets.clone() } else { nets },
        tenant: tenant.map_or(above.tenant, |at| at.value),
    }
}

/// A network as `10.0.0.0/8`; a bare address is the network of that one host.
pub fn net(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{text}` is not a network, as 10.0.0.0/8"))
}
