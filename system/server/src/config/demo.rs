//! The configuration that a first start writes: one tenant, numbers that work at once.
use core::fmt::Write;

const HEAD: &str = r#"# BitsPath Voice. Every error is told with its line: `bitspath check FILE`.
# The running server takes changes on SIGHUP; [listen] and [media] need a restart.

[listen]
udp = ["0.0.0.0:5060"]
tcp = ["0.0.0.0:5060"]
# Behind 1:1 NAT or in a container, tell peers outside these networks another address:
# external_address = "203.0.113.5"
# local_nets = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]

[media]
ports = "10000-32767"
# quarantine_s = 5        # a freed port rests this long

[metrics]
listen = "127.0.0.1:9090"

[[tenant]]
name = "demo"
domains = ["demo.bitspath"]
realm = "demo.bitspath"
# algorithms = ["sha-256", "md5"]   # one challenge each; many phones know only md5
# guests = ["192.0.2.0/24"]         # may call the services without a password
services = { 600 = "echo", 601 = "tone" }
"#;

/// The text for these passwords, which are of extensions 1001, 1002 and so on. Pure: the host
/// draws the passwords. Quotes, backslashes and control characters in them are escaped.
pub fn demo(passwords: &[String]) -> String {
    let mut text = HEAD.to_owned();
    for (n, password) in passwords.iter().enumerate() {
        let number = 1001 + n;
        let _ = write!(text, "\n[[tenant.extension]]\nnumber = \"{number}\"\npassword = \"");
        for c in password.chars() {
            let _ = match c {
                '"' | '\\' => write!(text, "\\{c}"),
                c if c.is_control() => write!(text, "\\u{:04X}", u32::from(c)),
                c => write!(text, "{c}"),
            };
        }
        text.push_str("\"\n");
    }
    text
}
