//! What the answer to one item means: docs/delivery.md#classes-of-answers. Pure.
//!
//! Invariant: only an error that is known to be about the document's content is a document's at
//! once. Any other error pauses, so that the worst that a mistake here can cause is a pause, and
//! not a lost document; it is the document's only if others of its index are stored meanwhile.

use super::response::ItemError;

/// What one item's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Stored by this request.
    Stored,
    /// Stored before: this very document, or for a versioned index an equal or newer one.
    Conflict,
    /// This document can never be stored as it is.
    Document(Refusal),
    /// Something about the index or the rights to it; no document is at fault.
    Target,
    /// Nobody knows what it is about: it may be a document's fault when only it keeps getting this.
    Unlisted,
    /// Too much at once, or a part of the cluster is away.
    Pressure(Pressure),
}

/// Why a document can never be stored: the `reason` label of
/// `weir_events_dead_lettered_total{where="sink"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// It contradicts the index's mapping.
    Mapping,
    /// It breaks a limit of the index on one document: depth, nested documents, a term's length.
    Limit,
    /// OpenSearch does not read it as a document.
    Syntax,
    /// Alone it is larger than a request may be.
    TooLarge,
    /// A request with only this document is refused as a whole.
    Request,
    /// Its id would be longer than 512 bytes.
    IdTooLong,
    /// It has no uid or no integer version, and `latest` addresses it by these.
    NoIdentity,
    /// It kept answering with a server's error while others were stored.
    ServerError,
    /// It kept answering with an error that is in no list here, while others were stored.
    UnknownError,
}

impl Refusal {
    /// The metric label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Refusal::Mapping => "mapping",
            Refusal::Limit => "limit",
            Refusal::Syntax => "syntax",
            Refusal::TooLarge => "too_large",
            Refusal::Request => "request",
            Refusal::IdTooLong => "id_too_long",
            Refusal::NoIdentity => "no_identity",
            Refusal::ServerError => "server_error",
            Refusal::UnknownError => "unknown_error",
        }
    }
}

/// The kinds of pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pressure {
    /// 429: come again later; never a document's fault.
    TooMany,
    /// 5xx: may be a document's fault when only it keeps getting this.
    Server,
}

impl Class {
    /// The labels of `weir_sink_items_total{class}`.
    pub(crate) const LABELS: [&str; 5] = ["ok", "settled", "document", "target", "pressure"];

    /// Which of [`Class::LABELS`] this is.
    pub(crate) fn number(self) -> usize {
        match self {
            Class::Stored => 0,
            Class::Conflict => 1,
            Class::Document(_) => 2,
            // For who watches it, what nobody knows is the target's.
            Class::Target | Class::Unlisted => 3,
            Class::Pressure(_) => 4,
        }
    }
}

/// Classifies one item of a response.
pub(crate) fn classify(status: u16, error: Option<&ItemError>) -> Class {
    let kind = error.map_or("", |error| error.kind.as_str());
    let reason = error.map_or("", |error| error.reason.as_str());
    match status {
        200..=299 => Class::Stored,
        409 if kind.is_empty() || kind == "version_conflict_engine_exception" => Class::Conflict,
        429 => Class::Pressure(Pressure::TooMany),
        500..=599 => Class::Pressure(Pressure::Server),
        401 => Class::Target,
        _ if is_target_fault(kind, reason) => Class::Target,
        400 => document_fault(kind, reason).map_or(Class::Unlisted, Class::Document),
        _ => Class::Unlisted,
    }
}

/// The listed errors that are about the index, its settings or the rights to it, as OpenSearch 2.19
/// and 3.4 answer them: documents wait for a person, however long it takes.
fn is_target_fault(kind: &str, reason: &str) -> bool {
    match kind {
        "cluster_block_exception"
        | "index_create_block_exception"
        | "security_exception"
        | "authorization_exception"
        | "index_not_found_exception"
        | "index_closed_exception"
        | "invalid_index_name_exception"
        | "invalid_alias_name_exception"
        | "validation_exception" => true,
        // What an index template with a broken mapping answers to every document.
        "mapper_parsing_exception" => reason.starts_with("Failed to parse mapping"),
        "illegal_argument_exception" => TARGETS_ARGUMENTS.iter().any(|it| reason.starts_with(it)),
        _ => false,
    }
}

/// How the reason of an `illegal_argument_exception` begins when it is about the index.
const TARGETS_ARGUMENTS: [&str; 5] = [
    // A field too many: others of the index that bring none are stored all the same.
    "Limit of total fields [",
    "pipeline with id [",
    "no write index is defined for alias [",
    "Alias [",
    "Rejecting mapping update to [",
];

/// The listed types of 400 that are about a document's content, as OpenSearch 2.19 and 3.4 answer
/// them.
fn document_fault(kind: &str, reason: &str) -> Option<Refusal> {
    match kind {
        "mapper_parsing_exception" | "strict_dynamic_mapping_exception" => Some(Refusal::Mapping),
        "document_parsing_exception" => Some(Refusal::Mapping),
        "not_x_content_exception" | "x_content_parse_exception" | "json_parse_exception" => {
            Some(Refusal::Syntax)
        }
        "max_bytes_length_exceeded_exception" | "stream_constraints_exception" => {
            Some(Refusal::Limit)
        }
        // The type of nearly everything: the field limit of an index (the target's) has it too.
        "illegal_argument_exception" => ILLEGAL_ARGUMENTS
            .iter()
            .find(|(start, _)| reason.starts_with(start))
            .map(|(_, refusal)| *refusal),
        _ => None,
    }
}

/// How the reason of an `illegal_argument_exception` begins when it is about one document.
const ILLEGAL_ARGUMENTS: [(&str, Refusal); 7] = [
    ("Document contains at least one immense term", Refusal::Limit),
    ("The number of nested documents has exceeded", Refusal::Limit),
    ("mapper [", Refusal::Mapping),
    ("can't merge a non object mapping [", Refusal::Mapping),
    ("object mapping [", Refusal::Mapping),
    ("DocValuesField \"", Refusal::Limit),
    ("field name cannot ", Refusal::Mapping),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, kind: &str, reason: &str) -> Class {
        classify(status, Some(&ItemError { kind: kind.into(), reason: reason.into(), cause: None }))
    }

    #[test]
    fn answers_of_real_servers_are_classified_as_the_design_has_them() {
        let document = |refusal| Class::Document(refusal);
        let cases = [
            (201, "", "", Class::Stored),
            (200, "", "", Class::Stored),
            (409, "version_conflict_engine_exception", "[v]: version conflict", Class::Conflict),
            (409, "resource_conflict", "", Class::Unlisted),
            (
                400,
                "mapper_parsing_exception",
                "failed to parse field [d]",
                document(Refusal::Mapping),
            ),
            (
                400,
                "mapper_parsing_exception",
                "Failed to parse mapping [_doc]: no handler",
                Class::Target,
            ),
            (
                400,
                "strict_dynamic_mapping_exception",
                "mapping set to strict",
                document(Refusal::Mapping),
            ),
            (
                400,
                "illegal_argument_exception",
                "Limit of total fields [12] has been exceeded",
                Class::Target,
            ),
            (
                400,
                "illegal_argument_exception",
                "Document contains at least one immense term in field=\"k\"",
                document(Refusal::Limit),
            ),
            (
                400,
                "illegal_argument_exception",
                "mapper [z] cannot be changed from type [long] to [text]",
                document(Refusal::Mapping),
            ),
            (
                400,
                "illegal_argument_exception",
                "pipeline with id [p] does not exist",
                Class::Target,
            ),
            (400, "invalid_index_name_exception", "must be lowercase", Class::Target),
            (400, "index_closed_exception", "closed", Class::Target),
            (400, "validation_exception", "this action would add [2] total shards", Class::Target),
            (
                403,
                "cluster_block_exception",
                "blocked by: [FORBIDDEN/8/index write (api)];",
                Class::Target,
            ),
            (
                403,
                "security_exception",
                "no permissions for [indices:data/write/index]",
                Class::Target,
            ),
            (404, "index_not_found_exception", "no such index", Class::Target),
            (418, "teapot", "", Class::Unlisted),
            (302, "", "", Class::Unlisted),
            (0, "", "", Class::Unlisted),
            (400, "", "", Class::Unlisted),
            (400, "script_exception", "runtime error", Class::Unlisted),
            (
                400,
                "illegal_argument_exception",
                "Limit of mapping depth [20] has been exceeded due to object field [a.b]",
                Class::Unlisted,
            ),
            (403, "not_allowed_by_a_pipeline", "", Class::Unlisted),
            (401, "", "", Class::Target),
            (429, "rejected_execution_exception", "", Class::Pressure(Pressure::TooMany)),
            (
                429,
                "cluster_block_exception",
                "disk usage exceeded flood-stage",
                Class::Pressure(Pressure::TooMany),
            ),
            (503, "unavailable_shards_exception", "", Class::Pressure(Pressure::Server)),
        ];
        for (status, kind, reason, expected) in cases {
            assert_eq!(class(status, kind, reason), expected, "{status} {kind} {reason}");
        }
    }
}
