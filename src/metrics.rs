//! Every metric that weir exports, by name. Label sets are closed: enums, configured stage names,
//! and what modules declared within their caps.

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::ledger::{Delivered, Ledger, Snapshot};

/// All metrics of one process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    /// Metrics of the source.
    pub source: SourceMetrics,
    /// Metrics of the stages.
    pub stage: StageMetrics,
    /// Metrics of the sink.
    pub sink: SinkMetrics,
    /// Metrics of the Lease.
    pub lease: LeaseMetrics,
    /// Metrics of lookups.
    pub lookup: LookupMetrics,
    /// Metrics of changes of the configuration.
    pub config: ConfigMetrics,
    /// `weir_buffer_bytes{tier}`
    pub buffer_bytes: IntGaugeVec,
}

/// Metrics of changes of the configuration while it is run.
#[derive(Clone, Debug)]
pub struct ConfigMetrics {
    /// `weir_config_generation`
    pub generation: IntGauge,
    /// `weir_config_swaps_total{result}`
    pub swaps: IntCounterVec,
    /// `weir_config_restart_needed`
    pub restart_needed: IntGauge,
}

/// Metrics of the source.
#[derive(Clone, Debug)]
pub struct SourceMetrics {
    /// `weir_source_state{state}`: how many scopes are in it.
    pub state: IntGaugeVec,
    /// `weir_source_frames_total{type}`
    pub frames: IntCounterVec,
    /// `weir_source_restarts_total{cause}`
    pub restarts: IntCounterVec,
}

/// Metrics of the stages.
#[derive(Clone, Debug)]
pub struct StageMetrics {
    /// `weir_stage_calls_total{stage}`
    pub calls: IntCounterVec,
    /// `weir_stage_duration_seconds{stage}`
    pub duration: HistogramVec,
    /// `weir_stage_failures_total{stage,kind}`
    pub failures: IntCounterVec,
    /// `weir_stage_instance_starts_total{stage,cause}`
    pub instance_starts: IntCounterVec,
    /// `weir_stage_edits_refused_total{stage}`
    pub edits_refused: IntCounterVec,
    /// `weir_stage_log_lines_dropped_total{stage}`
    pub log_lines_dropped: IntCounterVec,
    /// `weir_shadow_events_total{stage,result}`
    pub shadow_events: IntCounterVec,
    /// `weir_module_counter_total{stage,counter}`
    pub module_counter: IntCounterVec,
}

/// Metrics of the sink.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    /// `weir_sink_requests_total{status}`
    pub requests: IntCounterVec,
    /// `weir_sink_request_duration_seconds`
    pub request_duration: Histogram,
    /// `weir_sink_request_documents`
    pub request_documents: Histogram,
    /// `weir_sink_items_total{class}`
    pub items: IntCounterVec,
    /// `weir_sink_lookups_total{result}`
    pub lookups: IntCounterVec,
    /// `weir_delivery_lag_seconds`
    pub delivery_lag: Histogram,
}

/// Metrics of the Lease.
#[derive(Clone, Debug)]
pub struct LeaseMetrics {
    /// `weir_lease_leader`
    pub leader: IntGauge,
    /// `weir_lease_renewals_total{result}`
    pub renewals: IntCounterVec,
    /// `weir_lease_transitions_total`
    pub transitions: IntCounter,
}

/// Metrics of lookups.
#[derive(Clone, Debug)]
pub struct LookupMetrics {
    /// `weir_lookups_total{result}`
    pub results: IntCounterVec,
}

impl Metrics {
    /// Registers every family, those of the ledger included.
    ///
    /// # Errors
    ///
    /// When two families have the same name: a mistake in this file.
    pub fn new(ledger: &Ledger) -> prometheus::Result<Metrics> {
        let make = Maker(Registry::new());
        let metrics = Metrics {
            source: make.source()?,
            stage: make.stage()?,
            sink: make.sink()?,
            lease: make.lease()?,
            lookup: LookupMetrics {
                results: make.counters(
                    "weir_lookups_total",
                    "Events whose regarded object was looked up, by result. found: it was asked \
                     for and is there; cached: it was known already; missing: it is not there; \
                     forbidden: it may not be read; timeout: the event went on without, because \
                     there was no answer in time, or an error, or no turn within the rate.",
                    &["result"],
                )?,
            },
            config: make.config()?,
            buffer_bytes: make.gauges(
                "weir_buffer_bytes",
                "Bytes of documents that wait for the sink or are being sent, by where they are \
                 kept.",
                &["tier"],
            )?,
            registry: make.0,
        };
        let build = IntGaugeVec::new(
            Opts::new("weir_build_info", "Always 1; the labels identify the build."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.registry.register(Box::new(build))?;
        metrics.registry.register(Box::new(LedgerCollector::new(ledger.clone())?))?;
        #[cfg(target_os = "linux")]
        metrics.registry.register(Box::new(Process(
            prometheus::process_collector::ProcessCollector::for_self(),
        )))?;
        Ok(metrics)
    }

    /// All metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        // Encoding fails only for a family without a name; none of ours is.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// The standard metrics of a process. The library counts CPU time in whole seconds; this one does
/// not.
#[cfg(target_os = "linux")]
struct Process(prometheus::process_collector::ProcessCollector);

#[cfg(target_os = "linux")]
impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let mut families = self.0.collect();
        let cpu = families.iter_mut().find(|family| family.name() == "process_cpu_seconds_total");
        if let Some(metric) = cpu.and_then(|family| family.mut_metric().first_mut()) {
            let mut counter = Counter::default();
            counter.set_value(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9);
            metric.set_counter(counter);
        }
        families
    }
}

struct Maker(Registry);

impl Maker {
    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        let family = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        let family = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> prometheus::Result<Histogram> {
        let family =
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    fn config(&self) -> prometheus::Result<ConfigMetrics> {
        let swaps = self.counters(
            "weir_config_swaps_total",
            "Changes of the stages or their modules while weir runs, by result. applied: events \
             pass the new ones; refused: something is wrong with them, and the old ones go on.",
            &["result"],
        )?;
        // Both are there from the start, so that a first one is seen as an increase.
        for result in ["applied", "refused"] {
            swaps.with_label_values(&[result]);
        }
        Ok(ConfigMetrics {
            generation: self.gauge(
                "weir_config_generation",
                "Which stages are run: 1 since the start, and one more with each change that was \
                 applied.",
            )?,
            swaps,
            restart_needed: self.gauge(
                "weir_config_restart_needed",
                "1 when the configuration has changed in more than its stages, which only a \
                 restart takes up.",
            )?,
        })
    }

    fn source(&self) -> prometheus::Result<SourceMetrics> {
        Ok(SourceMetrics {
            state: self.gauges(
                "weir_source_state",
                "Scopes of the source (all namespaces, or each configured one) that are in the \
                 state.",
                &["state"],
            )?,
            frames: self.counters(
                "weir_source_frames_total",
                "Frames read from the source, by type. Not every frame is an event: items of a \
                 relist that were seen before, deletions and bookmarks are counted only here.",
                &["type"],
            )?,
            restarts: self.counters(
                "weir_source_restarts_total",
                "Times that the source had to list again or reopen its watch, by cause.",
                &["cause"],
            )?,
        })
    }

    fn stage(&self) -> prometheus::Result<StageMetrics> {
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "weir_stage_duration_seconds",
                "Duration of calls of a module's process function. Sampled, because reading a \
                 clock costs a third of a call: one call in 64, and every call that is still \
                 running at a tick, which comes every 10 ms.",
            )
            .buckets(vec![
                1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0,
            ]),
            &["stage"],
        )?;
        self.0.register(Box::new(duration.clone()))?;
        Ok(StageMetrics {
            calls: self.counters(
                "weir_stage_calls_total",
                "Calls of a module's process function.",
                &["stage"],
            )?,
            duration,
            failures: self.counters(
                "weir_stage_failures_total",
                "Calls that failed, by kind. kind=\"breaker\" counts events to which on_error \
                 applied without a call.",
                &["stage", "kind"],
            )?,
            instance_starts: self.counters(
                "weir_stage_instance_starts_total",
                "Instances of a module that were started, by cause.",
                &["stage", "cause"],
            )?,
            edits_refused: self.counters(
                "weir_stage_edits_refused_total",
                "Edits that were refused: of a protected field, through a scalar, or beyond a \
                 limit.",
                &["stage"],
            )?,
            log_lines_dropped: self.counters(
                "weir_stage_log_lines_dropped_total",
                "Log lines of a module that were cut short, dropped beyond its limits, or not \
                 UTF-8.",
                &["stage"],
            )?,
            shadow_events: self.counters(
                "weir_shadow_events_total",
                "Events that a stage's shadow was to see, by what it would have changed. same: \
                 nothing; verdict: whether the event is kept, or the reason it is dropped for; \
                 edits: the document; failed: its call failed; skipped: it was busy with others.",
                &["stage", "result"],
            )?,
            module_counter: self.counters(
                "weir_module_counter_total",
                "Counters that modules declare and increment.",
                &["stage", "counter"],
            )?,
        })
    }

    fn sink(&self) -> prometheus::Result<SinkMetrics> {
        Ok(SinkMetrics {
            requests: self.counters(
                "weir_sink_requests_total",
                "Requests to the sink, by HTTP status, or by why there was no response.",
                &["status"],
            )?,
            request_duration: self.histogram(
                "weir_sink_request_duration_seconds",
                "Time from sending a request to the sink to having read its whole response.",
                &[
                    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
                    30.0, 60.0,
                ],
            )?,
            request_documents: self.histogram(
                "weir_sink_request_documents",
                "Documents in a request to the sink.",
                &[
                    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0,
                    10000.0,
                ],
            )?,
            items: self.counters(
                "weir_sink_items_total",
                "Items of bulk responses, by class: ok, settled, document, target, pressure.",
                &["class"],
            )?,
            lookups: self.counters(
                "weir_sink_lookups_total",
                "Documents in doubt that were looked up in a data stream or an alias, because an \
                 earlier request may have stored them, by result. stored: it had; absent: it had \
                 not; moved: those of the absent documents that were then stored in another index \
                 than the documents before them, so that an earlier request that was still on its \
                 way may have stored them as well.",
                &["result"],
            )?,
            delivery_lag: self.histogram(
                "weir_delivery_lag_seconds",
                "Time from an event's own timestamp to the sink's acknowledgement. Many reporters \
                 write timestamps in whole seconds.",
                &[0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0],
            )?,
        })
    }

    fn lease(&self) -> prometheus::Result<LeaseMetrics> {
        let leader = IntGauge::new(
            "weir_lease_leader",
            "1 while this process holds the Lease and leads, else 0. Always 0 without a Lease.",
        )?;
        let transitions = IntCounter::new(
            "weir_lease_transitions_total",
            "Times that this process saw the Lease change hands or be given up.",
        )?;
        self.0.register(Box::new(leader.clone()))?;
        self.0.register(Box::new(transitions.clone()))?;
        let renewals = self.counters(
            "weir_lease_renewals_total",
            "Writes of the Lease (to take it, renew it or give it up), by result: ok; conflict: \
             somebody else had written it meanwhile; refused: a right is missing, for example; \
             error: an outage.",
            &["result"],
        )?;
        Ok(LeaseMetrics { leader, renewals, transitions })
    }
}

/// Exports the ledger from one snapshot a scrape, so that a scrape always balances.
struct LedgerCollector {
    ledger: Ledger,
    descriptions: Vec<Desc>,
}

const LEDGER_FAMILIES: [(&str, &str); 7] = [
    ("weir_events_received_total", "Events received from the source, malformed ones included."),
    ("weir_events_recovered_total", "Events found in the spool at startup."),
    ("weir_events_replayed_total", "Events replayed from dead letters."),
    ("weir_events_delivered_total", "Events that the sink has stored, by its answer."),
    ("weir_events_filtered_total", "Events that a stage dropped, by stage and reason."),
    (
        "weir_events_dead_lettered_total",
        "Events written to the dead letters, by where they failed and why.",
    ),
    (
        "weir_events_in_flight",
        "Events without an outcome yet, in all queues, batches and the spool.",
    ),
];

impl LedgerCollector {
    fn new(ledger: Ledger) -> prometheus::Result<LedgerCollector> {
        let descriptions = LEDGER_FAMILIES
            .iter()
            .map(|(name, help)| {
                Desc::new((*name).into(), (*help).into(), Vec::new(), Default::default())
            })
            .collect::<prometheus::Result<_>>()?;
        Ok(LedgerCollector { ledger, descriptions })
    }
}

impl Collector for LedgerCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.ledger.snapshot();
        (0..LEDGER_FAMILIES.len()).map(|index| ledger_family(index, &snapshot)).collect()
    }
}

fn ledger_family(index: usize, snapshot: &Snapshot) -> MetricFamily {
    let plain = |value: u64| vec![sample(&[], value, index)];
    let labelled = |names: [&str; 2], counts: &[((String, String), u64)]| {
        let sample = |((a, b), value): &((String, String), u64)| {
            sample(&[(names[0], a.as_str()), (names[1], b.as_str())], *value, index)
        };
        counts.iter().map(sample).collect()
    };
    let samples = match index {
        0 => plain(snapshot.received),
        1 => plain(snapshot.recovered),
        2 => plain(snapshot.replayed),
        3 => Delivered::ALL
            .iter()
            .map(|how| sample(&[("result", how.label())], snapshot.delivered[*how as usize], index))
            .collect(),
        4 => labelled(["stage", "reason"], &snapshot.filtered),
        5 => labelled(["where", "reason"], &snapshot.dead_lettered),
        _ => plain(snapshot.in_flight),
    };
    let (name, help) = LEDGER_FAMILIES[index];
    let mut family = MetricFamily::default();
    family.set_name(name.into());
    family.set_help(help.into());
    family.set_field_type(if is_gauge(index) { MetricType::GAUGE } else { MetricType::COUNTER });
    family.set_metric(samples);
    family
}

fn is_gauge(index: usize) -> bool {
    index == LEDGER_FAMILIES.len() - 1
}

fn sample(labels: &[(&str, &str)], value: u64, index: usize) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).into());
        pair.set_value((*value).into());
        pair
    });
    let mut metric = Metric::from_label(pairs.collect());
    if is_gauge(index) {
        let mut gauge = Gauge::default();
        gauge.set_value(value as f64);
        metric.set_gauge(gauge);
    } else {
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        metric.set_counter(counter);
    }
    metric
}
