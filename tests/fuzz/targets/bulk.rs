//! The response to a `_bulk`, against serde_json: exactly one outcome for each item, or none for
//! all of them.

use serde_json::Value;
use serde_json::value::RawValue;
use weir::internals::fuzz::bulk_response;

use super::json;
use crate::heap;

pub(crate) fn run(input: &[u8]) {
    let items = items(input);
    let count = items.as_ref().map_or(1, Vec::len);
    for sent in [count, count + 1, count.saturating_sub(1)] {
        match read(200, input, sent) {
            Ok(read) => {
                assert_eq!(read.len(), sent, "outcomes for the items");
                let Some(items) = &items else {
                    // What nobody asks for is skipped, whatever its bytes are.
                    assert!(std::str::from_utf8(input).is_err(), "outcomes without items");
                    continue;
                };
                assert_eq!(sent, items.len());
                for ((status, _), item) in read.iter().zip(items) {
                    if let Some(expected) = status_of(item) {
                        assert_eq!(*status, expected, "{item}");
                    }
                }
            }
            Err(_) => assert!(
                items.is_none() || sent != count,
                "a whole response was refused: {:?}",
                read(200, input, sent)
            ),
        }
    }
    for status in [400, 403, 413, 429, 503] {
        assert!(read(status, input, 1).is_err());
    }
}

fn read(status: u16, input: &[u8], sent: usize) -> Result<Vec<(u16, Option<String>)>, String> {
    heap::at_most((64 << 10) + 128 * input.len(), || bulk_response(status, input, sent))
}

/// The items of a response that is whole and says so once.
fn items(input: &[u8]) -> Option<Vec<Value>> {
    let mut found = json::members(input)?.into_iter().filter(|(key, _)| key == "items");
    let ((_, items), None) = (found.next()?, found.next()) else { return None };
    let items: Vec<&RawValue> = serde_json::from_str(items.get()).ok()?;
    // What serde_json makes no value of (`1e999`) stands for anything.
    let value = |item: &RawValue| serde_json::from_str(item.get()).unwrap_or_default();
    Some(items.into_iter().map(value).collect())
}

/// The status of an item that is as OpenSearch has it.
fn status_of(item: &Value) -> Option<u16> {
    let item = item.as_object()?;
    let mut kinds = ["create", "index", "delete"].iter().filter_map(|kind| item.get(*kind));
    let (answer, None) = (kinds.next()?, kinds.next()) else { return None };
    answer.as_object()?.get("status")?.as_u64()?.try_into().ok()
}
