//! The world: who stands where, as what.
use super::words::{duration, ip, number};
use crate::ladder::ast::{Ladder, NatBox, Phone, Server};
use crate::ladder::lex::{Cursor, Error};

pub(super) fn world_line(ladder: &mut Ladder, c: &mut Cursor<'_>) -> Result<(), Error> {
    let first = c.want("a name")?;
    let mut names = vec![first.text.clone()];
    while c.take(",") {
        names.push(c.want("a name")?.text.clone());
    }
    if c.take("registered") {
        c.expect("at")?;
        c.want("the server")?;
        for name in &names {
            known_phone(ladder, c, name)?;
        }
        ladder.registered.extend(names);
        return Ok(());
    }
    let name = first.text.clone();
    if names.len() > 1 {
        return Err(c.error("one name for each line, or `registered at`".to_owned()));
    }
    if is_known(ladder, &name) {
        return Err(c.error_before(format!("there is a `{name}` already")));
    }
    match c.want("server, phone or nat")?.text.as_str() {
        "server" => ladder.server = server(name, c)?,
        "phone" => {
            let phone = phone(ladder, name, c)?;
            ladder.phones.push(phone);
        }
        "nat" => {
            let nat = nat(ladder, name, c)?;
            ladder.nats.push(nat);
        }
        other => {
            return Err(c.error_before(format!("`{other}` is neither server, phone nor nat")));
        }
    }
    Ok(())
}

pub(super) fn is_known(ladder: &Ladder, name: &str) -> bool {
    ladder.server.name == name
        || ladder.phones.iter().any(|p| p.name == name)
        || ladder.nats.iter().any(|n| n.name == name)
}

pub(super) fn known_phone(ladder: &Ladder, c: &Cursor<'_>, name: &str) -> Result<(), Error> {
    if ladder.phones.iter().any(|p| p.name == name) {
        return Ok(());
    }
    Err(c.error_before(format!("there is no phone `{name}` in this world")))
}

fn server(name: String, c: &mut Cursor<'_>) -> Result<Server, Error> {
    let mut s = Server { name, addresses: vec![ip(c)?], ..Server::default() };
    while let Some(word) = c.word() {
        match word.text.as_str() {
            "also" => s.addresses.push(ip(c)?),
            "external" => s.external = Some(ip(c)?),
            "open" => s.open = true,
            "guests" => s.guests.push(c.want("a network, as 10.0.0.0/8")?.text.clone()),
            "ring" => s.ring = Some(duration(c)?),
            "challenge" => {
                while let Some(a) = c.take_if(|w| matches!(w, "MD5" | "SHA-256" | "SHA-512-256")) {
                    s.algorithms.push(a.to_ascii_lowercase());
                }
            }
            other => return Err(c.error_before(format!("a server knows no `{other}`"))),
        }
    }
    Ok(s)
}

fn phone(ladder: &Ladder, name: String, c: &mut Cursor<'_>) -> Result<Phone, Error> {
    let word = c.want("an address")?;
    let (address, port) = match word.text.rsplit_once(':') {
        Some((ip, port)) => (ip.parse().ok(), port.parse().ok()),
        None => (word.text.parse().ok(), Some(5060)),
    };
    let (Some(address), Some(port)) = (address, port) else {
        return Err(c.error_before(format!("`{}` is no address", word.text)));
    };
    let mut p = Phone {
        name,
        address,
        port,
        tcp: false,
        tenant: "main".to_owned(),
        number: String::new(),
        password: None,
        user: None,
        via: None,
        manual: false,
        pick_up: None,
        refuse: None,
        stranger: false,
        expires: None,
    };
    while let Some(word) = c.word() {
        match word.text.as_str() {
            "udp" => p.tcp = false,
            "tcp" => p.tcp = true,
            "tenant" => p.tenant.clone_from(&c.want("a tenant")?.text),
            "number" => p.number.clone_from(&c.want("a number")?.text),
            "password" => p.password = Some(c.want("a password")?.text.clone()),
            "user" => p.user = Some(c.want("a digest user")?.text.clone()),
            "via" => p.via = Some(ip(c)?),
            "manual" => p.manual = true,
            "answers" => {
                c.expect("after")?;
                p.pick_up = Some(duration(c)?);
            }
            "refuses" => p.refuse = Some(number(c, "a status")?),
            "stranger" => p.stranger = true,
            "expires" => p.expires = Some(duration(c)?.as_secs() as u32),
            other => return Err(c.error_before(format!("a phone knows no `{other}`"))),
        }
    }
    if p.number.is_empty() {
        let before = ladder.phones.iter().filter(|q| q.tenant == p.tenant).count();
        p.number = (1001 + before).to_string();
    }
    Ok(p)
}

fn nat(ladder: &Ladder, name: String, c: &mut Cursor<'_>) -> Result<NatBox, Error> {
    let mut n =
        NatBox { name, address: ip(c)?, behind: Vec::new(), filtered: false, timeout: None };
    while let Some(word) = c.word() {
        match word.text.as_str() {
            "for" => loop {
                let who = c.want("a phone")?.text.clone();
                known_phone(ladder, c, &who)?;
                n.behind.push(who);
                if !c.take(",") {
                    break;
                }
            },
            "filtered" => n.filtered = true,
            "timeout" => n.timeout = Some(duration(c)?),
            other => return Err(c.error_before(format!("a nat knows no `{other}`"))),
        }
    }
    Ok(n)
}
