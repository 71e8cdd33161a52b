//! The end of a run: faults heal, calls end, everything must come to rest, and then the books are
//! compared. Liveness: whatever was attempted ends within its protocol's bound.
use super::ast::ExpectKind;
use super::expect;
use super::run::{Result, Runner};
use crate::host::HostId;
use crate::peers::Phone;
use crate::server_host::ServerHost;
use bitspath_core::Duration;

/// The longest that anything lives after the last thing that happened.
const REST: Duration = Duration::from_secs(200);
/// Entries of an audit that may be alive at rest.
const RESIDENT: [&str; 5] =
    ["registrations", "aors", "bindings", "connections", "kept-alive flows"];

impl Runner<'_> {
    /// Heals, ends what still runs, waits for rest, judges what is left.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.world.heal();
        let ladder = &self.setting.ladder;
        let phones: Vec<HostId> = self.cast.phones.values().copied().collect();
        let asks_rest = ladder.expects.iter().any(|e| e.kind == ExpectKind::AtRest);
        self.until_silent(&phones)?;
        if !asks_rest {
            for id in &phones {
                self.world.act(*id, |p: &mut Phone, cx| p.end_calls(cx));
            }
        }
        for id in &phones {
            self.world.act(*id, |p: &mut Phone, _| p.retire());
        }
        self.come_to_rest(&phones)?;
        let now = self.world.kernel.now;
        self.world.kernel.oracles.at_rest(now);
        self.advance(now)?;
        for expect in &ladder.expects {
            self.line = Some(expect.line);
            expect::check(self, &expect.kind)?;
        }
        Ok(())
    }

    fn until_silent(&mut self, phones: &[HostId]) -> Result<()> {
        let until = self.world.kernel.now + Duration::from_secs(600);
        while phones.iter().any(|id| self.world.host::<Phone>(*id).is_some_and(Phone::is_speaking))
        {
            if !self.advance(until)? {
                return self.fail("somebody speaks for ever");
            }
        }
        // The last packets are still on their way.
        self.pass(Duration::from_millis(500))
    }

    /// Liveness after heal: every attempt ends, and then nothing is alive but what may stay.
    fn come_to_rest(&mut self, phones: &[HostId]) -> Result<()> {
        let end = self.world.kernel.now + REST;
        let mut wait = Duration::from_millis(100);
        loop {
            let Some(why) = self.unrest(phones) else { return Ok(()) };
            if self.world.kernel.now >= end {
                return self.fail(format!("no rest after {}s: {why}", REST.as_secs()));
            }
            self.pass(wait)?;
            wait = (wait * 2).min(Duration::from_secs(8));
        }
    }

    fn unrest(&self, phones: &[HostId]) -> Option<String> {
        let pending = phones.iter().find_map(|id| self.world.host::<Phone>(*id)?.pending());
        // After a hostile middlebox both phones may have lost a call that the server still has: it
        // ends by silence or by age, hours later. Only safety is judged then.
        if pending.is_some() || self.world.kernel.oracles.mangled {
            return pending;
        }
        let audit = self.world.host::<ServerHost>(self.cast.server)?.audit();
        let mut alive = audit.alive(&RESIDENT);
        alive
            .next()
            .map(|(name, count)| format!("{} has {count} {name}", self.setting.ladder.server.name))
    }
}
