//! Every key of `pipeline.toml`, declared once. `config/pipeline.toml` explains the same keys to
//! people; a test holds the two together.
//!
//! Words that a key may have are an enum, declared with [`words!`]: those of one part's settings by
//! that part, the kinds of a table here.

use std::time::Duration;

use super::rules::{
    ADDRESS, ANNOTATION, CLUSTER, EXACT_NAMESPACE, FIELD_SELECTOR, HOST, INDEX, LETTER_INDEX, NAME,
    NAMESPACE, PROXY, REGION, RESOURCE, STAGE_NAME, USERNAME,
};
use super::settings::ReloadOn;
use super::table::{Key, Table, Type, key, one_of};
use crate::opensearch::{Compression, Service};
use crate::sink::{Duplicates, LastTimestamp, Mode, Setup, Template};
use crate::source::Start;
use crate::stages::{MatchKey, OnError, Wasi};
use crate::words::words;

/// A call that takes longer would hold up its worker for too long.
pub(super) const STAGE_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// All that 32-bit memories can address.
pub(super) const STAGE_MEMORY_MAX: u64 = 4 << 30;

/// The whole file.
pub(super) static ROOT: Table = Table {
    header: "",
    doc: "A weir pipeline: where events come from, the WebAssembly stages they pass, and where \
          they go.",
    keys: &[
        key("name", Type::Text(NAME), "Identifies the pipeline: its Lease, its saved position.")
            .required(),
        key(
            "cluster",
            Type::Text(CLUSTER),
            "Goes into every document as clusterName; absent: no clusterName.",
        ),
        key(
            "workers",
            Type::Workers { max: 256 },
            "Threads that run the stages. \"auto\": the CPU quota, at most 4.",
        )
        .default("\"auto\""),
        key(
            "cache",
            Type::Path,
            "Where weir makes a folder of compiled modules, for itself alone (mode 0700). Absent: \
             weir/modules in $XDG_CACHE_HOME, else in ~/.cache.",
        ),
        key(
            "reload",
            one_of::<ReloadOn>(),
            "When stages that were changed here, and modules, are taken up without a restart.",
        )
        .default("\"watch\""),
        key("source", Type::Section(&SOURCE), SOURCE.doc).required(),
        key("stage", Type::Sections(&STAGE), STAGE.doc),
        key("registry", Type::Section(&REGISTRY), REGISTRY.doc),
        key("buffer", Type::Section(&BUFFER), BUFFER.doc),
        key("sink", Type::Section(&SINK), SINK.doc).required(),
        key("dead_letter", Type::Section(&DEAD_LETTER), DEAD_LETTER.doc),
        key("lease", Type::Section(&LEASE), LEASE.doc),
        key("lookup", Type::Section(&LOOKUP), LOOKUP.doc).off(),
        key("admin", Type::Section(&ADMIN), ADMIN.doc),
    ],
};

words! {
    /// `source.kind`
    pub(super) enum SourceKind {
        Kubernetes = "kubernetes": "a watch of the API server's events",
        File = "file": "a file of JSON: objects, Lists or watch envelopes",
        Stdin = "stdin": "the same from standard input",
    }
}

const KUBERNETES: &[&str] = &[SourceKind::Kubernetes.word()];
const FROM_FILE: &[&str] = &[SourceKind::File.word()];

static SOURCE: Table = Table {
    header: "[source]",
    doc: "Where events come from.",
    keys: &[
        key("kind", one_of::<SourceKind>(), "What to read.").required(),
        key(
            "namespaces",
            Type::Texts { rule: NAMESPACE, may_be_empty: true },
            "Namespaces to watch, each in a watch of its own; empty: all, in one watch.",
        )
        .default("[]")
        .only(KUBERNETES),
        key(
            "exclude_namespaces",
            Type::Texts { rule: EXACT_NAMESPACE, may_be_empty: true },
            "Namespaces whose events the API server is asked not to send, where all others are \
             watched: they are not received.",
        )
        .default("[]")
        .only(KUBERNETES),
        key(
            "field_selector",
            Type::Text(FIELD_SELECTOR),
            "Which events the API server is asked to send, such as type!=Normal: FIELD=VALUE and \
             FIELD!=VALUE, with commas between them; what it leaves out is not received.",
        )
        .only(KUBERNETES),
        key("start", one_of::<Start>(), "What to do when there is no saved position.")
            .default("\"all\"")
            .only(KUBERNETES),
        key("path", Type::Path, "The file to read.").required().only(FROM_FILE),
        key("follow", Type::Flag, "Whether to go on reading as the file grows, until a signal.")
            .default("false")
            .only(FROM_FILE),
    ],
};

pub(super) static STAGE: Table = Table {
    header: "[[stage]]",
    doc: "What each event passes, in the order of the file: a WebAssembly module, or `drop = \
          true`, which drops what it matches.",
    keys: &[
        key(
            "name",
            Type::Text(STAGE_NAME),
            "Its name, unique in the pipeline: a metric label; neither source nor sink.",
        )
        .required(),
        key(
            "module",
            Type::Module,
            "The component to load: a file, or oci://REGISTRY/NAME:TAG@sha256:… in a registry; a \
             stage with `drop = true` has none.",
        )
        .required()
        .unless(DROP),
        key(
            DROP,
            Type::Flag,
            "Whether it has no module, and filters what it matches for the reason matched. It \
             needs `match`, and takes no other key but `name`.",
        )
        .default("false")
        .needs("match"),
        key(
            "match",
            Type::Section(&MATCH),
            "Which events it sees, decided before a module is called; the others go on unchanged. \
             Every key that is set must hold; the members of a list are alternatives. They are \
             patterns for the whole text: * is any characters, ? one; case-sensitive.",
        )
        .literal(),
        key(
            "timeout",
            Type::Duration { min: Duration::from_millis(1), max: STAGE_TIMEOUT_MAX },
            "CPU time that one call may take.",
        )
        .default("\"50ms\"")
        .unless(DROP),
        key(
            "memory",
            // At least one page of WebAssembly.
            Type::Size { min: 64 << 10, max: STAGE_MEMORY_MAX },
            "The most that one instance's memories and tables may take together; each worker has \
             an instance.",
        )
        .default("\"16MiB\"")
        .unless(DROP),
        key("on_error", one_of::<OnError>(), "What happens to an event that the module failed on.")
            .default("\"keep\"")
            .unless(DROP),
        key("wasi", one_of::<Wasi>(), "Which part of WASI its module gets.")
            .default("\"none\"")
            .unless(DROP),
        key(
            "config",
            Type::Free,
            "The module's own settings: it gets them as one JSON object, dates and times as \
             strings.",
        )
        .default("{}")
        .unless(DROP)
        .literal(),
        key("shadow", Type::Section(&SHADOW), SHADOW.doc).off().unless(DROP),
    ],
};

static SHADOW: Table = Table {
    header: "[stage.shadow]",
    doc: "A candidate that is called beside the module, for the same events, and changes nothing: \
          weir_shadow_events_total says how often it would have done otherwise. Its bounds are the \
          stage's.",
    keys: &[
        key("module", Type::Module, "The component to load.").required(),
        key("config", Type::Free, "Its own settings: it does not get those of the module.")
            .default("{}")
            .literal(),
    ],
};

/// The flag of a stage that has no module.
pub(super) const DROP: &str = "drop";

/// A list of patterns, one of which an event must match.
const fn member(key_of: MatchKey, doc: &'static str) -> Key {
    key(key_of.word(), Type::Texts { rule: super::rules::ANY, may_be_empty: false }, doc)
}

const TYPE: Key = member(MatchKey::Type, "The event's type, such as Normal or Warning.");
const REASON: Key = member(MatchKey::Reason, "The event's reason, such as FailedScheduling.");
const MESSAGE: Key = member(MatchKey::Message, "The event's message.");
const EVENT_NAMESPACE: Key = member(
    MatchKey::Namespace,
    "The event's own namespace (metadata.namespace): of events about Nodes, default.",
);
const KIND: Key = member(MatchKey::Kind, "The kind of the regarded object, such as Pod.");
const OBJECT_NAME: Key = member(MatchKey::Name, "The name of the regarded object.");
const COMPONENT: Key =
    member(MatchKey::Component, "The component that reported the event, such as kubelet.");

static MATCH: Table = Table {
    header: "[stage.match]",
    doc: "Which events a stage sees.",
    keys: &[
        TYPE,
        REASON,
        MESSAGE,
        EVENT_NAMESPACE,
        KIND,
        OBJECT_NAME,
        COMPONENT,
        key(
            "not",
            Type::Alternatives(&NOT),
            "Exceptions: a table of the same keys, which must all hold, or a list of such tables, \
             which are alternatives. What one of them matches is not matched.",
        ),
    ],
};

static NOT: Table = Table {
    header: "[stage.match.not]",
    doc: "Which of the events that match are excepted.",
    keys: &[TYPE, REASON, MESSAGE, EVENT_NAMESPACE, KIND, OBJECT_NAME, COMPONENT],
};

static REGISTRY: Table = Table {
    header: "[registry]",
    doc: "How modules are had that are in registries.",
    keys: &[
        key(
            "credentials",
            Type::Path,
            "A Docker config file with logins (`auths`), as an image pull secret has it under \
             .dockerconfigjson; absent: nobody is told who asks.",
        ),
        key(
            "ca",
            Type::Path,
            "PEM file of the certificates to trust for https, instead of the system's.",
        ),
        key(
            "allow_tags",
            Type::Flag,
            "Whether a module may be named by a tag without a digest: then others decide what runs \
             from the next start on.",
        )
        .default("false"),
    ],
};

static BUFFER: Table = Table {
    header: "[buffer]",
    doc: "What waits for the sink.",
    keys: &[
        key(
            "memory",
            // An event may be 2 MiB: less could never take one in and send another.
            Type::Size { min: 4 << 20, max: 64 << 30 },
            "Bytes of documents in memory, those being sent included.",
        )
        .default("\"16MiB\""),
        key("path", Type::Path, "Folder of the spool on disk; absent: nothing is spooled."),
        key(
            "disk",
            // A spool gives room back in pieces: with fewer than some tens of MiB it would wait
            // for the last event of one.
            Type::Size { min: 64 << 20, max: 64 << 40 },
            "Bytes that the spool may take: at least as many as memory.",
        )
        .default("\"2GiB\""),
    ],
};

words! {
    /// `sink.kind`
    pub(super) enum SinkKind {
        OpenSearch = "opensearch": "the _bulk API of an OpenSearch cluster",
        File = "file": "a file, one document a line, appended",
        Stdout = "stdout": "standard output, one document a line",
    }
}

const OPENSEARCH: &[&str] = &[SinkKind::OpenSearch.word()];
const TO_FILE: &[&str] = &[SinkKind::File.word()];

static SINK: Table = Table {
    header: "[sink]",
    doc: "Where documents go.",
    keys: &[
        key("kind", one_of::<SinkKind>(), "What to write to.").required(),
        key(
            "hosts",
            Type::Texts { rule: HOST, may_be_empty: false },
            "Base URLs of nodes of one cluster, http or https.",
        )
        .required()
        .only(OPENSEARCH),
        key(
            "username",
            Type::Named(USERNAME),
            "Basic auth: the text itself, { file = \"…\" } or { env = \"…\" }; needs password.",
        )
        .only(OPENSEARCH),
        key(
            "password",
            Type::Secret,
            "Basic auth: { file = \"…\" }, { env = \"…\" } or the text itself.",
        )
        .only(OPENSEARCH),
        key(
            "ca",
            Type::Path,
            "PEM file of the certificates to trust for https, instead of the system's.",
        )
        .only(OPENSEARCH),
        key(
            "authorization",
            Type::Secret,
            "The Authorization header, such as an API key; instead of username and password.",
        )
        .only(OPENSEARCH),
        key("aws", Type::Section(&AWS), AWS.doc).only(OPENSEARCH),
        key(
            "certificate",
            Type::Path,
            "PEM file of the client's certificate, with those that signed it; needs key.",
        )
        .only(OPENSEARCH),
        key("key", Type::Path, "PEM file of the certificate's private key.").only(OPENSEARCH),
        key(
            "proxy",
            Type::Text(PROXY),
            "The proxy to go through, or \"none\"; without it, what HTTPS_PROXY, HTTP_PROXY and \
             NO_PROXY say.",
        )
        .only(OPENSEARCH),
        key("compression", one_of::<Compression>(), "How requests are compressed.")
            .default("\"gzip\"")
            .only(OPENSEARCH),
        key(
            "index",
            Type::Text(INDEX),
            "Index name, with at most one of {yyyy.MM.dd}, {yyyy.MM} and {yyyy} (or with \
             dashes) for the event's date (UTC), not at its beginning.",
        )
        .default("\"kube-events-{yyyy.MM.dd}\"")
        .only(OPENSEARCH),
        key("mode", one_of::<Mode>(), "What a document is.")
            .default("\"history\"")
            .only(OPENSEARCH),
        key(
            "template",
            one_of::<Template>(),
            "Whether to install the index template; without the right to, weir warns and goes on.",
        )
        .default("\"install\"")
        .only(OPENSEARCH),
        key(
            "duplicates",
            one_of::<Duplicates>(),
            "Whether a data stream or an alias, whose writes move from index to index, may hold a \
             document twice; has no effect on other indices.",
        )
        .default("\"forbid\"")
        .only(OPENSEARCH),
        key(
            "setup",
            one_of::<Setup>(),
            "Whether to do at the start what `weir opensearch setup` does: install the policy, the \
             index template and the data stream that are missing.",
        )
        .default("\"off\"")
        .only(OPENSEARCH),
        key(
            "last_timestamp",
            one_of::<LastTimestamp>(),
            "What lastTimestamp is where the event has no time there, for dashboards that know no \
             other time field.",
        )
        .default("\"as-is\"")
        .only(OPENSEARCH),
        key("path", Type::Path, "The file to append to.").required().only(TO_FILE),
    ],
};

static AWS: Table = Table {
    header: "[sink.aws]",
    doc: "Requests are signed for Amazon OpenSearch (SigV4), with the credentials that AWS's own \
          tools would use; instead of username, password and authorization.",
    keys: &[
        key("region", Type::Text(REGION), "The region of the domain or collection.").required(),
        key("service", one_of::<Service>(), "What hosts are.").required(),
    ],
};

words! {
    /// `dead_letter.kind`
    pub(super) enum DeadLetterKind {
        Disk = "disk": "a folder",
        Index = "index": "an index of the sink's OpenSearch",
    }
}

const DISK: &[&str] = &[DeadLetterKind::Disk.word()];
const LETTERS_INDEX: &[&str] = &[DeadLetterKind::Index.word()];

static DEAD_LETTER: Table = Table {
    header: "[dead_letter]",
    doc: "Where events go that could not be processed.",
    keys: &[
        key("kind", one_of::<DeadLetterKind>(), "Where to keep them.").default("\"disk\""),
        key(
            "path",
            Type::Path,
            "Folder to write to; absent: the first event that needs it stops the run, with nothing \
             lost.",
        )
        .only(DISK),
        key(
            "index",
            Type::Text(LETTER_INDEX),
            "The index to write to, which weir makes; several pipelines may share it.",
        )
        .default("\"weir-dead-letter\"")
        .only(LETTERS_INDEX),
    ],
};

/// The Lease is renewed every third of its duration, and a busy API server needs a second to
/// answer. (client-go's own defaults are 15 s, with 10 s to renew and 2 s between tries:
/// <https://pkg.go.dev/k8s.io/client-go/tools/leaderelection>)
const LEASE_MIN: Duration = Duration::from_secs(5);
/// Nobody works for that long when the holder is killed, and events live for an hour.
const LEASE_MAX: Duration = Duration::from_secs(300);

static LEASE: Table = Table {
    header: "[lease]",
    doc: "Leader election among replicas.",
    keys: &[
        key("enabled", Type::Flag, "Whether to hold a Lease while working.").default("false"),
        key("namespace", Type::Text(NAMESPACE), "The Lease's namespace; absent: the pod's."),
        key("name", Type::Text(NAME), "The Lease's name; absent: the pipeline's."),
        key(
            "duration",
            Type::Duration { min: LEASE_MIN, max: LEASE_MAX },
            "How long the Lease is held without renewal, in whole seconds: the gap when its holder \
             is killed.",
        )
        .default("\"15s\""),
    ],
};

/// Less than a fast answer takes helps nobody, and more would hold up a drain.
const LOOKUP_TIMEOUT_MIN: Duration = Duration::from_millis(50);
const LOOKUP_TIMEOUT_MAX: Duration = Duration::from_secs(10);

static LOOKUP: Table = Table {
    header: "[lookup]",
    doc: "What to look up of the object that an event is about, before modules that ask for it, \
          and for documents; absent: nothing.",
    keys: &[
        key(
            "resources",
            Type::Texts { rule: RESOURCE, may_be_empty: false },
            "What may be looked up, by RBAC's names, such as pods and replicasets.apps: weir needs \
             the right to get it.",
        )
        .required(),
        key("labels", Type::Flag, "Whether to get labels.").default("true"),
        key(
            "annotations",
            Type::Texts { rule: ANNOTATION, may_be_empty: true },
            "The annotations to get, by their whole names.",
        )
        .default("[]"),
        key(
            "owners",
            Type::Flag,
            "Whether to get owner references, up to the topmost controlling owner that can be \
             looked up.",
        )
        .default("true"),
        key(
            "dedot",
            Type::Flag,
            "Whether documents have _ for each dot in the names of labels and annotations.",
        )
        .default("false"),
        key(
            "timeout",
            Type::Duration { min: LOOKUP_TIMEOUT_MIN, max: LOOKUP_TIMEOUT_MAX },
            "How long an event waits for it; then it goes on without.",
        )
        .default("\"2s\""),
        key(
            "max_per_second",
            Type::Count { min: 1, max: 1000 },
            "Requests to the API server in any second; what has no turn in time goes on without.",
        )
        .default("20"),
    ],
};

static ADMIN: Table = Table {
    header: "[admin]",
    doc: "The HTTP server of /metrics, /livez and /readyz.",
    keys: &[
        key(
            "listen",
            Type::Text(ADDRESS),
            "Address and port; port 0 takes a free one. Absent: a kubernetes source listens on \
             0.0.0.0:9464, the others do not listen.",
        ),
        key(
            "show_events",
            Type::Flag,
            "Whether whoever reaches the address may read events: the last few on which a stage's \
             shadow does otherwise than its module.",
        )
        .default("false"),
    ],
};
