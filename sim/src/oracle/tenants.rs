//! Nothing of one tenant reaches another: every tenant has words of its own (its domain, what its
//! phones call themselves), and no message of the system under test may carry them elsewhere.
use super::Say;
use crate::host::HostId;
use crate::seen::{Seen, find};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Tenants {
    home: BTreeMap<HostId, String>,
    /// (tenant, word)
    secrets: Vec<(String, String)>,
    tenants: usize,
}

impl Tenants {
    pub fn belongs(&mut self, host: HostId, tenant: &str, secrets: &[&str]) {
        if !self.home.values().any(|t| t == tenant) {
            self.tenants += 1;
        }
        self.home.insert(host, tenant.to_owned());
        for word in secrets {
            let entry = (tenant.to_owned(), (*word).to_owned());
            if !self.secrets.contains(&entry) {
                self.secrets.push(entry);
            }
        }
    }

    pub fn check(&self, to: HostId, seen: &Seen, say: &mut Say<'_>) {
        if self.tenants < 2 {
            return;
        }
        let Some(home) = self.home.get(&to) else { return };
        for (tenant, word) in self.secrets.iter().filter(|(t, _)| t != home) {
            if find(&seen.bytes, word.as_bytes()).is_some() {
                let what = format!("`{word}` of tenant {tenant} reached tenant {home}");
                say("tenants are apart", what);
            }
        }
    }
}
