//! Every number that this Node shows: its counters, the endpoint's, and gauges read from the
//! tables at the moment of asking. Names and help as Prometheus wants them.
use crate::counters::{Count, Counters};
use crate::query::Metric;
use bitspath_core::Audit;
use bitspath_sip::endpoint;

const PREFIX: &str = "bitspath_";

/// Rows of counters, then of gauges; the same order at every call.
pub fn rows(own: &Counters, sip: &endpoint::Counters, alive: &Audit) -> Vec<Metric> {
    let mut rows: Vec<Metric> = Count::ALL.iter().map(|c| counter(*c, own.get(*c))).collect();
    rows.extend(sip.rows().map(|(name, help, value)| Metric {
        name: format!("{PREFIX}sip_{name}_total"),
        help: help.trim().trim_end_matches('.').to_owned(),
        counter: true,
        labels: Vec::new(),
        value,
    }));
    rows.extend(alive.0.iter().map(|(name, value)| Metric {
        name: format!("{PREFIX}{name}"),
        help: format!("Live {}", name.replace('_', " ")),
        counter: false,
        labels: Vec::new(),
        value: *value,
    }));
    rows
}

fn counter(count: Count, value: u64) -> Metric {
    let (name, labels, help) = count.metric();
    Metric {
        name: format!("{PREFIX}{name}"),
        help: help.to_owned(),
        counter: true,
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_share_name_and_labels() {
        let mut alive = Audit::default();
        alive.set("calls", 3);
        let rows = rows(&Counters::default(), &endpoint::Counters::default(), &alive);
        let keys: std::collections::BTreeSet<_> =
            rows.iter().map(|r| (r.name.clone(), r.labels.clone())).collect();
        assert_eq!(keys.len(), rows.len());
        let calls = rows.iter().find(|r| r.name == "bitspath_calls").expect("a gauge");
        assert_eq!((calls.value, calls.counter), (3, false));
    }
}
