//! A Node that is alive: its parts, and the order in which they are driven.
//! Owns: composition. Does not know: what any message means (see `dispatch`).
use crate::advertise::Advertise;
use crate::calls::{Calls, Cx};
use crate::config::{Config, Overrides, TenantIds};
use crate::counters::Counters;
use crate::drain::Drain;
use crate::identity::Hosts;
use crate::io::{Event, Input, Output, Start};
use crate::records::Records;
use bitspath_core::{Entropy, Instant, Now};
use bitspath_media::Ports;
use bitspath_pbx::{Directory, Registrar};
use bitspath_sip::digest::Nonces;
use bitspath_sip::endpoint::{self, Endpoint, Timers};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Live {
    pub node: u8,
    pub entropy: Entropy,
    pub overrides: Overrides,
    /// `--guest`, for every tenant.
    pub guest: Option<IpNet>,
    pub config: Config,
    pub tenant_ids: TenantIds,
    pub directory: Directory,
    pub advertise: Advertise,
    pub hosts: Hosts,
    pub endpoint: Endpoint,
    pub nonces: Nonces,
    pub registrar: Registrar,
    pub calls: Calls,
    pub ports: Ports,
    pub records: Records,
    pub counters: Counters,
    pub drain: Drain,
    /// Until when the end waits for the last answers of peers.
    pub drain_until: Option<Instant>,
    pub out: VecDeque<Output>,
}

impl Live {
    /// A Node as it begins, or everything that keeps it from beginning.
    pub fn start(now: Now, start: Start) -> Result<Live, Vec<String>> {
        let text = String::from_utf8_lossy(&start.config);
        let config = Config::parse(&text)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?
            .moved(start.overrides);
        start.overrides.check().map_err(|why| vec![why])?;
        let guest = match start.guest.as_deref().map(crate::config::net).transpose() {
            Ok(guest) => guest,
            Err(why) => return Err(vec![format!("guest: {why}")]),
        };
        let entropy = Entropy::new(start.key);
        let mut tenant_ids = TenantIds::default();
        let directory = config.directory(&mut tenant_ids, guest);
        let mut live = Live {
            node: start.node,
            overrides: start.overrides,
            guest,
            advertise: Advertise::new(&config, start.local_addrs),
            hosts: Hosts::default(),
            endpoint: Endpoint::new(entropy.clone(), start.node, Timers::default()),
            nonces: Nonces::new(start.nonce_key),
            registrar: Registrar::with_capacity(entropy.clone(), config.limits.bindings),
            calls: Calls::new(&entropy),
            ports: Ports::new(config.media.quarantine),
            records: Records::default(),
            counters: Counters::default(),
            drain: Drain::default(),
            drain_until: None,
            out: VecDeque::new(),
            entropy,
            tenant_ids,
            directory,
            config,
        };
        live.records.restart(now, start.open_cdrs, &mut live.out);
        let dead = live.registrar.restore(now, &start.bindings, &live.directory);
        live.write(now, dead);
        live.event(Event::Started {
            listeners: live.config.listeners.len(),
            tenants: live.config.tenants.len(),
            extensions: live.config.tenants.iter().map(|t| t.extensions.len()).sum(),
            bindings: live.registrar.len(),
        });
        Ok(live)
    }

    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Start(_) => {}
            Input::Net(net) => self.endpoint.handle(now, net),
            Input::Media(shard, event) => self.with_calls(now, |c, cx| c.media(cx, shard, event)),
            Input::Stored(op, outcome) => self.stored(op, outcome),
            Input::Config(generation, text) => self.reload(generation, &text),
            Input::Admin(request, cmd) => self.command(now, request, cmd),
            Input::Shutdown { now_end_calls } => self.shutdown(now, now_end_calls),
            Input::Door(counts) => self.door(counts),
            Input::Rekey(key) => self.rekey(key),
        }
        self.settle(now);
    }

    /// Fires what is due in every part; a part with nothing due does nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        self.ports.handle_timeout(now);
        self.registrations_due(now);
        self.with_calls(now, |calls, cx| calls.handle_timeout(cx));
        self.records_due(now);
        self.settle(now);
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let parts = [
            self.endpoint.poll_timeout(),
            self.calls.poll_timeout(),
            self.registrar.poll_timeout(),
            self.ports.poll_timeout(),
            self.records.poll_timeout(),
            self.drain_until.map(|at| (at, "drain: last answers of peers")),
        ];
        // Of two equal deadlines the first part's reason is told.
        parts.into_iter().flatten().min_by_key(|(due, _)| *due)
    }

    /// Drains the endpoint: what happened, then what to send.
    fn settle(&mut self, now: Now) {
        while let Some(event) = self.endpoint.poll_event() {
            self.happened(now, event);
        }
        while let Some(output) = self.endpoint.poll_output() {
            self.out.push_back(Output::Net(output));
        }
        self.stop_when_empty(now);
    }

    fn happened(&mut self, now: Now, event: endpoint::Event) {
        use endpoint::Event as E;
        match event {
            E::Request { txn, flow, msg, merged } => self.request(now, txn, flow, msg, merged),
            E::Ack { flow, msg } => self.with_calls(now, |c, cx| c.ack(cx, flow, msg)),
            E::Cancelled { txn, owner, msg } => {
                self.with_calls(now, |c, cx| c.cancelled(cx, txn, owner, msg));
            }
            E::Response { txn, owner, flow, msg } => {
                self.with_calls(now, |c, cx| c.response(cx, txn, owner, flow, msg));
            }
            E::Failed { txn, owner, why } => {
                self.with_calls(now, |c, cx| c.failed(cx, txn, owner, why));
            }
            E::Ended { owner, txn } => self.with_calls(now, |c, cx| c.ended(cx, txn, owner)),
            E::Opened { conn, kind, .. } => self.hosts.opened(conn, &kind),
            E::Closed { conn, .. } => {
                self.hosts.closed(conn);
                self.connection_lost(now, conn);
                self.with_calls(now, |c, cx| c.conn_closed(cx, conn));
            }
        }
    }

    /// The calls with everything that they may touch.
    pub fn with_calls<R>(&mut self, now: Now, f: impl FnOnce(&mut Calls, &mut Cx<'_>) -> R) -> R {
        let mut cx = Cx {
            now,
            entropy: &self.entropy,
            endpoint: &mut self.endpoint,
            ports: &mut self.ports,
            out: &mut self.out,
            advertise: &self.advertise,
            store: &mut self.records,
            node: self.node,
            counters: &mut self.counters,
        };
        f(&mut self.calls, &mut cx)
    }

    pub fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(0, event));
    }
}
