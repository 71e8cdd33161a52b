//! Every engine against the suite, at random against the model, and redb through power cuts.
mod torn;

use bitspath_core::store::{Outcome, Request, Write};
use bitspath_store::conformance::{self, binding, cdr, request};
use bitspath_store::{Embedded, Engine, Memory};
use proptest::prelude::*;
use redb::backends::InMemoryBackend;
use torn::Disk;

fn any_write() -> impl Strategy<Value = Write> {
    let small = || 0u8..3;
    prop_oneof![
        (small(), small(), small(), any::<u32>())
            .prop_map(|(t, u, c, n)| Write::PutBinding(binding(t, u, c, n))),
        (small(), small(), small()).prop_map(|(t, u, c)| {
            let row = binding(t, u, c, 0);
            Write::DeleteBinding { tenant: row.tenant, user: row.user, contact: row.contact }
        }),
        // A call stays with its tenant for life.
        (0u128..9, proptest::option::of(0u64..99)).prop_map(|(id, ended)| Write::PutCdr(cdr(
            id,
            (id % 3) as u8,
            ended
        ))),
    ]
}

fn any_batches() -> impl Strategy<Value = Vec<Vec<Request>>> {
    let one = (any_write(), any::<bool>()).prop_map(|(w, durable)| request(0, w, durable));
    proptest::collection::vec(proptest::collection::vec(one, 1..6), 1..10)
}

#[test]
fn the_model_conforms() {
    conformance::all(Memory::default);
}

#[test]
fn redb_conforms() {
    conformance::all(|| Embedded::on(InMemoryBackend::new).expect("opens"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn redb_holds_what_the_model_holds(batches in any_batches()) {
        let mut engine = Embedded::on(InMemoryBackend::new).expect("opens");
        conformance::differential(&mut engine, &batches);
    }

    #[test]
    fn after_a_power_cut_the_store_is_at_a_whole_batch_not_before_the_last_durable_one(
        batches in any_batches(), cut in 1u64..400, seed in any::<u64>(),
    ) {
        let disk = Disk::default();
        let on = disk.clone();
        let mut engine = Embedded::on(move || on.handle()).expect("opens");
        disk.cut_after(cut);
        let mut models = vec![Memory::default()];
        let mut kept = 0;
        for batch in &batches {
            let mut next = models.last().cloned().unwrap_or_default();
            next.apply(batch);
            models.push(next);
            let outcomes = engine.apply(batch);
            if outcomes.contains(&Outcome::Done) && batch.iter().any(|r| r.durable) {
                kept = models.len() - 1;
            }
            if !outcomes.contains(&Outcome::Done) {
                break;
            }
        }
        drop(engine);
        disk.power_cut(seed);
        let on = disk.clone();
        let after = Embedded::on(move || on.handle()).expect("opens after the cut");
        let same = |m: &Memory| after.bindings() == m.bindings()
            && after.cdrs(&Default::default()) == m.cdrs(&Default::default());
        prop_assert!(models.get(kept..).unwrap_or_default().iter().any(same));
    }
}

#[test]
fn a_full_disk_is_told_and_the_store_goes_on_when_there_is_room_again() {
    let disk = Disk::default();
    let on = disk.clone();
    let mut engine = Embedded::on(move || on.handle()).expect("opens");
    let put = |id| vec![request(1, Write::PutCdr(cdr(id, 1, None)), true)];
    assert_eq!(engine.apply(&put(1)), [Outcome::Done]);
    disk.fill(true);
    assert_eq!(engine.apply(&put(2)), [Outcome::Full]);
    disk.fill(false);
    assert_eq!(engine.apply(&put(3)), [Outcome::Done]);
    let ids: Vec<_> =
        engine.cdrs(&Default::default()).expect("reads").iter().map(|r| r.id.0).collect();
    assert_eq!(ids, [1, 3]);
}

#[test]
fn a_file_is_kept_over_a_restart_and_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("bitspath-store-{}.redb", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut engine = Embedded::open(&path).expect("opens");
    engine.apply(&[request(1, Write::PutCdr(cdr(5, 1, None)), false)]);
    engine.flush().expect("flushes");
    assert!(Embedded::open(&path).is_err(), "one process at a time");
    drop(engine);
    let again = Embedded::open(&path).expect("opens again");
    assert_eq!(again.cdrs(&Default::default()), Ok(vec![cdr(5, 1, None)]));
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::remove_file(&path).expect("cleans up");
}
