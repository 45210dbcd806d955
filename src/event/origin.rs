//! From a document back to the source's own bytes.
//!
//! A dead letter holds an event as its source gave it, byte for byte, but hardly any event becomes
//! one. So a document does not carry a second copy of its event through buffer, spool and sink, but
//! only what [`encode()`](super::encode()) left out of it (`managedFields`, mostly): the
//! *difference*, from which [`rebuild`] makes the source again
//! (docs/delivery.md#what-is-kept-of-the-source).
//!
//! A difference is a sequence of steps. Each appends to the source what it holds itself, and then
//! a piece of the document; the last step may end behind its literal. Numbers are
//! [varints](super::varint).
//!
//! | part | |
//! |---|---|
//! | number | length of the literal |
//! | bytes | the literal |
//! | number | how many bytes of the document to skip, from the end of the last piece |
//! | number | how many bytes of the document to copy |
//!
//! Differences stand in the spool, so this format must be read for as long as spools are.
//!
//! Constraint: finding a difference must cost less than the copy that it replaces, and allocate
//! nothing. It is not searched for: the encoder notes which [`Pieces`] it copies.

use std::ops::Range;

use super::varint;

/// What a document keeps of its source's bytes, in the same buffer as the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The source's bytes themselves; an empty range where nothing was kept.
    Whole(Range<usize>),
    /// What makes them again, together with the document.
    Difference(Range<usize>),
}

/// Nothing was kept.
impl Default for Origin {
    fn default() -> Origin {
        Origin::Whole(0..0)
    }
}

/// Pieces that are noted at most. An event that nobody edited is copied in seven or fewer; what an
/// edited one has more of, the difference holds as literals.
const PIECES_MAX: usize = 8;

/// Which parts of an event its document has as they were, in their order.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: [Piece; PIECES_MAX],
    len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    /// Where it begins in the event.
    event: u32,
    /// Where it begins in the document.
    document: u32,
    len: u32,
}

impl Piece {
    /// Where it is in the event.
    fn in_event(&self) -> Range<usize> {
        self.event as usize..self.event as usize + self.len as usize
    }

    /// Where it is in the document.
    fn in_document(&self) -> Range<usize> {
        self.document as usize..self.document as usize + self.len as usize
    }
}

impl Pieces {
    /// Notes that the event's `range` was copied to `document` in the document. Both lie behind all
    /// that was noted before.
    #[inline]
    pub(super) fn note(&mut self, range: Range<usize>, document: usize) {
        if let Some(piece) = self.pieces.get_mut(self.len) {
            // Events and documents are at most a few MiB, far below 2^32.
            let (event, len) = (range.start as u32, range.len() as u32);
            *piece = Piece { event, document: document as u32, len };
            self.len += 1;
        }
    }

    /// Where in the document a part of the event stands; `None` where it is not within one piece.
    pub(super) fn find(&self, part: Range<usize>) -> Option<Range<usize>> {
        let piece = self.noted().iter().find(|piece| part.start < piece.in_event().end)?;
        let before = part.start.checked_sub(piece.in_event().start)?;
        let start = piece.in_document().start + before;
        (part.end <= piece.in_event().end).then(|| start..start + part.len())
    }

    fn noted(&self) -> &[Piece] {
        &self.pieces[..self.len]
    }
}

/// Appends what makes `source` again from its document, whose pieces are of `source`: a difference,
/// or `source` itself where that is not longer.
pub(super) fn write(pieces: &Pieces, source: &[u8], out: &mut Vec<u8>) -> Origin {
    let start = out.len();
    let (mut written, mut read) = (0, 0);
    for piece in pieces.noted() {
        write_literal(&source[written..piece.in_event().start], out);
        varint::write((piece.in_document().start - read) as u64, out);
        varint::write(piece.len.into(), out);
        written = piece.in_event().end;
        read = piece.in_document().end;
    }
    write_literal(&source[written..], out);
    if out.len() - start < source.len() {
        return Origin::Difference(start..out.len());
    }
    out.truncate(start);
    write_whole(source, out)
}

/// Appends `source` itself.
pub(super) fn write_whole(source: &[u8], out: &mut Vec<u8>) -> Origin {
    let start = out.len();
    out.extend_from_slice(source);
    Origin::Whole(start..out.len())
}

#[inline]
fn write_literal(literal: &[u8], out: &mut Vec<u8>) {
    varint::write(literal.len() as u64, out);
    out.extend_from_slice(literal);
}

/// The source's bytes; `None` if `difference` does not belong to this document. Takes no more
/// memory than the two have together.
pub(super) fn rebuild(document: &[u8], mut difference: &[u8]) -> Option<Vec<u8>> {
    let mut source = Vec::with_capacity(document.len() + difference.len());
    let mut document = document;
    while !difference.is_empty() {
        let literal = read_length(&mut difference)?;
        source.extend_from_slice(difference.split_off(..literal)?);
        if difference.is_empty() {
            break;
        }
        let skip = read_length(&mut difference)?;
        document.split_off(..skip)?;
        let copy = read_length(&mut difference)?;
        source.extend_from_slice(document.split_off(..copy)?);
    }
    Some(source)
}

fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(varint::read(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A document that has these parts of `source`, each behind a `|`.
    fn pieces_of(source: &[u8], parts: &[Range<usize>]) -> (Vec<u8>, Pieces) {
        let (mut document, mut pieces) = (Vec::new(), Pieces::default());
        for part in parts {
            document.push(b'|');
            pieces.note(part.clone(), document.len());
            document.extend_from_slice(&source[part.clone()]);
        }
        (document, pieces)
    }

    #[test]
    fn a_difference_holds_what_the_document_lacks() {
        let source = b"0123456789abcdefghij";
        let (document, pieces) = pieces_of(source, &[2..9, 12..19]);
        let mut out = b"before".to_vec();
        let origin = write(&pieces, source, &mut out);
        assert_eq!(origin, Origin::Difference(6..out.len()));
        assert_eq!(&out[6..], b"\x0201\x01\x07\x039ab\x01\x07\x01j");
        assert_eq!(rebuild(&document, &out[6..]).unwrap(), source);
        assert_eq!(pieces.find(3..5), Some(2..4));
        assert_eq!(pieces.find(12..19), Some(9..16));
        for beside in [0..1, 1..3, 8..10, 9..10, 19..20] {
            assert_eq!(pieces.find(beside.clone()), None, "{beside:?}");
        }
    }

    #[test]
    fn a_source_that_is_not_longer_than_its_difference_is_kept_itself() {
        for (source, parts) in
            [(&b"0123456789"[..], std::slice::from_ref(&(4..6))), (b"0123456789", &[]), (b"", &[])]
        {
            let (_, pieces) = pieces_of(source, parts);
            let mut out = b"before".to_vec();
            assert_eq!(write(&pieces, source, &mut out), Origin::Whole(6..6 + source.len()));
            assert_eq!(&out[6..], source);
        }
    }

    proptest! {
        #[test]
        fn any_source_comes_back_however_it_was_cut(
            source in proptest::collection::vec(any::<u8>(), 1..300),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..50),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(source.len())).collect();
            cuts.sort();
            let parts: Vec<_> = cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
            let (document, pieces) = pieces_of(&source, &parts);
            let mut out = Vec::new();
            match write(&pieces, &source, &mut out) {
                Origin::Whole(range) => prop_assert_eq!(&out[range], source),
                Origin::Difference(range) => {
                    prop_assert!(range.len() < source.len());
                    prop_assert_eq!(rebuild(&document, &out[range]).unwrap(), source);
                }
            }
        }

        #[test]
        fn bytes_that_are_no_difference_do_not_panic(
            document in "[a-c]{0,40}",
            difference in proptest::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..40),
        ) {
            if let Some(source) = rebuild(document.as_bytes(), &difference) {
                prop_assert!(source.len() <= document.len() + difference.len());
            }
        }
    }
}
