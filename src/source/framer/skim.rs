//! A JSON validator that takes its input in pieces: has the value ended, or can it no longer be
//! JSON?
//!
//! Constraint: an object that arrives in many reads is looked at once here, a byte at a time, and
//! parsed only when this says that it is worth it. Parsing it again at each read would take time
//! quadratic in its size.
//!
//! Invariant: it stops where [`Scanner`](crate::event::Scanner) would, but knows no limit of depth:
//! it only remembers the kind of the innermost [`LEVELS`] open containers and believes brackets
//! outside of those.

/// Where a [`Skim`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The value has ended before this position.
    End(usize),
    /// The byte at this position cannot stand there.
    Error(usize),
}

const LEVELS: u32 = u128::BITS;

/// The state between two pieces.
#[derive(Clone, Debug)]
pub(super) struct Skim {
    state: State,
    /// One bit for each open container, the innermost lowest: 1 for an object.
    open: u128,
    levels: u64,
    /// An array was met as a member of the outermost object.
    pub(super) met_root_array: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    ValueOrClose,
    Key,
    KeyOrClose,
    Colon,
    AfterValue,
    String { is_key: bool },
    Escape { is_key: bool },
    Hex { is_key: bool, left: u8 },
    Literal(&'static [u8]),
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Skim {
    /// Before a value.
    pub(super) fn at_value() -> Skim {
        Skim { state: State::Value, open: 0, levels: 0, met_root_array: false }
    }

    /// Behind a member's value in an object.
    pub(super) fn in_object() -> Skim {
        Skim { state: State::AfterValue, open: 1, levels: 1, met_root_array: false }
    }

    /// Takes the next piece; `None`: all of it, and the value goes on.
    pub(super) fn take(&mut self, piece: &[u8]) -> Option<Stop> {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            if let State::String { .. } = self.state {
                at += plain_len(&piece[at..]);
                let byte = *piece.get(at)?;
                if !self.string(byte) {
                    return Some(Stop::Error(at));
                }
                at += 1;
            } else if self.levels == 0 && self.ends_number(byte) {
                return Some(Stop::End(at));
            } else if !self.step(byte) {
                return Some(Stop::Error(at));
            } else {
                at += 1;
            }
            if self.levels == 0 && self.state == State::AfterValue {
                return Some(Stop::End(at));
            }
        }
        None
    }

    /// A byte that ends a run of plain characters in a string.
    fn string(&mut self, byte: u8) -> bool {
        let State::String { is_key } = self.state else { return false };
        self.state = match byte {
            b'"' if is_key => State::Colon,
            b'"' => State::AfterValue,
            b'\\' => State::Escape { is_key },
            _ => return false,
        };
        true
    }

    /// Whether a number that may end here does.
    fn ends_number(&self, byte: u8) -> bool {
        match self.state {
            State::Zero => !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E'),
            State::Integer => !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E'),
            State::Fraction => !matches!(byte, b'0'..=b'9' | b'e' | b'E'),
            State::ExponentDigits => !byte.is_ascii_digit(),
            _ => false,
        }
    }

    /// Any other byte; `false` when it cannot stand there.
    fn step(&mut self, byte: u8) -> bool {
        if self.ends_number(byte) {
            self.state = State::AfterValue;
        }
        let next = match (self.state, byte) {
            (
                State::Value | State::ValueOrClose | State::Key | State::KeyOrClose,
                b' ' | b'\t' | b'\n' | b'\r',
            )
            | (State::Colon | State::AfterValue, b' ' | b'\t' | b'\n' | b'\r') => Some(self.state),
            (State::Value, _) => self.value(byte),
            (State::ValueOrClose, b']') => self.close(byte),
            (State::ValueOrClose, _) => self.value(byte),
            (State::Key | State::KeyOrClose, b'"') => Some(State::String { is_key: true }),
            (State::KeyOrClose, b'}') => self.close(byte),
            (State::Colon, b':') => Some(State::Value),
            (State::AfterValue, b',') => {
                Some(if self.in_object_now() { State::Key } else { State::Value })
            }
            (State::AfterValue, b'}' | b']') => self.close(byte),
            (State::Escape { is_key }, b'u') => Some(State::Hex { is_key, left: 4 }),
            (State::Escape { is_key }, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                Some(State::String { is_key })
            }
            (State::Hex { is_key, left }, _) if byte.is_ascii_hexdigit() => Some(match left {
                1 => State::String { is_key },
                _ => State::Hex { is_key, left: left - 1 },
            }),
            (State::Literal([expected, rest @ ..]), _) if byte == *expected => {
                Some(if rest.is_empty() { State::AfterValue } else { State::Literal(rest) })
            }
            _ => number(self.state, byte),
        };
        match next {
            Some(state) => self.state = state,
            None => return false,
        }
        true
    }

    fn value(&mut self, first: u8) -> Option<State> {
        Some(match first {
            b'"' => State::String { is_key: false },
            b'{' | b'[' => {
                self.met_root_array |= first == b'[' && self.levels == 1 && self.in_object_now();
                self.open = self.open << 1 | u128::from(first == b'{');
                self.levels += 1;
                if first == b'{' { State::KeyOrClose } else { State::ValueOrClose }
            }
            b't' => State::Literal(b"rue"),
            b'f' => State::Literal(b"alse"),
            b'n' => State::Literal(b"ull"),
            b'-' => State::Minus,
            b'0' => State::Zero,
            b'1'..=b'9' => State::Integer,
            _ => return None,
        })
    }

    fn close(&mut self, bracket: u8) -> Option<State> {
        let fits = self.in_object_now() == (bracket == b'}') || self.levels > u64::from(LEVELS);
        if !fits || self.levels == 0 {
            return None;
        }
        self.open >>= 1;
        self.levels -= 1;
        Some(State::AfterValue)
    }

    fn in_object_now(&self) -> bool {
        self.open & 1 == 1
    }
}

fn number(state: State, byte: u8) -> Option<State> {
    Some(match (state, byte) {
        (State::Minus, b'0') => State::Zero,
        (State::Minus, b'1'..=b'9') | (State::Integer, b'0'..=b'9') => State::Integer,
        (State::Zero | State::Integer, b'.') => State::Point,
        (State::Point | State::Fraction, b'0'..=b'9') => State::Fraction,
        (State::Zero | State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
        (State::Exponent, b'+' | b'-') => State::ExponentSign,
        (State::Exponent | State::ExponentSign | State::ExponentDigits, b'0'..=b'9') => {
            State::ExponentDigits
        }
        _ => return None,
    })
}

/// How many bytes are neither quote nor backslash nor control character.
fn plain_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::testing::{damaged, styles, values};
    use crate::event::{ScanError, Scanner};

    fn skim(pieces: &[&[u8]]) -> Option<Stop> {
        let mut skim = Skim::at_value();
        let mut before = 0;
        for piece in pieces {
            match skim.take(piece) {
                Some(Stop::End(at)) => return Some(Stop::End(before + at)),
                Some(Stop::Error(at)) => return Some(Stop::Error(before + at)),
                None => before += piece.len(),
            }
        }
        None
    }

    /// What the scanner says, where it has a limit of depth the same.
    fn scan(bytes: &[u8]) -> Option<Stop> {
        let mut scanner = Scanner::new(bytes, 0);
        match scanner.value() {
            Ok(_) => Some(Stop::End(scanner.position())),
            Err(ScanError::End) => None,
            Err(ScanError::Syntax { at, .. } | ScanError::Depth { at }) => Some(Stop::Error(at)),
        }
    }

    #[test]
    fn it_knows_an_array_that_is_a_member_of_the_root() {
        for (text, met) in [
            (r#"{"a":[],"#, true),
            (r#"{"a":{"b":[]},"#, false),
            (r#"[[],"#, false),
            (r#"{"a":"[","#, false),
        ] {
            let mut skim = Skim::at_value();
            assert_eq!(skim.take(text.as_bytes()), None);
            assert_eq!(skim.met_root_array, met, "{text}");
        }
    }

    #[test]
    fn it_goes_on_below_any_depth() {
        let text = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(skim(&[text.as_bytes()]), Some(Stop::End(2000)));
    }

    proptest! {
        #[test]
        fn it_stops_where_the_scanner_stops_however_the_text_is_cut(
            value in values(), mut style in styles(), damage in damaged(), behind in "[ ,\\]}]", cuts: [prop::sample::Index; 2],
        ) {
            let mut bytes = value.write(&mut style).into_bytes();
            damage.apply(&mut bytes);
            bytes.extend_from_slice(behind.as_bytes());
            let mut cuts = cuts.map(|cut| cut.index(bytes.len() + 1));
            cuts.sort_unstable();
            let pieces = [&bytes[..cuts[0]], &bytes[cuts[0]..cuts[1]], &bytes[cuts[1]..]];
            prop_assert_eq!(skim(&pieces), scan(&bytes), "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
