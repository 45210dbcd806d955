//! Against what real nodes answered.

use proptest::prelude::*;

use super::*;
use crate::opensearch::ItemError;

fn owner(cluster: Option<&str>) -> Owner {
    Owner { pipeline: "p".into(), cluster: cluster.map(Into::into) }
}

fn answer(status: u16, kind: Option<&str>) -> Answer {
    let error = kind.map(|kind| ItemError { kind: kind.into(), reason: "why".into(), cause: None });
    Answer { status, error }
}

#[test]
fn each_asks_for_the_letters_of_its_own_pipeline_and_cluster() {
    let stub = Stub { id: LetterId::Document(7), time: 5, bytes: 1 };
    let query = Query { ids: Some(vec![stub.id]), until: Some(9) };
    insta::assert_snapshot!(page(&owner(Some("c")), &query, Some(&stub)), @r#"{"_source":false,"docvalue_fields":["bytes"],"query":{"bool":{"filter":[{"term":{"pipeline":"p"}},{"ids":{"values":["00000000000000000000000000000007"]}},{"range":{"@timestamp":{"format":"epoch_millis","lte":9}}},{"term":{"cluster":"c"}}]}},"search_after":[5,"00000000000000000000000000000007"],"size":500,"sort":[{"@timestamp":"asc"},{"id":"asc"}],"track_total_hits":false}"#);
    insta::assert_snapshot!(usage(&owner(None)), @r#"{"aggs":{"bytes":{"sum":{"field":"bytes"}},"newest":{"max":{"field":"@timestamp"}}},"query":{"bool":{"filter":[{"term":{"pipeline":"p"}},{"bool":{"must_not":{"exists":{"field":"cluster"}}}}]}},"size":0,"track_total_hits":false}"#);
}

#[test]
fn a_letter_that_is_replayed_is_removed_only_as_it_was_read() {
    let letters = [(LetterId::Document(7), Version { seq_no: 12, primary_term: 3 })];
    insta::assert_snapshot!(String::from_utf8(remove_body("i", &letters)).unwrap(), @r#"{"delete":{"_index":"i","_id":"00000000000000000000000000000007","if_seq_no":12,"if_primary_term":3}}"#);
    // Gone already; and written anew by its event that failed again, so that it is another letter
    // now.
    for (status, kind) in
        [(200, None), (404, None), (409, Some("version_conflict_engine_exception"))]
    {
        assert!(is_removed(&answer(status, kind)), "{status}");
    }
    // Not because the index is away.
    assert!(!is_removed(&answer(404, Some("index_not_found_exception"))));
}

#[test]
fn a_run_leaves_a_letter_that_is_there_and_a_replay_writes_it_anew() {
    let entries = [Entry { id: LetterId::Document(7), body: b"{}".to_vec() }];
    let body = |writing| String::from_utf8(write_body("i", &entries, writing)).unwrap();
    insta::assert_snapshot!(body(Writing::Create), @r#"
    {"create":{"_index":"i","_id":"00000000000000000000000000000007"}}
    {}
    "#);
    insta::assert_snapshot!(body(Writing::Replace), @r#"
    {"index":{"_index":"i","_id":"00000000000000000000000000000007"}}
    {}
    "#);
}

#[test]
fn only_what_opensearch_says_is_stored_is_written() {
    let outcome = |answers: &[Answer]| outcome(answers, is_written);
    let stored = answer(201, None);
    let conflict = answer(409, Some("version_conflict_engine_exception"));
    assert_eq!(outcome(&[stored.clone(), conflict]), Ok(()));
    let busy = answer(429, Some("rejected_execution_exception"));
    assert!(matches!(outcome(&[stored.clone(), busy.clone()]), Err(Unavailable::Outage(_))));
    // No fault of the letter's: nothing that it could be.
    let refused = answer(400, Some("mapper_parsing_exception"));
    assert!(matches!(outcome(&[busy, refused]), Err(Unavailable::Refused(_))));
    let denied = outcome(&[stored, answer(403, Some("security_exception"))]);
    assert!(matches!(denied, Err(Unavailable::Refused(why)) if why.contains("right to write")));
}

#[test]
fn an_index_of_something_else_is_refused() {
    let of =
        |mappings: Value| json!({ "letters": { "mappings": mappings } }).to_string().into_bytes();
    let own = crate::dead_letter::index::entry::index_body()["mappings"].clone();
    assert_eq!(check_mapping(&of(own), "letters"), Ok(()));
    assert!(
        check_mapping(&of(json!({})), "letters").unwrap_err().contains("does not have the mapping")
    );
    let dynamic =
        json!({ "properties": { "id": { "type": "text" }, "pipeline": { "type": "text" } } });
    assert!(check_mapping(&of(dynamic), "letters").is_err());
    assert!(check_mapping(&of(json!({})), "alias").unwrap_err().contains("an alias"));
}

#[test]
fn an_answer_that_is_none_is_no_empty_page() {
    assert!(
        parse_page(b"{}").is_err() && parse_found(b"{}").is_err() && parse_usage(b"{}").is_err()
    );
    assert!(parse_page(br#"{"hits":{"hits":[{"sort":[1,"x"]}]}}"#).is_err());
    let empty = br#"{"aggregations":{"bytes":{"value":0.0},"newest":{"value":null}}}"#;
    assert_eq!(parse_usage(empty), Ok(Usage::default()));
    let some =
        br#"{"aggregations":{"bytes":{"value":1.5E9},"newest":{"value":1.76E12,"value_as_string":"x"}}}"#;
    assert_eq!(
        parse_usage(some),
        Ok(Usage { bytes: 1_500_000_000, newest: Some(1_760_000_000_000) })
    );
}

proptest! {
    #[test]
    fn what_is_found_is_read_byte_for_byte(
        id in any::<u128>(), seq_no in 0u64..1 << 53, text in ".*", number in "1[0-9]{0,30}\\.50",
    ) {
        let source = format!("{{\"source\":{},\"n\":{number}}}", Value::from(text));
        let id = LetterId::Document(id);
        let body = format!(
            r#"{{"took":1,"hits":{{"hits":[{{"_index":"i","_id":"{id}","_seq_no":{seq_no},"_primary_term":1,"_score":0.0,"_source":{source}}}]}}}}"#
        );
        let found = parse_found(body.as_bytes()).unwrap();
        let version = Version { seq_no, primary_term: 1 };
        prop_assert_eq!(found, vec![Found { id, version, source: source.into_bytes() }]);
    }
}
