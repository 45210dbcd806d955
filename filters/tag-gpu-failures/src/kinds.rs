//! What kinds a byte is of: one look into a table, whatever the kinds are.

/// Some kinds of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Kind(u16);

/// What names of Pods, images, secrets and volumes are made of.
pub(crate) const NAME: Kind = Kind(1);
/// A letter or a digit of ASCII.
pub(crate) const ALPHANUMERIC: Kind = Kind(1 << 1);
pub(crate) const DIGIT: Kind = Kind(1 << 2);
pub(crate) const HEX_DIGIT: Kind = Kind(1 << 3);
/// What the name of a C function is made of, and its parentheses.
pub(crate) const FUNCTION: Kind = Kind(1 << 4);
/// What may stand between a word like `image` and the name of one.
pub(crate) const BEFORE_NAME: Kind = Kind(1 << 5);
/// What may stand between `Xid` and its number.
pub(crate) const BEFORE_XID: Kind = Kind(1 << 6);
/// What may stand between `exec` and a program.
pub(crate) const BEFORE_PROGRAM: Kind = Kind(1 << 7);
/// Quotes, and what escapes them.
pub(crate) const QUOTE: Kind = Kind(1 << 8);
/// What may stand between a resource and how much of it there is.
pub(crate) const BEFORE_QUANTITY: Kind = Kind(1 << 9);
pub(crate) const BLANK: Kind = Kind(1 << 10);
pub(crate) const BACKSLASH: Kind = Kind(1 << 11);
pub(crate) const FULL_STOP: Kind = Kind(1 << 12);
/// Anything but white space.
pub(crate) const SOLID: Kind = Kind(1 << 13);
/// What may end a clause.
pub(crate) const STOP: Kind = Kind(1 << 14);

static TABLE: [u16; 128] = table();

impl Kind {
    pub(crate) fn has(self, byte: u8) -> bool {
        TABLE.get(usize::from(byte)).map_or(SOLID.0, |kinds| *kinds) & self.0 != 0
    }
}

const fn table() -> [u16; 128] {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = kinds_of(byte as u8);
        byte += 1;
    }
    table
}

const fn kinds_of(byte: u8) -> u16 {
    let is = [
        (NAME, byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/')),
        (ALPHANUMERIC, byte.is_ascii_alphanumeric()),
        (DIGIT, byte.is_ascii_digit()),
        (HEX_DIGIT, byte.is_ascii_hexdigit()),
        (FUNCTION, byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'(' | b')')),
        (BEFORE_NAME, matches!(byte, b' ' | b'"' | b'\'' | b'`' | b'\\' | b':' | b'=')),
        (BEFORE_XID, matches!(byte, b' ' | b':' | b'=' | b'#' | b'[')),
        (BEFORE_PROGRAM, matches!(byte, b' ' | b':' | b'"' | b'\'' | b'\\')),
        (QUOTE, matches!(byte, b'"' | b'\'' | b'\\' | b'`')),
        (BEFORE_QUANTITY, matches!(byte, b' ' | b'"')),
        (BLANK, byte == b' '),
        (BACKSLASH, byte == b'\\'),
        (FULL_STOP, byte == b'.'),
        (SOLID, !byte.is_ascii_whitespace()),
        (STOP, matches!(byte, b',' | b';' | b'\n' | b'.' | b'\\')),
    ];
    let (mut kinds, mut number) = (0, 0);
    while number < is.len() {
        let (Kind(kind), is_it) = is[number];
        kinds |= if is_it { kind } else { 0 };
        number += 1;
    }
    kinds
}
