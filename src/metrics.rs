//! The metric registry.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::core::Reason;

/// Media type of [`Metrics::encode`].
/// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the reconcile histogram, in seconds: from a pass without a write to one that
/// waits for Azure.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Names the series of one object.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// Kind.
    pub kind: &'a str,
    /// Namespace; only a cluster has any.
    pub namespace: Option<&'a str>,
    /// Name.
    pub name: &'a str,
}

/// No label `namespace` where there is none.
type ObjectLabels = Vec<(&'static str, String)>;

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KindLabels {
    kind: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct PassLabels {
    kind: String,
    reason: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    operation: String,
    code: String,
}

/// All metrics of the process; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    not_after: Family<ObjectLabels, Gauge<i64, AtomicI64>>,
    renewal: Family<ObjectLabels, Gauge<i64, AtomicI64>>,
    ready: Family<ObjectLabels, Gauge<i64, AtomicI64>>,
    duration: Family<KindLabels, Histogram>,
    passes: Family<PassLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        let (not_after, renewal, ready) = (Family::default(), Family::default(), Family::default());
        let duration = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> _);
        let (passes, requests) = (Family::default(), Family::default());

        let mut registry = Registry::with_prefix("aci_operator");
        let mut gauge = |name, help, family: &Family<_, _>| {
            registry.register(name, help, Family::clone(family));
        };
        gauge(
            "certificate_not_after_timestamp_seconds",
            "End of the certificate's life",
            &not_after,
        );
        gauge("certificate_renewal_timestamp_seconds", "When it will be renewed", &renewal);
        gauge("ready", "1 where the object is as wanted", &ready);
        registry.register("reconcile_duration_seconds", "Time of a pass", Family::clone(&duration));
        // The encoder adds `_total` to the name of a counter.
        registry.register("reconcile", "Passes, by what they concluded", Family::clone(&passes));
        registry.register("azure_requests", "Requests to Azure", Family::clone(&requests));
        Self { registry: Arc::new(registry), not_after, renewal, ready, duration, passes, requests }
    }

    /// Sets when the object's certificate ends and will be renewed.
    pub fn certificate(
        &self,
        series: Series<'_>,
        not_after: DateTime<Utc>,
        renewal: DateTime<Utc>,
    ) {
        let labels = series.labels();
        self.not_after.get_or_create(&labels).set(not_after.timestamp());
        self.renewal.get_or_create(&labels).set(renewal.timestamp());
    }

    /// Sets whether the object is as wanted.
    pub fn ready(&self, series: Series<'_>, ready: bool) {
        self.ready.get_or_create(&series.labels()).set(i64::from(ready));
    }

    /// Counts a pass.
    pub fn reconciled(&self, kind: &str, reason: Reason, took: Duration) {
        let (kind, reason) = (kind.to_owned(), reason.to_string());
        self.duration.get_or_create(&KindLabels { kind: kind.clone() }).observe(took.as_secs_f64());
        self.passes.get_or_create(&PassLabels { kind, reason }).inc();
    }

    /// Counts a request to Azure; `code` is the HTTP status, or a word where none came.
    pub fn azure_request(&self, operation: &str, code: &str) {
        let (operation, code) = (operation.to_owned(), code.to_owned());
        self.requests.get_or_create(&RequestLabels { operation, code }).inc();
    }

    /// Removes the series of an object that is gone.
    pub fn forget(&self, series: Series<'_>) {
        let labels = series.labels();
        for family in [&self.not_after, &self.renewal, &self.ready] {
            family.remove(&labels);
        }
    }

    /// All metrics as text, of type [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl Series<'_> {
    fn labels(self) -> ObjectLabels {
        let namespace = self.namespace.map(|namespace| ("namespace", namespace.to_owned()));
        let (kind, name) = (("kind", self.kind.to_owned()), ("name", self.name.to_owned()));
        [Some(kind), namespace, Some(name)].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_come_and_go() {
        let metrics = Metrics::new();
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let series = |name| Series { kind: "ContainerGroup", namespace: None, name };
        metrics.certificate(series("web"), at(1000), at(600));
        metrics.ready(series("web"), true);
        metrics.ready(series("other"), false);
        metrics.reconciled("ContainerGroup", Reason::InSync, Duration::from_millis(3));
        metrics.azure_request("ContainerGroups.Get", "200");
        metrics.azure_request("ContainerGroups.Get", "200");
        let labels = r#"{kind="ContainerGroup",name="web"}"#;
        let text = metrics.encode();
        for line in [
            format!("aci_operator_certificate_not_after_timestamp_seconds{labels} 1000"),
            format!("aci_operator_certificate_renewal_timestamp_seconds{labels} 600"),
            format!("aci_operator_ready{labels} 1"),
            r#"aci_operator_ready{kind="ContainerGroup",name="other"} 0"#.to_owned(),
            r#"aci_operator_reconcile_total{kind="ContainerGroup",reason="InSync"} 1"#.to_owned(),
            r#"aci_operator_reconcile_duration_seconds_bucket{le="0.005",kind="ContainerGroup"} 1"#
                .to_owned(),
            r#"aci_operator_azure_requests_total{operation="ContainerGroups.Get",code="200"} 2"#
                .to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        metrics.forget(series("web"));
        let text = metrics.encode();
        assert!(!text.contains(r#"name="web""#) && text.contains(r#"name="other""#), "{text}");
    }
}
