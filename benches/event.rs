//! What an event costs on its way in and out: parsing it, framing it, matching, editing and
//! encoding it,
//! against serde_json's borrowed parse of the same bytes.
//!
//! `cargo bench --bench event`

mod common;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use weir::internals::event::{
    Chunk, Documents, Edits, EncodeSettings, EventView, Field, Head, Member, Original, Parsed,
    Scanner, encode, parse, parse_rfc3339,
};
use weir::internals::source::{FrameType, Framer, Other, Rejected, Visitor};
use weir::internals::stages::{Keys, Match, MatchKey};

use self::common::borrowed::Borrowed;

/// A kubelet's event as a real API server's watch gave it: 1,100 bytes, a third of them
/// `managedFields`.
const EVENT: &[u8] = include_bytes!("event.json");

struct Everything;

impl Visitor for Everything {
    fn event(&mut self, _: FrameType, _: &[u8], _: &Head) -> bool {
        true
    }

    fn other(&mut self, _: Other<'_>) {}

    fn reject(&mut self, rejected: &Rejected<'_>) -> Option<String> {
        panic!("{}: {}", rejected.location, rejected.detail)
    }
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(EVENT.len() as u64));
    let mut bytes = [EVENT, b"\n{\"kind\":\"Event\""].concat();
    let mut members: Vec<Member> = Vec::new();
    group.bench_function("weir", |bencher| {
        bencher.iter(|| {
            members.clear();
            black_box(parse(black_box(&mut bytes), &mut members))
        });
    });
    group.bench_function("weir, structure only", |bencher| {
        bencher.iter(|| Scanner::new(black_box(&bytes), 0).value());
    });
    group.bench_function("UTF-8 only", |bencher| {
        bencher.iter(|| std::str::from_utf8(black_box(EVENT)).is_ok());
    });
    group.bench_function("serde_json, borrowed", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Borrowed<'_>>(black_box(EVENT)).is_ok());
    });
    group.finish();
    criterion.bench_function("time", |bencher| {
        bencher.iter(|| parse_rfc3339(black_box(b"2026-11-22T19:03:27Z")));
    });
}

/// Bytes to chunks, 200 events at a time.
fn framing(criterion: &mut Criterion) {
    let text = std::str::from_utf8(EVENT).expect("the sample is UTF-8");
    let pretty: serde_json::Value = serde_json::from_str(text).expect("the sample is JSON");
    let inputs = [
        ("one a line", vec![text; 200].join("\n")),
        ("a List", format!("{{\"kind\":\"List\",\"items\":[{}]}}", vec![text; 200].join(","))),
        ("a watch", format!("{{\"type\":\"ADDED\",\"object\":{text}}}\n").repeat(200)),
        ("pretty-printed", format!("{pretty:#}\n").repeat(150)),
    ];
    let mut group = criterion.benchmark_group("frame");
    for (name, input) in &inputs {
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter_batched_ref(
                || (Framer::new(), Chunk::default()),
                |(framer, chunk)| {
                    framer.push(input.as_bytes(), chunk, &mut Everything);
                    framer.detach(chunk);
                    chunk.events.len()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// An exact list a key, compared as weir did before there were patterns: with the six keys there
/// were, set or not.
struct ExactLists([(Option<Vec<String>>, Field); 6]);

impl ExactLists {
    fn accepts(&self, event: EventView<'_>) -> bool {
        self.0.iter().all(|(wanted, field)| {
            wanted.as_ref().is_none_or(|wanted| {
                let text = event.text(*field);
                wanted.iter().any(|one| *one == *text)
            })
        })
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn keys(keys: &[(MatchKey, &[&str])]) -> Keys {
    keys.iter().map(|(key, list)| (*key, texts(list))).collect()
}

/// Whether a stage sees an event: of exact lists, beside how they were compared before.
fn matching(criterion: &mut Criterion) {
    let mut bytes = EVENT.to_vec();
    let mut members = Vec::new();
    let Parsed::Event { head, .. } = parse(&mut bytes, &mut members) else {
        panic!("the sample is an event");
    };
    let of = Original { bytes: &bytes, head: &head, members: &members };
    let edits = Edits::default();
    let view = EventView { of, edits: &edits };
    let (types, reasons) = (["Normal", "Warning"], ["Killing", "Created", "Started", "Pulled"]);
    let before = ExactLists([
        (Some(texts(&types)), Field::Type),
        (Some(texts(&reasons)), Field::Reason),
        (None, Field::Namespace),
        (None, Field::RegardingKind),
        (None, Field::RegardingName),
        (None, Field::Component),
    ]);
    let exact = keys(&[(MatchKey::Type, &types), (MatchKey::Reason, &reasons)]);
    let now = Match { keys: exact.clone(), not: Vec::new() };
    assert_eq!(now.accepts(view), before.accepts(view));
    let mut group = criterion.benchmark_group("match");
    group.bench_function("exact lists, as before there were patterns", |bencher| {
        bencher.iter(|| black_box(&before).accepts(black_box(view)));
    });
    #[allow(clippy::type_complexity)]
    let patterns: [(&str, &[(MatchKey, &[&str])]); 3] = [
        ("a prefix", &[(MatchKey::Namespace, &["kube-*"])]),
        ("anywhere in the message", &[(MatchKey::Message, &["*Xid*", "*nvidia.com/gpu*"])]),
        ("one character", &[(MatchKey::Reason, &["P?lled"])]),
    ];
    let cases = patterns.map(|(name, only)| (name, Match { keys: keys(only), not: Vec::new() }));
    let excepted = Match { keys: Keys::default(), not: vec![exact] };
    let cases =
        [("exact lists", now), ("exact lists, excepted", excepted)].into_iter().chain(cases);
    for (name, matches) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(&matches).accepts(black_box(view)));
        });
    }
    group.finish();
}

/// One event to its document.
fn encoding(criterion: &mut Criterion) {
    let mut bytes = EVENT.to_vec();
    let mut members = Vec::new();
    let Parsed::Event { head, .. } = parse(&mut bytes, &mut members) else {
        panic!("the sample is an event");
    };
    let of = Original { bytes: &bytes, head: &head, members: &members };
    let mut edits = Edits::default();
    let mut out = Documents::default();
    let mut group = criterion.benchmark_group("encode");
    let settings = EncodeSettings { cluster: Some("bench".into()), ..EncodeSettings::default() };
    group.bench_function("unedited", |bencher| {
        bencher.iter(|| {
            out.bytes.clear();
            out.docs.clear();
            encode(EventView { of, edits: &edits }, of.bytes, &[], &settings, &mut out);
        });
    });
    let addressed = EncodeSettings { identity: true, keep_source: true, ..settings.clone() };
    group.bench_function("unedited, for OpenSearch", |bencher| {
        bencher.iter(|| {
            out.bytes.clear();
            out.docs.clear();
            encode(EventView { of, edits: &edits }, of.bytes, &[], &addressed, &mut out);
        });
    });
    group.bench_function("the source again, for a dead letter", |bencher| {
        bencher.iter(|| black_box(out.source(&out.docs[0])).len());
    });
    group.bench_function("with the edits of tag-gpu-failures", |bencher| {
        bencher.iter(|| {
            edits.clear();
            let edited = edits
                .append_string(of, "/tags", "gpu-failure")
                .and_then(|()| edits.set_string(of, "/gpu/cause", "unschedulable"))
                .and_then(|()| edits.set_string(of, "/gpu/resource", "nvidia.com/gpu"));
            assert_eq!(edited, Ok(()));
            edits.commit();
            out.bytes.clear();
            out.docs.clear();
            encode(EventView { of, edits: &edits }, of.bytes, &[], &settings, &mut out);
        });
    });
    group.finish();
}

criterion_group!(benches, parsing, framing, matching, encoding);
criterion_main!(benches);
