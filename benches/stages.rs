//! What a stage adds to an event: `cargo bench --bench stages`, after `make filters`.
//!
//! Each figure is the CPU time of one chunk of events through a worker: the chain and, for an event
//! that is kept, its encoding. The difference to `no stage` is what the modules cost.

#![allow(clippy::unwrap_used)] // A bench that cannot be set up fails.

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use weir::internals::dead_letter::DeadLetters;
use weir::internals::event::{Documents, EncodeSettings};
use weir::internals::handoff::{Closed, Outbox, SourceSender};
use weir::internals::health::Health;
use weir::internals::ledger::{Held, Ledger};
use weir::internals::lookup::{Lookups, Resource, Settings};
use weir::internals::metrics::Metrics;
use weir::internals::shutdown::Shutdown;
use weir::internals::stages::{
    Chain, Compiler, LoadContext, Match, ModuleSettings, OnError, Wasi, load,
};

#[allow(dead_code)] // Shared with the tests, which use other parts.
#[path = "../tests/suite/support/modules.rs"]
mod modules;

/// Events of about 1.1 KB in a chunk of 256 KiB.
const CHUNK_EVENTS: usize = 230;

/// A module of `filters/` and its configuration.
type Module<'a> = (&'a str, &'a str);

struct Away;

impl Outbox for Away {
    fn put(&self, documents: Documents, _held: Held) -> Result<(), Closed> {
        std::hint::black_box(documents);
        Ok(())
    }
}

fn chain(ledger: &Ledger, stages: &[Module<'_>]) -> Chain {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = |(module, config): &Module<'_>| ModuleSettings {
        name: (*module).to_owned(),
        module: here.join(format!("filters/dist/{module}.wasm")).into(),
        matches: Match::default(),
        timeout: Duration::from_millis(50),
        memory: 16 << 20,
        on_error: OnError::Keep,
        wasi: Wasi::None,
        config: (*config).to_owned(),
        shadow: None,
    };
    let settings: Vec<_> = stages.iter().map(|module| settings(module).into()).collect();
    let context = LoadContext {
        pulled: Default::default(),
        instances: 1,
        keeps: true,
        cache: here.join("target/tmp/compiled"),
        compiler: Compiler::InProcess,
        ledger: ledger.clone(),
        metrics: Metrics::new(ledger).unwrap().stage,
    };
    load(&settings, context).unwrap_or_else(|errors| panic!("{errors:?}: run `make filters`"))
}

/// Chunks that wait for the worker at once: bounds the memory of the bench.
const CHUNKS_MAX: usize = 64;

/// CPU time of this thread: it does not depend on what else the machine does.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// What the API server has of the Pod that the events are about.
fn lookups(metrics: &Metrics) -> Lookups {
    let settings = Settings {
        resources: ["pods", "replicasets.apps"].map(|name| Resource::parse(name).unwrap()).into(),
        labels: true,
        annotations: Vec::new(),
        owners: true,
        dedot: false,
        timeout: Duration::from_secs(2),
        max_per_second: 20,
    };
    let lookups = Lookups::offline(settings, metrics);
    let of = |kind: &str, name: &str| {
        format!(
            r#""ownerReferences":[{{"apiVersion":"apps/v1","kind":"{kind}","name":"{name}","uid":"{name}","controller":true}}]"#
        )
    };
    let pod = format!(
        r#"{{"name":"web-1","uid":"9a8b7c6d-0000-4000-8000-000000000000","labels":{{"app.kubernetes.io/name":"web","app.kubernetes.io/part-of":"shop","pod-template-hash":"5b8c7d9f6"}},{}}}"#,
        of("ReplicaSet", "web-5b8c7d9f6")
    );
    let set =
        format!(r#"{{"name":"web-5b8c7d9f6","uid":"web-5b8c7d9f6",{}}}"#, of("Deployment", "web"));
    assert!(lookups.remember("v1", "Pod", "shop", &pod));
    assert!(lookups.remember("apps/v1", "ReplicaSet", "shop", &set));
    lookups
}

/// The CPU time that a worker takes for `chunks` chunks of one event, again and again.
fn time(
    ledger: &Ledger,
    chain: &Chain,
    lookups: Option<&Lookups>,
    event: &str,
    chunks: usize,
) -> Duration {
    let (sender, mut works) = SourceSender::new(ledger.clone(), Default::default(), chunks, 1);
    for _ in 0..chunks {
        sender.send(modules::chunk((0..CHUNK_EVENTS).map(|_| event))).unwrap();
    }
    drop(sender);
    let (encode, health) = (EncodeSettings::default(), Health::default());
    let dead_letters = DeadLetters::open(None, ledger, &health, &Shutdown::default()).unwrap();
    let (worker, work) = (chain.worker(0, 1).with_lookups(lookups), works.remove(0));
    let start = cpu_time();
    worker.run(work, &Away, &dead_letters, &encode, &health).unwrap();
    cpu_time() - start
}

fn stages(criterion: &mut Criterion) {
    let normal = modules::event(1, "Normal", "Pulled");
    let warning = modules::event(1, "Warning", "BackOff");
    let gpu = modules::event(1, "Warning", "FailedScheduling")
        .replace("Pulling image", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.");
    let drop_normal = ("drop-normal", "{}");
    let drop_some = ("drop-normal", r#"{"keep_reasons":["Killing"]}"#);
    let tag = ("tag-gpu-failures", "{}");
    let looked_up = "no stage, its Pod looked up before";
    let cases: [(&str, &[Module<'_>], &str); 10] = [
        ("no stage", &[], &warning),
        (looked_up, &[], &warning),
        ("drop-normal drops by type", &[drop_normal], &normal),
        ("drop-normal drops by reason", &[drop_some], &normal),
        ("drop-normal keeps", &[drop_normal], &warning),
        ("tag-gpu-failures does not match", &[tag], &warning),
        ("no stage, GPU", &[], &gpu),
        ("tag-gpu-failures tags", &[tag], &gpu),
        ("both, tags", &[drop_normal, tag], &gpu),
        ("lookup-guest asks for all of it", &[("lookup-guest", "{}")], &warning),
    ];
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(CHUNK_EVENTS as u64));
    for (name, stages, event) in cases {
        let ledger = Ledger::default();
        let chain = chain(&ledger, stages);
        let lookups = lookups(&Metrics::new(&ledger).unwrap());
        let asks = name == looked_up || name.starts_with("lookup-guest");
        let lookups = asks.then_some(&lookups);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|chunks| {
                let rounds = (0..chunks).step_by(CHUNKS_MAX);
                rounds
                    .map(|done| {
                        let chunks = CHUNKS_MAX.min((chunks - done) as usize);
                        time(&ledger, &chain, lookups, event, chunks)
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = stages
}
criterion_main!(benches);
