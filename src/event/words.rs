//! Words that are looked for in what an event says.
//!
//! Constraints: all words of a set are looked for at once, and texts are copied only into room that
//! is used again. No words and no text take more than some tens of milliseconds.
//!
//! Most texts have escapes (the quotes around an image's name) and none of the words. So a text is
//! searched as it stands in JSON first: that nothing is found there says that nothing is in the
//! decoded text, unless an escape may stand for a part of a word.

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
    /// Whether a word has what JSON always escapes.
    has_escaped: bool,
}

impl Words {
    /// None of them is empty, and they are bounded in number and length.
    pub(crate) fn new(words: &[impl AsRef<str>]) -> Result<Words, BuildError> {
        let words: Vec<_> = words.iter().map(|word| word.as_ref().to_ascii_lowercase()).collect();
        // The kind that takes least memory; vectors are for words that have but one case.
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::ContiguousNFA)).match_kind(MatchKind::LeftmostFirst);
        let quick = builder.build(&words)?;
        let steady = builder.prefilter(false).build(&words)?;
        let mut bytes = words.iter().flat_map(|word| word.bytes());
        let has_escaped = bytes.any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        Ok(Words { quick, steady, has_escaped })
    }

    fn are_in(&self, text: &[u8], is_steady: bool) -> bool {
        let is_steady = is_steady || text.len() > ROOM_BYTES_MAX;
        let words = if is_steady { &self.steady } else { &self.quick };
        words.is_match(text)
    }
}

/// What looking for words takes, used again for the next event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    room: Vec<u8>,
    /// Bytes of the texts that were searched last.
    pub(crate) bytes: usize,
    /// Whether every text is searched a step a byte.
    pub(crate) is_steady: bool,
}

impl Search {
    /// Whether the last search was one by vectors.
    pub(crate) fn was_quick(&self) -> bool {
        !self.is_steady && self.bytes <= ROOM_BYTES_MAX
    }

    fn fill(&mut self, text: impl Fn(Field, &mut Vec<u8>)) {
        self.room.clear();
        for field in [Field::Reason, Field::Message] {
            text(field, &mut self.room);
            self.room.push(BETWEEN);
        }
    }
}

impl EventView<'_> {
    /// Whether the reason or the message has one of the words anywhere.
    pub(crate) fn mentions(&self, words: &Words, search: &mut Search) -> bool {
        self.mentions_each([words], search)
    }

    /// Whether they have a word of each of these.
    pub(crate) fn mentions_each<'w>(
        &self,
        sets: impl IntoIterator<Item = &'w Words>,
        search: &mut Search,
    ) -> bool {
        search.fill(|field, room| room.extend_from_slice(self.content(field)));
        search.bytes = search.room.len();
        let mut escapes = Escapes::of(&search.room);
        search.room.make_ascii_lowercase();
        let mentions = sets.into_iter().all(|words| {
            let may_hide = match escapes {
                Escapes::None => false,
                Escapes::OfSigns => words.has_escaped,
                Escapes::OfLetters => true,
            };
            if !may_hide && !words.are_in(&search.room, search.is_steady) {
                return false;
            }
            if std::mem::replace(&mut escapes, Escapes::None) == Escapes::None {
                return true;
            }
            search.fill(|field, room| {
                self.text_is(field, |text| {
                    room.extend_from_slice(text);
                    true
                });
            });
            search.room.make_ascii_lowercase();
            words.are_in(&search.room, search.is_steady)
        });
        if search.room.capacity() > ROOM_BYTES_MAX {
            search.room = Vec::new();
        }
        mentions
    }
}

/// What a text in JSON escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escapes {
    None,
    /// Only what JSON always escapes: quotes, backslashes, line breaks and their like.
    OfSigns,
    /// Perhaps what might as well stand there itself: `\u0067`, `\/`.
    OfLetters,
}

impl Escapes {
    fn of(json: &[u8]) -> Escapes {
        let (mut escapes, mut from) = (Escapes::None, 0);
        while let Some(at) = json.get(from..).and_then(|rest| memchr::memchr(b'\\', rest)) {
            if matches!(json.get(from + at + 1), Some(b'u' | b'/')) {
                return Escapes::OfLetters;
            }
            escapes = Escapes::OfSigns;
            from += at + 2;
        }
        escapes
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
        view.mentions(&Words::new(words).unwrap(), &mut Search::default())
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
        let (edits, mut search) = (Edits::default(), Search::default());
        let [words, last] = ["o", "last"].map(|word| Words::new(&[word]).unwrap());
        assert!(EventView { of: long.of(), edits: &edits }.mentions(&last, &mut search));
        assert!(!EventView { of: long.of(), edits: &edits }.mentions(&words, &mut search));
        assert_eq!(search.room.capacity(), 0);
        assert!(EventView { of: short.of(), edits: &edits }.mentions(&words, &mut search));
        assert!(search.room.capacity() > 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// So few letters that many words are found, and texts longer than a vector, with all that
        /// an escape may stand for.
        #[test]
        fn what_is_mentioned_is_what_one_of_the_texts_contains(
            words in prop::collection::vec("[aAbnu/\\\\\u{e9}\u{c9}\"]{1,3}", 1..70),
            reason in "[aAb\\\\]{0,3}",
            message in "[abBcnu/\\\\\u{e9}\n\"]{0,60}",
            escaped in prop::sample::select(&["a", "b", "/", "B"]),
            by_number: bool,
        ) {
            let event = json!({"involvedObject":{},"reason":reason,"message":"M"}).to_string();
            let escape = match by_number {
                true => format!("\\u{:04x}", escaped.as_bytes()[0]),
                false if escaped == "/" => r"\/".to_owned(),
                false => escaped.to_owned(),
            };
            let text = json!(message).to_string().replace(escaped, &escape);
            // `\b` of the text itself is not among the letters.
            let event = event.replace("\"M\"", &text);
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
