//! `bitspath cdr`: call records of a running server, or of the file when none runs.
use crate::operator::Server;
use bitspath_core::Fault;
use bitspath_shell::control::cdr_json;
use bitspath_shell::data::DataDir;
use bitspath_store::{CdrQuery, Embedded, Engine};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

pub fn show(data: &Path, follow: bool, json: bool) -> Result<(), Fault> {
    let dir = DataDir::at(data);
    if !data.is_dir() {
        return Err(Fault::new(format!("there is no data directory {}", data.display())));
    }
    let mut out = std::io::stdout().lock();
    // `false` ends: nobody reads what we print.
    let mut print = |row: &Value| {
        let line = if json { row.to_string() } else { line(row) };
        writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
    };
    match Server::reach(&dir.control())? {
        Some(mut server) if follow => followed(&dir, &mut server, &mut print),
        Some(mut server) => server.ask("cdr", |v| v.get("cdr").is_none_or(&mut print)),
        None if follow => Err(Fault::new(format!("no server runs in {}", data.display()))),
        None => stored(&dir, &mut print),
    }
}

/// Subscribes first and lists then, so that no record falls between.
fn followed(
    dir: &DataDir,
    events: &mut Server,
    print: &mut dyn FnMut(&Value) -> bool,
) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    let id = |row: &Value| row.get("id").map(ToString::to_string).unwrap_or_default();
    events.ask("follow", |value| {
        if value.get("following").is_some() {
            let listed = Server::reach(&dir.control()).and_then(|server| match server {
                Some(mut server) => server.ask("cdr", |v| {
                    v.get("cdr").is_none_or(|row| {
                        let closed = row.get("ended").is_some_and(|e| !e.is_null());
                        !closed || (seen.insert(id(row)) && print(row)) || seen.contains(&id(row))
                    })
                }),
                None => Ok(()),
            });
            return listed.is_ok();
        }
        let ended = value.pointer("/event/CallEnded/cdr");
        ended.is_none_or(|row| !seen.insert(id(row)) || print(row))
    })
}

fn stored(dir: &DataDir, print: &mut dyn FnMut(&Value) -> bool) -> Result<(), Fault> {
    let path = dir.store();
    if !path.exists() {
        return Err(Fault::new(format!("there are no records: {} is missing", path.display())));
    }
    let store = Embedded::open(&path)?;
    let mut query = CdrQuery::default();
    loop {
        let rows = store.cdrs(&query)?;
        let Some(last) = rows.last() else { return Ok(()) };
        query.after = Some(last.id);
        if !rows.iter().all(|row| print(&cdr_json(row))) {
            return Ok(());
        }
    }
}

/// `2026-11-23T09:41:07.250Z demo 1001 -> 1002  12.3 s  caller-hung-up 200  600/598 packets`
fn line(row: &Value) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("-");
    let number = |at: &str| row.pointer(at).and_then(Value::as_u64).unwrap_or(0);
    let billed = number("/billed_ms");
    format!(
        "{} {} {} -> {}  {}.{} s  {} {}  {}/{} packets  {}",
        text("started"),
        text("tenant"),
        text("caller"),
        text("callee"),
        billed / 1000,
        billed / 100 % 10,
        text("cause"),
        number("/status"),
        number("/packets/0"),
        number("/packets/1"),
        text("call_id"),
    )
}
