//! Asks which ids a data stream or the indices of an alias hold: a refresh, then searches. Pure:
//! makes requests and reads answers.
//!
//! Constraints: a document whose id is not found is stored, so an answer that may be incomplete
//! does not count. Shards that cannot be asked fail the search (`allow_partial_search_results`),
//! and primaries are asked, because with segment replication a replica does not have what a refresh
//! has shown. A closed index cannot be searched, and is skipped: writes left it long ago.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde::Deserialize;

use crate::opensearch::{
    Request, RequestError, Response, TransportError, WholeError, classify_whole, is_of_amazon,
    status_error, transport_error, unusable, whole_error,
};

/// Ids in a search. Each may be in several indices, and a search answers 10,000 documents at most.
pub(super) const IDS_MAX: usize = 1000;
/// `index.max_result_window`, unless somebody changed it.
const HITS_MAX: usize = 10_000;
/// An id has 512 bytes at most, some of which JSON escapes.
const HIT_BYTES_MAX: usize = 800;

/// What the user must be allowed to do on the data stream or alias.
const RIGHTS: &str = "`indices:admin/refresh*` and `indices:data/read/search*`";

/// Makes visible what was stored.
pub(super) fn refresh(name: &str) -> Request {
    let path =
        format!("/{name}/_refresh?ignore_unavailable=true&filter_path=_shards.failed,error,status");
    Request::json(Method::POST, path, Vec::new())
}

/// Which of `ids` are there.
pub(super) fn search(name: &str, ids: &[String]) -> Request {
    let body = serde_json::json!({
        "size": HITS_MAX,
        "_source": false,
        "track_total_hits": true,
        "query": { "ids": { "values": ids } },
    });
    let path = format!(
        "/{name}/_search?ignore_unavailable=true&allow_partial_search_results=false\
         &preference=_primary\
         &filter_path=timed_out,_shards.failed,hits.total.value,hits.hits._id,error,status"
    );
    Request::json(Method::POST, path, body.to_string().into_bytes())
        .answered_by(HITS_MAX * HIT_BYTES_MAX)
}

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) ids: BTreeSet<String>,
    /// Whether there was no room for more of them in the answer.
    pub(super) is_cut: bool,
}

#[derive(Deserialize)]
struct Shards {
    failed: u64,
}

#[derive(Deserialize)]
struct Refreshed {
    #[serde(rename = "_shards")]
    shards: Shards,
}

#[derive(Deserialize)]
struct Searched {
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    total: Total,
    #[serde(default)]
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
}

/// Whether everything is visible.
pub(super) fn refreshed(
    answer: Result<Response, TransportError>,
    host: &str,
) -> Result<(), RequestError> {
    let Some(body) = body(answer, host)? else { return Ok(()) };
    let refreshed: Refreshed = parse(&body, host)?;
    complete(refreshed.shards.failed, host)
}

/// Which ids are there.
pub(super) fn found(
    answer: Result<Response, TransportError>,
    host: &str,
) -> Result<Found, RequestError> {
    let Some(body) = body(answer, host)? else {
        return Ok(Found { ids: BTreeSet::new(), is_cut: false });
    };
    let Searched { timed_out, shards, hits } = parse(&body, host)?;
    complete(shards.failed + u64::from(timed_out), host)?;
    let is_cut = hits.total.value > hits.hits.len() as u64;
    if is_cut && hits.hits.is_empty() {
        return Err(RequestError::Outage(format!(
            "{host} found documents by their ids, but did not name them"
        )));
    }
    Ok(Found { ids: hits.hits.into_iter().map(|hit| hit.id).collect(), is_cut })
}

/// The body of a usable answer; `None`: there is no such index, and so nothing in it.
fn body(
    answer: Result<Response, TransportError>,
    host: &str,
) -> Result<Option<Vec<u8>>, RequestError> {
    let answer = answer.map_err(transport_error)?;
    match answer.status {
        status if status.is_success() => Ok(Some(answer.body)),
        StatusCode::NOT_FOUND if classify_whole(&answer.body) == WholeError::IndexNotFound => {
            Ok(None)
        }
        StatusCode::FORBIDDEN if !is_of_amazon(&answer, host) => {
            Err(RequestError::Refused(forbidden(&whole_error(&answer.body))))
        }
        _ => Err(match status_error(&answer, host) {
            // No document is at fault.
            RequestError::Rejected(_, why) => RequestError::Refused(why),
            other => other,
        }),
    }
}

/// What is missing, and what to do.
fn forbidden(why: &str) -> String {
    format!(
        "what may have been sent before is looked up before it is sent again, because the index is \
         a data stream or an alias, and the user may not: grant it {RIGHTS} there, or set \
         sink.duplicates = \"allow\" and some documents will be there twice ({why})"
    )
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], host: &str) -> Result<T, RequestError> {
    serde_json::from_slice(body).map_err(|error| unusable(host, body, &error))
}

fn complete(failed: u64, host: &str) -> Result<(), RequestError> {
    match failed {
        0 => Ok(()),
        _ => Err(RequestError::Outage(format!(
            "{host} could not look up ids in every shard of the index"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Response, TransportError> {
        Ok(Response {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.as_bytes().to_vec(),
            ..Response::default()
        })
    }

    #[test]
    fn what_is_found_is_found_by_its_id_in_whichever_index() {
        let all = r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":3},"hits":[{"_id":"a.1"},{"_id":"b.1"},{"_id":"a.1"}]}}"#;
        let ids = BTreeSet::from(["a.1".to_owned(), "b.1".to_owned()]);
        assert_eq!(found(answer(200, all), "h"), Ok(Found { ids: ids.clone(), is_cut: false }));
        let more = all.replace("\"value\":3", "\"value\":4");
        assert_eq!(found(answer(200, &more), "h"), Ok(Found { ids, is_cut: true }));
        let none = r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":0}}}"#;
        assert_eq!(
            found(answer(200, none), "h"),
            Ok(Found { ids: BTreeSet::new(), is_cut: false })
        );
    }

    #[test]
    fn a_page_instead_of_an_answer_is_called_one() {
        let Err(RequestError::Outage(why)) =
            refreshed(answer(200, "<html><title>Sign in</title>"), "h")
        else {
            panic!("it is no answer")
        };
        insta::assert_snapshot!(why, @"h gave a response that cannot be used: it is an HTML page (`Sign in`); is there a proxy before OpenSearch?");
    }

    #[test]
    fn an_answer_that_may_be_incomplete_finds_nothing_out() {
        let cases = [
            (
                200,
                r#"{"timed_out":true,"_shards":{"failed":0},"hits":{"total":{"value":0},"hits":[]}}"#,
            ),
            (
                200,
                r#"{"timed_out":false,"_shards":{"failed":1},"hits":{"total":{"value":0},"hits":[]}}"#,
            ),
            (
                200,
                r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":1},"hits":[]}}"#,
            ),
            (200, r#"{"timed_out":false,"_shards":{"failed":0}}"#),
            (200, r#"{"hits":{"total":{"value":0},"hits":[]}}"#),
            (200, "<html>"),
            (503, ""),
        ];
        for (status, body) in cases {
            assert!(
                matches!(found(answer(status, body), "h"), Err(RequestError::Outage(_))),
                "{body}"
            );
        }
        assert!(matches!(
            refreshed(answer(200, r#"{"_shards":{"failed":1}}"#), "h"),
            Err(RequestError::Outage(_))
        ));
        assert_eq!(refreshed(answer(200, r#"{"_shards":{"failed":0}}"#), "h"), Ok(()));
    }

    #[test]
    fn where_there_is_no_index_there_is_nothing_and_only_opensearch_says_so() {
        let none = r#"{"error":{"type":"index_not_found_exception","reason":"no such index [e]"},"status":404}"#;
        assert_eq!(
            found(answer(404, none), "h"),
            Ok(Found { ids: BTreeSet::new(), is_cut: false })
        );
        assert_eq!(refreshed(answer(404, none), "h"), Ok(()));
        for page in ["<html>not found</html>", "{\"error\":\"refused\"}", ""] {
            assert!(
                matches!(found(answer(404, page), "h"), Err(RequestError::Refused(_))),
                "{page}"
            );
        }
    }

    #[test]
    fn a_refusal_is_no_documents_fault_and_names_the_rights() {
        let Err(RequestError::Refused(why)) = found(answer(400, ""), "h") else {
            panic!("it is refused")
        };
        assert!(why.contains("answers 400"), "{why}");
        let refusal = r#"{"error":{"type":"security_exception","reason":"no permissions for [indices:data/read/search]"}}"#;
        let Err(RequestError::Refused(why)) = found(answer(403, refusal), "h") else {
            panic!("it is refused")
        };
        insta::assert_snapshot!(why, @r#"what may have been sent before is looked up before it is sent again, because the index is a data stream or an alias, and the user may not: grant it `indices:admin/refresh*` and `indices:data/read/search*` there, or set sink.duplicates = "allow" and some documents will be there twice (security_exception: no permissions for [indices:data/read/search])"#);
    }
}
