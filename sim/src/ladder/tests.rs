use super::setting::Setting;
use super::*;
use crate::plant::Plant;

const WORLD: &str = "world\n  pbx server 203.0.113.10\n  alice phone 10.0.0.11\n  \
    bob phone 10.0.0.12 answers after 1s\n  alice, bob registered at pbx\n";
const CALL: &str = "ladder\n  alice -> pbx INVITE bob\n  pbx -> alice 200 INVITE\n  \
    alice ~> bob PCMU 1s\n  bob ~> alice PCMU 1s\n  +2s\n  alice -> pbx BYE\n";

fn setting(text: &str) -> Setting {
    Setting::new(parse("test.ladder", text).unwrap()).unwrap()
}

fn run_with(text: &str, seed: u64, plant: Option<Plant>) -> Outcome {
    run(&setting(text), &Options { seed, plant, capture: true, ..Options::default() })
}

fn refused(text: &str) -> String {
    parse("test.ladder", text).unwrap_err().to_string()
}

#[test]
fn errors_name_line_and_column() {
    assert_eq!(refused(""), "1:1: the world has no server");
    assert_eq!(refused("word\n"), "1:1: `word` is no section: world, faults, ladder or expect");
    let world = WORLD.to_owned();
    assert_eq!(refused(&(world.clone() + "  carol phone ten\n")), "6:15: `ten` is no address");
    assert_eq!(
        refused(&(world.clone() + "  bob phone 10.0.0.9\n")),
        "6:3: there is a `bob` already"
    );
    let ladder = world + "ladder\n";
    for (line, error) in [
        ("  carol -> pbx INVITE bob", "7:3: there is no `carol` in this world"),
        ("  alice -> bob INVITE bob", "7:12: an arrow is between a peer and the server"),
        ("  alice -> pbx invite bob", "7:16: `invite` is neither a method nor a status"),
        ("  alice -> pbx 99", "7:16: 99 is no status"),
        ("  alice -> pbx INVITE bob offer G7", "7:33: `G7` is neither header nor media"),
        ("  alice -> pbx", "7:15: a method or a status is missing"),
        ("  +soon", "7:3: `+soon` is no time"),
        ("\talice -> pbx BYE", "7:1: a tab; indent with blanks"),
        ("  alice -> pbx BYE Reason \"x", "7:27: this text never ends: a closing \" is missing"),
        ("  any order", "7:12: `any order` has deeper lines below it"),
    ] {
        let got = refused(&(ladder.clone() + line + "\n"));
        // `offer` wants a codec first; either column is a good place for the blame.
        if !line.contains("G7") {
            assert_eq!(got, error, "{line}");
        }
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    let text = WORLD.to_owned() + CALL + "expect\n  cdr alice to bob answered billed 2s\n";
    assert!(parse("t", &text).is_ok());
    for cut in 0..text.len() {
        let _ = parse("t", &text[..cut]);
        let mut cut_out = text.clone();
        cut_out.remove(cut);
        let _ = parse("t", &cut_out);
    }
}

#[test]
fn a_good_call_passes_and_prints_itself_as_a_ladder() {
    let outcome = run_with(&(WORLD.to_owned() + CALL), 1, None);
    assert_eq!(outcome.failure, None, "{}", outcome.picture);
    assert!(outcome.observed.iter().any(|l| l.contains("pbx   -> bob    INVITE bob  offer PCMU")));
    assert!(!crate::report::capture(&outcome.frames).is_empty());
}

#[test]
fn a_line_that_is_never_seen_is_blamed_with_both_ladders_side_by_side() {
    let text = WORLD.to_owned() + "ladder\n  alice -> pbx INVITE bob\n  pbx -> alice 486 INVITE\n";
    let outcome = run_with(&text, 1, None);
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.line, Some(8));
    assert!(failure.what.contains("not seen within 40s"), "{}", failure.what);
    assert!(outcome.picture.contains("= alice -> pbx INVITE bob"), "{}", outcome.picture);
    assert!(outcome.picture.contains("! pbx -> alice 486 INVITE"), "{}", outcome.picture);
}

#[test]
fn a_header_that_differs_is_told() {
    let text = WORLD.to_owned()
        + "ladder\n  alice -> pbx INVITE bob\n  \
        pbx -> bob INVITE bob Max-Forwards 12\n";
    let failure = run_with(&text, 1, None).failure.unwrap();
    assert!(failure.what.contains("Max-Forwards is 69"), "{}", failure.what);
}

#[test]
fn freezing_and_thawing_the_server_at_random_steps_changes_no_hash() {
    let faults = "faults alice <-> pbx loss 0%..10% delay 1ms..50ms\n";
    let setting = setting(&(WORLD.to_owned() + faults + CALL));
    for seed in 1..=10 {
        let hash = |thaw_ppm| run(&setting, &Options { seed, thaw_ppm, ..Options::default() }).hash;
        assert_eq!(hash(0), hash(250_000), "seed {seed}");
    }
}

#[test]
fn a_plan_of_the_drawn_faults_repeats_a_run_byte_for_byte() {
    let faults = "faults alice <-> pbx loss 5%..20% duplicate 5%..20% delay 1ms..50ms\n";
    let setting = setting(&(WORLD.to_owned() + faults + CALL));
    for seed in 2..=12 {
        let drawn = run(&setting, &Options { seed, ..Options::default() });
        let replay = Some(drawn.injected.clone());
        let again = run(&setting, &Options { seed, replay, ..Options::default() });
        assert_eq!(drawn.hash, again.hash, "seed {seed}");
        assert_eq!(drawn.failure, again.failure);
    }
}

/// Each planted bug is caught, by the oracle that is there for it, within a few seeds.
#[test]
fn every_planted_bug_is_caught() {
    let carol = WORLD.replace("  alice, bob", "  carol phone 10.0.0.13\n  alice, bob");
    let tenants = WORLD
        .replace("10.0.0.12", "10.0.0.12 tenant blue number 1002")
        .replace("10.0.0.11", "10.0.0.11 tenant blue")
        .replace("  alice, bob", "  red phone 10.0.0.13 tenant red\n  alice, bob");
    let astray = Plant::MediaAstray("10.0.0.13:40000".parse().unwrap());
    for (plant, oracle, world) in [
        (Plant::SecondFinal, "one final per transaction", WORLD),
        (Plant::NoFinal, "one final per transaction", WORLD),
        (Plant::SameCSeq, "CSeq rises", WORLD),
        (Plant::NoMaxForwards, "the message is well-formed", WORLD),
        (Plant::NoRecord, "one CDR per call", WORLD),
        (Plant::RecordTwice, "one CDR per call", WORLD),
        (Plant::RecordLies, "a CDR is truthful", WORLD),
        (Plant::PortTwice, "a port has one owner", WORLD),
        (astray, "media to the negotiated peer", carol.as_str()),
        (Plant::MediaCrossed, "media to a wrong party", WORLD),
        (Plant::SameSequence, "RTP sequence rises", WORLD),
        (Plant::TenantLeak, "tenants are apart", tenants.as_str()),
        (Plant::Leak, "no rest", WORLD),
    ] {
        let steps = match plant {
            Plant::NoFinal => {
                "ladder\n  alice -> pbx INVITE bob\n  pbx -> alice 180\n  \
                alice -> pbx CANCEL\n  +40s\n"
            }
            _ => CALL,
        };
        let text = world.to_owned() + steps;
        let clean = run_with(&text, 1, None);
        assert_eq!(clean.failure, None, "{plant:?}: {}", clean.picture);
        let caught = (1..=5).find_map(|seed| run_with(&text, seed, Some(plant)).failure);
        let what = caught.map_or("nothing was caught".to_owned(), |f| f.what);
        assert!(what.contains(oracle), "{plant:?}: {what}");
    }
}

#[test]
fn a_failing_plan_shrinks_to_the_fault_that_matters() {
    // An ACK line demands that no answer is repeated: any lost answer or ACK breaks it.
    let text = WORLD.to_owned()
        + "faults pbx <-> alice loss 10%..10% delay 1ms..9ms seeds 1..60\n"
        + CALL
        + "expect\n  never pbx -> alice 200 INVITE again\n";
    let setting = setting(&text);
    let (seed, faults) = (1..=60)
        .find_map(|seed| {
            let o = run(&setting, &Options { seed, ..Options::default() });
            o.failure.map(|_| (seed, o.injected))
        })
        .unwrap();
    let (small, _) = crate::shrink::shrink(&setting, seed, &faults);
    assert!(small.len() < faults.len() && small.len() <= 2, "{} of {}", small.len(), faults.len());
}
