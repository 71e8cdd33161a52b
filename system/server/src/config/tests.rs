use super::*;
use proptest::prelude::*;

const GOOD: &str = r#"
[listen]
udp = ["0.0.0.0:5060", { address = "10.0.0.1:5070", tenant = "beta" }]
tcp = "0.0.0.0:5060"
external_address = "203.0.113.5"
local_nets = ["10.0.0.0/8", "192.168.1.1"]

[media]
ports = "20000-20099"
quarantine_s = 7
shards = 2

[metrics]
listen = "127.0.0.1:9090"

[[tenant]]
name = "alpha"
domains = ["Alpha.Example"]
guests = ["127.0.0.0/8"]
services = { 600 = "echo", 601 = "tone" }
[[tenant.extension]]
number = "1001"
password = "geheim"
display = "Alice"

[[tenant]]
name = "beta"
domains = ["beta.example"]
realm = "Beta PBX"
algorithms = ["sha-256", "md5"]
ring_s = 20
[[tenant.extension]]
number = "1001"
ha1 = { md5 = "939e7578ed9e3c518a452acee763bce9", sha-256 = "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232" }
enabled = false
"#;

/// The errors of `text`, one line each.
fn errors(text: &str) -> Vec<String> {
    let found = Config::parse(text).expect_err("a bad configuration");
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_full_text_is_read_with_its_defaults() {
    let c = Config::parse(GOOD).expect("a good configuration");
    let binds: Vec<String> =
        c.listeners.iter().map(|l| format!("{} {} {}", l.transport, l.bind, l.tenant)).collect();
    assert_eq!(binds, ["UDP 0.0.0.0:5060 0", "UDP 10.0.0.1:5070 1", "TCP 0.0.0.0:5060 0"]);
    assert!(c.listeners.iter().all(|l| l.local_nets.len() == 2 && l.external_address.is_some()));
    assert_eq!((c.media.pairs(), c.limits.calls, c.media.shards), (50, 25, 2));
    let [alpha, beta] = &c.tenants[..] else { panic!("two tenants") };
    assert_eq!((alpha.realm.as_str(), beta.realm.as_str()), ("alpha.example", "Beta PBX"));
    assert_eq!(alpha.services.len(), 2);
    assert!(alpha.extensions[0].enabled && !beta.extensions[0].enabled);
    assert_eq!(beta.algorithms.len(), 2);
}

#[test]
fn several_errors_are_told_at_once_each_at_its_line_and_column() {
    let text = "[listen]\nudp = [\"0.0.0.0\"]\nspeed = 3\n\n[media]\nports = \"9-7\"\n\n\
                [[tenant]]\nname = \"a b\"\nring_s = \"long\"\n";
    assert_eq!(
        errors(text),
        [
            "2:8: `0.0.0.0` is not an address with a port, as 0.0.0.0:5060",
            "3:1: unknown key `speed` in `listen`",
            "6:9: `ports`: `9-7` is not a range of ports, as 10000-32767",
            "8:1: a tenant needs a `name`",
            "9:8: `name`: `a b` must be 1 to 63 letters, digits, - or _",
            "10:10: `ring_s` must be a whole number from 5 to 300",
        ]
    );
}

#[test]
fn broken_syntax_is_told_where_it_breaks() {
    let found = errors("[listen]\nudp = [\"0.0.0.0:5060\"\n[[tenant]]\nname = \"a\"\n");
    assert!(found.iter().any(|e| e.starts_with("3:") || e.starts_with("2:")), "{found:?}");
}

#[test]
fn names_that_must_be_unique_are_refused_twice() {
    let head = "[listen]\nudp = [\"0.0.0.0:5060\"]\n";
    let text = format!(
        "{head}[[tenant]]\nname = \"a\"\ndomains = [\"x.org\", \"X.org\"]\n\
         services = {{ 600 = \"echo\" }}\n\
         [[tenant.extension]]\nnumber = \"600\"\npassword = \"p\"\n\
         [[tenant.extension]]\nnumber = \"1\"\npassword = \"p\"\n\
         [[tenant.extension]]\nnumber = \"1\"\n[[tenant]]\nname = \"a\"\n"
    );
    assert_eq!(
        errors(&text),
        [
            "5:21: the domain `x.org` is given twice",
            "8:10: 600 is a service of this tenant already",
            "13:1: an extension needs either a `password` or an `ha1` table",
            "14:10: there are two extensions 1 in this tenant",
            "15:1: there are two tenants `a`",
        ]
    );
}

#[test]
fn more_calls_than_ports_are_refused_at_start() {
    let text = GOOD.replace("[metrics]", "[limits]\ncalls = 26\n[metrics]");
    assert_eq!(errors(&text), ["14:9: the media ports 20000-20099 carry 25 calls, not 26"]);
}

#[test]
fn the_command_line_moves_every_listener() {
    let by =
        Overrides { bind: Some("127.0.0.9".parse().expect("an address")), base_port: Some(7000) };
    let c = Config::parse(GOOD).expect("a good configuration").moved(by);
    let binds: Vec<String> = c.listeners.iter().map(|l| l.bind.to_string()).collect();
    assert_eq!(binds, ["127.0.0.9:7000", "127.0.0.9:7000"]);
    assert_eq!(c.media.ports, (7100, 17_099));
    assert_eq!(c.metrics.map(|m| m.to_string()).as_deref(), Some("127.0.0.9:7009"));
    assert_eq!(by.check(), Ok(()));
    let far = Overrides { bind: None, base_port: Some(60_000) };
    let refused = "the base port must be 1024 to 55436, not 60000";
    assert_eq!(far.check(), Err(refused.to_owned()));
}

#[test]
fn a_sealed_text_has_no_password_and_means_the_same() {
    let sealed = seal(GOOD).expect("a good configuration");
    assert!(!sealed.contains("geheim"), "{sealed}");
    assert_eq!(sealed.lines().count(), GOOD.lines().count());
    assert_eq!(Config::parse(&sealed), Config::parse(GOOD));
}

#[test]
fn the_demo_is_a_good_configuration() {
    let passwords: Vec<String> = (0..5).map(|n| format!("secret-{n}")).collect();
    let text = demo(&passwords);
    let c = Config::parse(&text).expect("a good configuration");
    let numbers: Vec<&str> = c.tenants[0].extensions.iter().map(|e| e.number.as_str()).collect();
    assert_eq!(numbers, ["1001", "1002", "1003", "1004", "1005"]);
    assert_eq!(c.tenants[0].services.len(), 2);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,200}", cut in 0usize..2000) {
        let _ = Config::parse(&text);
        let cut = cut.min(GOOD.len());
        let mut mixed = GOOD.get(..cut).unwrap_or(GOOD).to_owned();
        mixed.push_str(&text);
        if let Err(errors) = Config::parse(&mixed) {
            let lines = mixed.split('\n').count();
            prop_assert!(errors.iter().all(|e| e.line >= 1 && e.line <= lines && e.column >= 1));
        }
    }
}
