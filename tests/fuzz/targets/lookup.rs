//! The response to the `_search` for ids, against serde_json: nothing follows from one that may be
//! incomplete, what is found stands there, and an answer that has more than it names names some.

use std::collections::BTreeSet;

use serde_json::Value;
use weir::internals::fuzz::lookup_response;

use crate::heap;

pub(crate) fn run(input: &[u8]) {
    for status in [200, 404, 403, 500] {
        let found = heap::at_most((64 << 10) + 64 * input.len(), || lookup_response(status, input));
        // What serde_json makes no value of (`1e999`) may stand where nobody looks.
        if let (Ok((ids, is_cut)), Ok(value)) = (found, serde_json::from_slice(input)) {
            assert_found(status, &value, &ids, is_cut);
        }
    }
}

fn assert_found(status: u16, value: &Value, ids: &BTreeSet<String>, is_cut: bool) {
    if status == 404 {
        assert!(ids.is_empty() && !is_cut);
        let error = value.pointer("/error/type").and_then(Value::as_str);
        return assert_eq!(error, Some("index_not_found_exception"));
    }
    assert_eq!(status, 200, "no answer, and yet something is known");
    let hits = value.pointer("/hits/hits").and_then(Value::as_array);
    let hits = hits.map(Vec::as_slice).unwrap_or_default();
    let named = hits.iter().filter_map(|hit| hit.get("_id")?.as_str());
    assert!(named.collect::<BTreeSet<_>>().iter().eq(ids.iter()));
    let total = value.pointer("/hits/total/value").and_then(Value::as_u64);
    assert_eq!(Some(is_cut), total.map(|total| total > hits.len() as u64));
    assert!(!is_cut || !ids.is_empty(), "it would be asked again for ever");
    assert_eq!(value.pointer("/timed_out"), Some(&Value::Bool(false)));
    assert_eq!(value.pointer("/_shards/failed").and_then(Value::as_u64), Some(0));
}
