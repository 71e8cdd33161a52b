//! A configuration without its passwords: each becomes the HA1 digests of its tenant's algorithms,
//! in place, so that lines keep their numbers. What is recorded is sealed first (rule 4).
use super::{Config, ConfigError};
use core::fmt::Write;
use core::ops::Range;
use toml::de::DeTable;

/// The same configuration with every `password = ".."` written as `ha1 = { .. }`.
pub fn seal(text: &str) -> Result<String, Vec<ConfigError>> {
    let config = Config::parse(text)?;
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let mut passwords = passwords(text);
    passwords.sort_by_key(|(span, ..)| span.start);
    for (span, tenant, extension) in passwords {
        let ha1 =
            config.tenants.get(tenant).and_then(|t| t.extensions.get(extension)).map(|e| &e.ha1);
        out.push_str(text.get(done..span.start).unwrap_or(""));
        out.push_str("ha1 = { ");
        for (n, (algorithm, hex)) in ha1.into_iter().flatten().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            let _ = write!(out, "{comma}{} = \"{hex}\"", super::tenant::key_of(*algorithm));
        }
        out.push_str(" }");
        // A password over several lines keeps the lines below it where they were.
        let lines = text.get(span.clone()).unwrap_or("").matches('\n').count();
        out.extend(core::iter::repeat_n('\n', lines));
        done = span.end;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    Ok(out)
}

/// Where each password stands, from its key to the end of its value, with the places of its
/// tenant and extension. The text is known to be good.
fn passwords(text: &str) -> Vec<(Range<usize>, usize, usize)> {
    let mut out = Vec::new();
    let Ok(document) = DeTable::parse(text) else { return out };
    let tenants = document.get_ref().get("tenant").and_then(|t| t.get_ref().as_array());
    for (t, tenant) in tenants.into_iter().flatten().enumerate() {
        let extensions = tenant
            .get_ref()
            .as_table()
            .and_then(|t| t.get("extension"))
            .and_then(|e| e.get_ref().as_array());
        for (e, extension) in extensions.into_iter().flatten().enumerate() {
            let Some(table) = extension.get_ref().as_table() else { continue };
            if let Some((key, value)) = table.get_key_value("password") {
                out.push((key.span().start..value.span().end, t, e));
            }
        }
    }
    out
}
