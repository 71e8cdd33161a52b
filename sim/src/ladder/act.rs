//! What a ladder does: a line of a peer becomes its user's wish, a verb is done to the world.
use super::ast::{Arrow as Line, Rule, Verb, What};
use super::observe::number_of;
use super::run::Runner;
use crate::host::HostId;
use crate::link::Fault;
use crate::peers::{Do, Phone};
use crate::server_host::ServerHost;
use bitspath_core::Bytes;

impl Runner<'_> {
    pub(super) fn wish(&self, line: &Line) -> Do {
        let ladder = &self.setting.ladder;
        let mut headers: Vec<(String, String)> = line
            .rules
            .iter()
            .filter_map(|(name, rule)| match rule {
                Rule::Is(value) => Some((name.clone(), value.clone())),
                _ => None,
            })
            .collect();
        let media = &line.media;
        match &line.what {
            What::Raw(text) => Do::Raw(Bytes::from(text.clone())),
            What::Reinvite(direction) => {
                Do::Reinvite { direction: *direction, offer: media.wish(), headers }
            }
            What::Response { status, method } => Do::Answer {
                status: *status,
                method: Some(method.clone()),
                answer: media.wish(),
                headers,
            },
            What::Request { method, target } => {
                let target = target.as_ref().map(|t| match *t == ladder.server.name {
                    true => "pbx".to_owned(),
                    false => number_of(ladder, t),
                });
                match (method.as_str(), target) {
                    ("INVITE", Some(target)) => {
                        let offer = (!media.none).then(|| media.wish().unwrap_or_default());
                        Do::Invite { target, offer, headers }
                    }
                    ("REGISTER", _) => {
                        let at = headers.iter().position(|(n, _)| n == "Expires");
                        let expires = at.and_then(|at| headers.remove(at).1.parse().ok());
                        Do::Register { expires, headers }
                    }
                    ("CANCEL", _) => Do::Cancel,
                    ("ACK", _) => Do::Ack,
                    ("BYE", _) => Do::Bye { headers },
                    (_, target) => Do::Request {
                        method: method.clone(),
                        target,
                        headers,
                        body: media.body.clone().unwrap_or_default(),
                    },
                }
            }
        }
    }

    pub(super) fn verb(&mut self, verb: &Verb) {
        let id = |name: &str| self.cast.id(name).unwrap_or(self.cast.server);
        let seed = self.world.kernel.seed;
        match verb {
            Verb::Drop { from, to, count } => self.force(id(from), id(to), Fault::Drop, *count),
            Verb::Duplicate { from, to, count } => {
                self.world.kernel.oracles.disordered = true;
                self.force(id(from), id(to), Fault::Duplicate(1_000_000), *count);
            }
            Verb::Delay { from, to, by } => {
                let link = self.world.kernel.network.link(seed, id(from), id(to));
                link.rates.delay = (by.as_nanos() as u64, by.as_nanos() as u64);
            }
            Verb::Partition { a, b, cut } => self.world.partition(id(a), id(b), *cut),
            Verb::Reset { a, b } => self.world.reset(id(a), id(b)),
            Verb::Rebind(name) => {
                let at = self.cast.nats.get(name).copied();
                if let Some(nat) = at.and_then(|at| self.world.kernel.network.nats.get_mut(at)) {
                    nat.rebind();
                }
            }
            Verb::Crash(name) => {
                let who = id(name);
                self.world.crash(who);
                if who == self.cast.server {
                    self.world.act(who, |s: &mut ServerHost, _| s.lose_memory());
                    self.world.kernel.oracles.crashed();
                } else {
                    self.world.act(who, |p: &mut Phone, _| p.reboot());
                }
            }
            Verb::Restart(name) => {
                let who = id(name);
                self.world.revive(who);
                if who == self.cast.server {
                    self.world.act(who, |s: &mut ServerHost, cx| s.start(cx));
                }
            }
            Verb::Skew { who, ns } => {
                let who = id(who);
                self.world.kernel.network.skew(who, *ns);
            }
            Verb::Drain(_) => {
                self.world.act(self.cast.server, |s: &mut ServerHost, cx| s.shutdown(cx, false));
            }
            Verb::Shutdown(_) => {
                self.world.act(self.cast.server, |s: &mut ServerHost, cx| s.shutdown(cx, true));
            }
        }
    }

    fn force(&mut self, from: HostId, to: HostId, fault: Fault, count: u32) {
        let seed = self.world.kernel.seed;
        let link = self.world.kernel.network.link(seed, from, to);
        link.forced.extend(std::iter::repeat_n(fault, count as usize));
    }
}
