//! Prometheus text on HTTP/1: `GET /metrics`, one answer per connection.
//! The numbers are the Node's own (`Query::Metrics`), read between inputs when somebody asks.
use crate::env::{Env, Listener};
use crate::run::Handle;
use bitspath_server::query::{Metric, Row};
use bitspath_server::{Page, Query};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest request head. Brim: the connection is closed.
const REQUEST_BYTES_MAX: usize = 8_192;
/// A slow asker is not waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Serves for ever.
pub async fn serve<E: Env>(env: E, listener: E::Listener, handle: Handle) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (handle, clock) = (handle.clone(), env.clone());
                env.spawn(async move {
                    let late = clock.sleep_until(clock.now().mono + PATIENCE);
                    tokio::select! {
                        biased;
                        _ = answer(stream, &handle) => {}
                        () = late => {}
                    }
                });
            }
            Err(e) => {
                tracing::warn!("the metrics listener fails: {e}");
                env.sleep_until(env.now().mono + PATIENCE).await;
            }
        }
    }
}

async fn answer<S>(mut stream: S, handle: &Handle) -> std::io::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        if head.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let (status, body) = if head.starts_with(b"GET /metrics") {
        let page = handle.query(Query::Metrics, usize::MAX).await.unwrap_or_default();
        ("200 OK", encode(page))
    } else {
        ("404 Not Found", "see /metrics\n".to_owned())
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.flush().await?;
    stream.shutdown().await
}

/// A page of metrics as OpenMetrics text.
pub fn encode(page: Page) -> String {
    let mut families: BTreeMap<String, Vec<Metric>> = BTreeMap::new();
    for row in page.rows {
        if let Row::Metric(metric) = row {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let name = metric.name.chars().map(plain).collect();
            families.entry(name).or_default().push(metric);
        }
    }
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut out = String::new();
    // Writing to a string fails only when a metric does, and ours do not.
    let _ = text::encode(&mut out, &registry);
    out
}

/// Metrics of one scrape, by name.
#[derive(Debug)]
struct Families(BTreeMap<String, Vec<Metric>>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, metrics) in &self.0 {
            let Some(first) = metrics.first() else { continue };
            let (kind, name) = if first.counter {
                // The encoder adds the suffix that the format demands.
                (ConstCounter::<u64>::TYPE, name.strip_suffix("_total").unwrap_or(name))
            } else {
                (MetricType::Gauge, name.as_str())
            };
            let help = first.help.trim_end_matches('.');
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            if first.labels.is_empty() {
                put(first, family)?;
                continue;
            }
            for metric in metrics {
                put(metric, family.encode_family(&metric.labels)?)?;
            }
        }
        Ok(())
    }
}

fn put(metric: &Metric, to: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
    if metric.counter {
        ConstCounter::new(metric.value).encode(to)
    } else {
        ConstGauge::new(i64::try_from(metric.value).unwrap_or(i64::MAX)).encode(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_numbers_become_openmetrics_text() {
        let metric = |name: &str, counter, label: &str, value| {
            let labels = vec![("kind".to_owned(), label.to_owned())];
            let (name, help) = (name.to_owned(), "What it counts.".to_owned());
            Row::Metric(Metric { name, help, counter, labels, value })
        };
        let rows = vec![
            metric("bugs_total", true, "a", 3),
            metric("calls", false, "live", 5),
            metric("bugs_total", true, "b\"", 4),
        ];
        let text = encode(Page { rows, next: None });
        for line in [
            "# TYPE bugs counter",
            "bugs_total{kind=\"a\"} 3",
            "bugs_total{kind=\"b\\\"\"} 4",
            "# HELP calls What it counts",
            "calls{kind=\"live\"} 5",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }
}
