use proptest::prelude::*;

use super::*;

fn any_documents() -> impl Strategy<Value = Documents> {
    let range = (0usize..40, 0usize..40);
    let identity = prop_oneof![
        Just(None),
        (range.clone(), range.clone()).prop_map(|(uid, version)| Some((uid, Some(version)))),
        range.clone().prop_map(|hex| Some((hex, None))),
    ];
    let docs = proptest::collection::vec(
        (range.clone(), range, any::<bool>(), identity, any::<i64>(), any::<Option<i64>>()),
        0..20,
    );
    (proptest::collection::vec(any::<u8>(), 80..400), docs).prop_map(|(bytes, docs)| {
        let range = |(start, length): (usize, usize)| start..start + length;
        let docs =
            docs.into_iter().map(|(body, origin, is_whole, identity, index_time, event_time)| {
                let identity = identity.map(|(first, version)| match version {
                    Some(version) => {
                        DocumentIdentity::Object { uid: range(first), version: range(version) }
                    }
                    None => DocumentIdentity::Digest(range(first)),
                });
                let of = if is_whole { Origin::Whole } else { Origin::Difference };
                Document {
                    body: range(body),
                    origin: of(range(origin)),
                    identity,
                    index_time,
                    event_time,
                }
            });
        Documents { docs: docs.collect(), bytes }
    })
}

proptest! {
    #[test]
    fn any_payload_decodes_to_what_was_encoded_and_no_other_bytes_panic(
        documents in any_documents(),
        marks in proptest::collection::btree_map(".{0,8}", ".{0,20}", 0..4),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let marks = marks
            .into_iter()
            .map(|(scope, mark): (String, String)| (scope, mark.into()))
            .collect();
        let mut payload = Encoder::new().encode(&documents, &marks).to_vec();
        let (decoded, decoded_marks) = decode(&payload).unwrap();
        prop_assert_eq!(&decoded.bytes, &documents.bytes);
        prop_assert_eq!(format!("{:?}", decoded.docs), format!("{:?}", documents.docs));
        prop_assert_eq!(&decoded_marks, &marks);
        prop_assert_eq!(decode_marks(&payload).unwrap(), marks);
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        decode(&payload);
        payload.truncate(cut.index(payload.len()));
        decode(&payload);
    }
}
