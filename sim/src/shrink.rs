//! Delta debugging over the faults of a failing plan (Zeller's ddmin): the same failure with as
//! few faults as will do. Base delays stay: they belong to the world, not to the list.
use crate::ladder::setting::Setting;
use crate::ladder::{Options, run};
use crate::link::Injected;

/// Runs that a shrink may take.
const RUNS_MAX: usize = 2_000;

/// The smallest list found that still fails in the same way, and how many runs it took.
pub fn shrink(setting: &Setting, seed: u64, faults: &[Injected]) -> (Vec<Injected>, usize) {
    let mut runs = 0;
    let mut verdict = |list: &[Injected]| {
        runs += 1;
        let options = Options { seed, replay: Some(list.to_vec()), ..Options::default() };
        run(setting, &options).failure.map(|f| kind(&f.what).to_owned())
    };
    let Some(want) = verdict(faults) else { return (faults.to_vec(), runs) };
    let small = ddmin(faults.to_vec(), |list| verdict(list).as_ref() == Some(&want));
    (small, runs)
}

/// A failure without its numbers.
fn kind(what: &str) -> &str {
    what.split(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).next().unwrap_or(what)
}

/// The classic: try each part, then each complement, then finer parts.
fn ddmin<T: Clone>(mut list: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    if !list.is_empty() && fails(&[]) {
        return Vec::new();
    }
    let mut parts = 2;
    let mut tries = 0;
    while list.len() >= 2 && tries < RUNS_MAX {
        let size = list.len().div_ceil(parts);
        let mut smaller = None;
        for at in 0..list.len().div_ceil(size) {
            let (from, to) = (at * size, ((at + 1) * size).min(list.len()));
            let part = list.get(from..to).unwrap_or_default().to_vec();
            let rest: Vec<T> =
                list.iter().take(from).chain(list.iter().skip(to)).cloned().collect();
            tries += 2;
            if fails(&part) {
                smaller = Some((part, 2));
                break;
            }
            if parts > 2 && fails(&rest) {
                smaller = Some((rest, parts - 1));
                break;
            }
        }
        match smaller {
            Some((next, n)) => (list, parts) = (next, n.max(2)),
            None if parts < list.len() => parts = (parts * 2).min(list.len()),
            None => break,
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_all_that_is_left() {
        let all: Vec<u32> = (0..64).collect();
        assert_eq!(ddmin(all.clone(), |l| l.contains(&13)), [13]);
        assert_eq!(ddmin(all.clone(), |l| l.contains(&3) && l.contains(&60)), [3, 60]);
        assert_eq!(ddmin(all, |_| true), Vec::<u32>::new());
    }
}
