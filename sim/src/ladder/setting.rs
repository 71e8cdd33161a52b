//! From a ladder to a World: the configuration text, the hosts, the links, the drawn rates.
use super::ast::{FaultLine, Ladder, Phone as PhoneLine, Role, Step, StepKind, What};
use crate::host::HostId;
use crate::link::Rates;
use crate::mix::{Draw, mix, within};
use crate::nat::Nat;
use crate::peers::{Habits, Identity, Phone};
use crate::server_host::{SIP_PORT, ServerHost};
use crate::world::World;
use bitspath_core::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A ladder made ready once, for many seeds.
#[derive(Clone, Debug)]
pub struct Setting {
    pub ladder: Ladder,
    config: Bytes,
    habits: BTreeMap<String, Habits>,
}

/// The hosts of a world by their names.
pub struct Cast {
    pub server: HostId,
    pub phones: BTreeMap<String, HostId>,
    pub nats: BTreeMap<String, usize>,
}

impl Setting {
    pub fn new(ladder: Ladder) -> Result<Setting, String> {
        let text = config(&ladder);
        let sealed = bitspath_server::config::seal(&text).map_err(|errors| {
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        let habits = ladder.phones.iter().map(|p| (p.name.clone(), habits(&ladder, p))).collect();
        Ok(Setting { ladder, config: Bytes::from(sealed), habits })
    }

    pub fn build(&self, seed: u64) -> (World, Cast) {
        let mut world = World::new(seed);
        let ladder = &self.ladder;
        let server = &ladder.server;
        let host = ServerHost::new(&self.config, server.addresses.clone());
        let pbx = world.add(&server.name, &server.addresses, Box::new(host));
        world.kernel.network.listen(pbx, SIP_PORT);
        world.kernel.oracles.under_test(pbx);
        if let (Some(public), Some(private)) = (server.external, server.addresses.first()) {
            world.kernel.network.add_public(pbx, public, *private);
        }
        let mut cast = Cast { server: pbx, phones: BTreeMap::new(), nats: BTreeMap::new() };
        for line in &ladder.phones {
            let identity = self.identity(line);
            let domain = identity.domain.clone();
            let habits = self.habits.get(&line.name).cloned().unwrap_or_default();
            let phone = Phone::new(identity, habits);
            let id = world.add(&line.name, &[line.address], Box::new(phone));
            world.kernel.oracles.belongs(id, &line.tenant, &[&domain]);
            cast.phones.insert(line.name.clone(), id);
        }
        for nat in &ladder.nats {
            let timeout = nat.timeout.unwrap_or(Duration::from_secs(60));
            let behind: Vec<HostId> =
                nat.behind.iter().filter_map(|n| cast.phones.get(n).copied()).collect();
            cast.nats.insert(nat.name.clone(), world.kernel.network.nats.len());
            let nat = Nat::new(&nat.name, nat.address, nat.filtered, timeout);
            world.kernel.network.add_nat(nat, &behind);
        }
        world.act(pbx, |s: &mut ServerHost, cx| s.start(cx));
        (world, cast)
    }

    fn identity(&self, line: &PhoneLine) -> Identity {
        let server = &self.ladder.server;
        let first = server.addresses.first().copied();
        let ip = line.via.or(server.external).or(first).unwrap_or(line.address);
        Identity {
            name: line.name.clone(),
            number: line.number.clone(),
            domain: domain(&line.tenant),
            user: line.user.clone(),
            password: line.password.clone().unwrap_or_else(|| password(line)),
            local: SocketAddr::new(line.address, line.port),
            server: SocketAddr::new(ip, SIP_PORT),
            tcp: line.tcp,
            expires: line.expires.unwrap_or(3600),
            secret: String::new(),
        }
    }

    /// Draws this seed's rates and puts them on the links. A tenth of the seeds stays clean.
    pub fn break_links(&self, world: &mut World, cast: &Cast, seed: u64) {
        let clean = seed > 1 && mix(seed, 0, 0, Draw::Clean).is_multiple_of(10);
        for (at, line) in self.ladder.faults.iter().enumerate() {
            let Some((a, b)) = ends(line, cast) else { continue };
            let rates = if clean { Rates::default() } else { rates(line, seed, at as u64) };
            let oracles = &mut world.kernel.oracles;
            oracles.mangled |= rates.mangle > 0;
            oracles.disordered |= rates.duplicate > 0 || rates.reorder > 0;
            world.kernel.network.set_rates(seed, a, b, rates);
            if line.both {
                world.kernel.network.set_rates(seed, b, a, rates);
            }
        }
    }
    /// A replay draws nothing, and is judged as if it had.
    pub fn judge_as_drawn(&self, world: &mut World) {
        let oracles = &mut world.kernel.oracles;
        for line in &self.ladder.faults {
            oracles.mangled |= line.mangle.1 > 0;
            oracles.disordered |= line.duplicate.1 > 0 || line.reorder.1 > 0;
        }
    }
}

fn ends(line: &FaultLine, cast: &Cast) -> Option<(HostId, HostId)> {
    Some((cast.id(&line.from)?, cast.id(&line.to)?))
}

impl Cast {
    /// The host of a name; the server when it is no phone.
    pub fn id(&self, name: &str) -> Option<HostId> {
        self.phones.get(name).copied().or(Some(self.server))
    }
}

fn rates(line: &FaultLine, seed: u64, at: u64) -> Rates {
    let draw = |n: u64, (low, high): (u32, u32)| {
        let word = mix(seed, at, n, Draw::Rate);
        within(word, u64::from(low), u64::from(high)) as u32
    };
    Rates {
        loss: draw(1, line.loss),
        duplicate: draw(2, line.duplicate),
        reorder: draw(3, line.reorder),
        corrupt: draw(4, line.corrupt),
        mangle: draw(5, line.mangle),
        delay: line.delay,
        mtu: line.mtu,
    }
}

pub fn domain(tenant: &str) -> String {
    format!("{tenant}.test")
}

fn password(line: &PhoneLine) -> String {
    format!("secret-{}-{}", line.tenant, line.number)
}

/// The configuration of the server, as an operator would write it.
fn config(ladder: &Ladder) -> String {
    let server = &ladder.server;
    let mut out = String::from("[listen]\nudp = [\"0.0.0.0:5060\"]\ntcp = [\"0.0.0.0:5060\"]\n");
    if let (Some(external), Some(IpAddr::V4(private))) = (server.external, server.addresses.first())
    {
        let [a, b, ..] = private.octets();
        let _ = writeln!(out, "external_address = \"{external}\"");
        let _ = writeln!(out, "local_nets = [\"{a}.{b}.0.0/16\"]");
    }
    out += "[media]\nports = \"10000-10199\"\n";
    let mut tenants: Vec<&str> = ladder.phones.iter().map(|p| p.tenant.as_str()).collect();
    tenants.dedup();
    let mut seen = Vec::new();
    for tenant in tenants {
        if seen.contains(&tenant) {
            continue;
        }
        seen.push(tenant);
        tenant_text(ladder, tenant, &mut out);
    }
    out
}

fn tenant_text(ladder: &Ladder, tenant: &str, out: &mut String) {
    let server = &ladder.server;
    let _ = write!(out, "[[tenant]]\nname = \"{tenant}\"\ndomains = [\"{}\"]\n", domain(tenant));
    let _ = writeln!(out, "services = {{ 600 = \"echo\", 601 = \"tone\" }}");
    if server.open {
        *out += "authentication = false\n";
    }
    if !server.guests.is_empty() {
        let _ = writeln!(out, "guests = {:?}", server.guests);
    }
    if !server.algorithms.is_empty() {
        let _ = writeln!(out, "algorithms = {:?}", server.algorithms);
    }
    if let Some(ring) = server.ring {
        let _ = writeln!(out, "ring_s = {}", ring.as_secs());
    }
    let mut numbers = Vec::new();
    for phone in ladder.phones.iter().filter(|p| p.tenant == tenant && !p.stranger) {
        if numbers.contains(&&phone.number) {
            continue;
        }
        numbers.push(&phone.number);
        let _ = write!(out, "[[tenant.extension]]\nnumber = \"{}\"\n", phone.number);
        let _ = writeln!(out, "password = \"{}\"", password(phone));
    }
}

/// What a phone does unasked: what the ladder shows of it is left to the ladder.
fn habits(ladder: &Ladder, line: &PhoneLine) -> Habits {
    let mut h = Habits { pick_up: line.pick_up, refuse: line.refuse, ..Habits::default() };
    if line.manual {
        h.answer_reinvite = false;
    }
    leave_to_ladder(&ladder.steps, &line.name, &mut h);
    h
}

fn leave_to_ladder(steps: &[Step], name: &str, h: &mut Habits) {
    for step in steps {
        match &step.kind {
            StepKind::AnyOrder(inner) => leave_to_ladder(inner, name, h),
            StepKind::Arrow(a) if a.from == name && a.role == Role::Perform => match &a.what {
                What::Request { method, .. } if method == "ACK" => h.ack = false,
                What::Response { method, .. } if method == "BYE" => h.answer_bye = false,
                What::Response { method, .. } if method == "CANCEL" => h.answer_cancel = false,
                _ => {}
            },
            _ => {}
        }
    }
}
