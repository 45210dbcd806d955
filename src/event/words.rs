//! Words that are looked for in what an event says.
//!
//! Constraints: all words of a set are looked for at once, and texts are copied only into room that
//! is used again. No words and no text take more than some tens of milliseconds.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};

use super::view::{EventView, Field};

/// What is used again is no larger than this between two events, and a longer text is searched byte
/// by byte.
const ROOM_BYTES_MAX: usize = 16 << 10;
/// Stands between two texts: no text has it, as it is UTF-8, and so no word reaches across.
const BETWEEN: u8 = 0xff;

/// Words, ready to be looked for. Letters of ASCII stand for both cases.
#[derive(Debug)]
pub(crate) struct Words {
    /// By vectors, which skip nearly all of a usual text; of words that nearly are in it, each may
    /// be compared at each of its bytes.
    quick: AhoCorasick,
    /// A step a byte, whatever the words and the text.
    steady: AhoCorasick,
}

impl Words {
    /// None of them is empty, and they are bounded in number and length.
    pub(crate) fn new(words: &[impl AsRef<str>]) -> Result<Words, BuildError> {
        let words: Vec<_> = words.iter().map(|word| word.as_ref().to_ascii_lowercase()).collect();
        // The kind that takes least memory; vectors are for words that have but one case.
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::ContiguousNFA)).match_kind(MatchKind::LeftmostFirst);
        Ok(Words { quick: builder.build(&words)?, steady: builder.prefilter(false).build(&words)? })
    }

    fn are_in(&self, text: &[u8]) -> bool {
        let words = if text.len() > ROOM_BYTES_MAX { &self.steady } else { &self.quick };
        words.is_match(text)
    }
}

impl EventView<'_> {
    /// Whether the reason or the message has one of the words anywhere. `room` holds nothing that
    /// is kept.
    pub(crate) fn mentions(&self, words: &Words, room: &mut Vec<u8>) -> bool {
        room.clear();
        for field in [Field::Reason, Field::Message] {
            self.text_is(field, |text| {
                room.extend_from_slice(text);
                room.push(BETWEEN);
                true
            });
        }
        room.make_ascii_lowercase();
        let mentions = words.are_in(room);
        if room.capacity() > ROOM_BYTES_MAX {
            *room = Vec::new();
        }
        mentions
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::event::Edits;
    use crate::event::model::Fixture;

    fn mentions(words: &[impl AsRef<str>], event: &str) -> bool {
        let event = Fixture::parse(event);
        let view = EventView { of: event.of(), edits: &Edits::default() };
        view.mentions(&Words::new(words).unwrap(), &mut Vec::new())
    }

    #[test]
    fn a_word_is_found_anywhere_in_any_case_and_as_it_is_meant() {
        let event = json!({
            "involvedObject": { "name": "named" }, "reason": "AMDGPUUnhealthy",
            "message": "0/3 nodes: Insufficient nvidia.com/gpu.\n\"Größe\" fallen off the bus",
        });
        let event = event.to_string().replace("fallen", r"f\u0061llen");
        for word in ["gpu", "Unhealthy", "NVIDIA.com/", "fallen off the bus", "\n\"", "größe", "."]
        {
            assert!(mentions(&["absent", word], &event), "{word}");
        }
        for word in ["named", "GRÖSSE", "unhealthy0/3", r"\n", r"\u0061", "bus."] {
            assert!(!mentions(&[word], &event), "{word}");
        }
        assert!(!mentions(&["null"], r#"{"involvedObject":{},"reason":null}"#));
    }

    #[test]
    fn a_long_message_is_searched_to_its_end_and_its_room_given_back() {
        let message = "m".repeat(2 * ROOM_BYTES_MAX);
        let message = format!("{message} LAST");
        let long = Fixture::parse(&json!({"involvedObject":{},"message":message}).to_string());
        let short = Fixture::parse(r#"{"involvedObject":{},"message":"short"}"#);
        let (words, edits, mut room) = (Words::new(&["o"]).unwrap(), Edits::default(), Vec::new());
        let last = Words::new(&["last"]).unwrap();
        assert!(EventView { of: long.of(), edits: &edits }.mentions(&last, &mut room));
        assert!(!EventView { of: long.of(), edits: &edits }.mentions(&words, &mut room));
        assert_eq!(room.capacity(), 0);
        assert!(EventView { of: short.of(), edits: &edits }.mentions(&words, &mut room));
        assert!(room.capacity() > 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// So few letters that many words are found, and texts longer than a vector.
        #[test]
        fn what_is_mentioned_is_what_one_of_the_texts_contains(
            words in prop::collection::vec("[aAb\u{e9}\u{c9}\"]{1,3}", 1..70),
            reason in "[aAb]{0,3}",
            message in "[abBc\u{e9}\n\"]{0,60}",
        ) {
            let event = json!({"involvedObject":{},"reason":reason,"message":message}).to_string();
            let contains = |word: &String| {
                let texts = [&reason, &message].map(|text| text.to_ascii_lowercase());
                texts.iter().any(|text| text.contains(&word.to_ascii_lowercase()))
            };
            let expected = words.iter().any(contains);
            prop_assert_eq!(mentions(&words, &event), expected);
            let text = [reason.as_bytes(), message.as_bytes()].join(&BETWEEN).to_ascii_lowercase();
            prop_assert_eq!(Words::new(&words).unwrap().steady.is_match(&text), expected);
        }
    }
}
