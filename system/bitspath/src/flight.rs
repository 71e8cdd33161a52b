//! `bitspath flight`: recordings to one file.
use crate::operator::Server;
use bitspath_core::Fault;
use bitspath_shell::data::DataDir;
use bitspath_shell::flight;
use std::path::{Path, PathBuf};

/// Saves what covers `call` (or everything) and says where to.
pub fn save(data: &Path, call: Option<&str>, to: &Path) -> Result<(), Fault> {
    let dir = DataDir::at(data);
    let mut named = None;
    if let Some(mut server) = Server::reach(&dir.control())? {
        server.ask("flight-flush", |_| true)?;
        if let Some(id) = call {
            // A call known by its record's id is looked for by its Call-ID.
            server.ask("cdr", |v| {
                let text = |at| v.pointer(at).and_then(|v| v.as_str());
                if text("/cdr/id") == Some(id) {
                    named = text("/cdr/call_id").map(str::to_owned);
                }
                true
            })?;
        }
    }
    let call_id = named.as_deref().or(call);
    let segments = flight::save(&dir, call_id, to)?;
    println!("{}: {} segments", to.display(), segments.len());
    Ok(())
}

pub fn redact(from: &Path, to: Option<PathBuf>) -> Result<(), Fault> {
    let to = to.unwrap_or_else(|| from.with_extension("redacted.flight"));
    flight::redact(from, &to)?;
    println!("{}", to.display());
    Ok(())
}
