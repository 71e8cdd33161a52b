//! Logs on stderr. The ladder is the primary log; this one says what an operator must know.
//! Numbers of callers are personal data: above DEBUG they are not written.
use bitspath_server::Event;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Sets up logging once; `BITSPATH_LOG` chooses (default `info`).
pub fn init() {
    let filter = EnvFilter::try_from_env("BITSPATH_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call is a test that already has a log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}

/// One line per event that matters, at its level.
pub fn event(number: u64, event: &Event) {
    match event {
        Event::Started { listeners, tenants, extensions, bindings } => {
            tracing::info!(listeners, tenants, extensions, bindings, "started");
        }
        // The start fails with the same words, and so does the command.
        Event::StartRefused { .. } => {}
        Event::ConfigLoaded { generation, needs_restart } if needs_restart.is_empty() => {
            tracing::info!(generation, "configuration loaded");
        }
        Event::ConfigLoaded { generation, needs_restart } => {
            tracing::warn!(generation, "configuration loaded, restart for {needs_restart:?}");
        }
        Event::ConfigRefused { generation, errors } => {
            tracing::warn!(generation, "configuration refused: {}", errors.join("; "));
        }
        Event::Draining { calls } => tracing::info!(calls, "draining"),
        Event::Bug { call, what } => {
            tracing::error!(?call, "a bug of ours: {what} (`bitspath flight save` keeps it)");
        }
        Event::Fault { what } => tracing::warn!("{what}"),
        Event::AuthFailed { tenant, peer, .. } => {
            tracing::info!(tenant, %peer, "authentication failed");
        }
        Event::CallStarted { call, tenant, .. } => tracing::info!(call, tenant, "call started"),
        Event::CallEnded { call, cdr } => {
            let (cause, billed) = (cdr.cause.as_str(), cdr.billed.as_secs_f32());
            tracing::info!(call, cause, billed, "call ended");
        }
        other => tracing::debug!(number, "{other:?}"),
    }
}
