use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
}

/// What comes out of `input`, which comes in pieces of `piece` bytes, into room for `room`.
fn decode(input: &[u8], piece: usize, room: usize) -> (Vec<u8>, Option<Damage>) {
    let mut out = Vec::new();
    let mut pieces = input.chunks(piece);
    let first = pieces.next().unwrap_or_default();
    // As the reader does: it begins with what is enough to tell the form.
    let mut begun = first.to_vec();
    let form = loop {
        match (Form::of(&begun), pieces.next()) {
            (Some(form), next) => {
                let mut decoder = Decoder::new(form, 0, begun);
                let rest = next.into_iter().chain(pieces);
                return match drive(&mut decoder, rest, room, &mut out) {
                    Ok(()) => (out, None),
                    Err(damage) => {
                        steps(&mut decoder, room, &mut out, Decoder::close).unwrap();
                        (out, Some(damage))
                    }
                };
            }
            (None, Some(next)) => begun.extend_from_slice(next),
            (None, None) => break begun,
        }
    };
    (form, None)
}

fn drive<'a>(
    decoder: &mut Decoder,
    rest: impl Iterator<Item = &'a [u8]>,
    room: usize,
    out: &mut Vec<u8>,
) -> Result<(), Damage> {
    steps(decoder, room, out, Decoder::step)?;
    for piece in rest {
        decoder.input().extend_from_slice(piece);
        steps(decoder, room, out, Decoder::step)?;
    }
    steps(decoder, room, out, Decoder::finish)
}

fn steps(
    decoder: &mut Decoder,
    room: usize,
    out: &mut Vec<u8>,
    step: fn(&mut Decoder, &mut Vec<u8>, usize) -> Result<Step, Damage>,
) -> Result<(), Damage> {
    loop {
        let before = out.len();
        let step = step(decoder, out, room)?;
        assert!(out.len() - before <= room);
        assert!(decoder.unpacked.len() <= 2 * UNPACKED_BYTES, "{}", decoder.unpacked.len());
        if step == Step::NeedsMore {
            return Ok(());
        }
    }
}

fn decoded(input: &[u8]) -> String {
    let (text, damage) = decode(input, 1 << 16, 1 << 16);
    assert_eq!(damage, None);
    String::from_utf8(text).unwrap()
}

/// A text in each form that is read, and what comes out.
fn forms(text: &str) -> Vec<(Vec<u8>, String)> {
    let marked = format!("\u{feff}{text}");
    let half = text.floor_char_boundary(text.len() / 2);
    let (head, tail) = (&text.as_bytes()[..half], &text.as_bytes()[half..]);
    let skipped = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
    vec![
        (utf16(text, u16::to_le_bytes), marked.clone()),
        (utf16(text, u16::to_be_bytes), marked.clone()),
        (gzip(text.as_bytes()), text.to_owned()),
        (zstd(text.as_bytes()), text.to_owned()),
        ([gzip(head), gzip(tail), vec![0; 7]].concat(), text.to_owned()),
        ([&zstd(head), &skipped[..], &zstd(tail)].concat(), text.to_owned()),
        ([gzip(head), zstd(tail)].concat(), text.to_owned()),
        (gzip(&utf16(text, u16::to_le_bytes)), marked.clone()),
        (zstd(&utf16(text, u16::to_be_bytes)), marked),
    ]
}

proptest! {
    #[test]
    fn what_comes_out_does_not_depend_on_how_the_input_was_cut(
        text in "[{\" a-cé€𝄞]{0,200}",
        repeat in prop_oneof![4 => Just(1_usize), 1 => Just(400)],
        piece in 1..40_usize,
        room in 1..40_usize,
    ) {
        let text = format!("{{{}", text.repeat(repeat));
        let scale = if repeat > 1 { 300 } else { 1 };
        for (input, expected) in forms(&text) {
            let (found, damage) = decode(&input, piece * scale, room * scale);
            prop_assert_eq!(damage, None);
            prop_assert!(found == expected.as_bytes(), "{} bytes of {}", found.len(), expected.len());
        }
    }

    #[test]
    fn packed_text_that_ends_too_early_gives_what_came_before_and_says_where(
        text in "[a-c]{1,300}",
        end: prop::sample::Index,
    ) {
        for packed in [gzip(text.as_bytes()), zstd(text.as_bytes())] {
            let end = 4 + end.index(packed.len() - 4);
            let (found, damage) = decode(&packed[..end], 7, 100);
            prop_assert!(text.as_bytes().starts_with(&found));
            let what = "it ends in the middle of what was packed";
            prop_assert_eq!(damage, Some(Damage { offset: end as u64, what }));
        }
    }

    #[test]
    fn whatever_is_damaged_ends_in_an_error_or_not_at_all_and_never_goes_on_for_ever(
        text in "[a-c]{1,300}",
        at: prop::sample::Index,
        with in 1..=255_u8,
    ) {
        for mut packed in [gzip(text.as_bytes()), zstd(text.as_bytes())] {
            let at = at.index(packed.len());
            packed[at] ^= with;
            let (found, damage) = decode(&packed, 64, 100);
            // A byte of a header may say nothing about the text.
            prop_assert!(damage.is_some() || found == text.as_bytes() || at < 4, "{at}");
        }
    }
}

#[test]
fn halves_of_characters_become_replacement_characters() {
    assert_eq!(decoded(b"\xff\xfea\0\x34\xd8b\0\x1e\xdd"), "\u{feff}a\u{fffd}b\u{fffd}");
    assert_eq!(decoded(b"\xff\xfea\0\x34\xd8"), "\u{feff}a\u{fffd}");
    assert_eq!(decoded(b"\xff\xfea\0b"), "\u{feff}a\u{fffd}");
}

#[test]
fn what_came_out_of_utf_16_is_so_many_bytes_of_the_input() {
    let text = "a\u{feff}é€𝄞\u{fffd}";
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let input = utf16(text, bytes);
        let mut decoder = Decoder::new(Form::of(&input).unwrap(), 0, input.clone());
        let mut out = Vec::new();
        while decoder.step(&mut out, 1).unwrap() == Step::Done {
            // One byte at a time, and all of them are the next object's.
            assert_eq!(decoder.behind(&out), input.len());
        }
        assert_eq!(decoder.behind(b""), 0);
    }
}

#[test]
fn a_few_bytes_that_unpack_to_a_lot_take_no_memory() {
    let large = vec![b' '; 64 << 20];
    for mut packed in [gzip(&large), zstd(&large)] {
        packed.extend_from_slice(&gzip(b"{}"));
        let mut decoder = Decoder::new(Form::of(&packed).unwrap(), 0, Vec::new());
        let mut unpacked = 0;
        for piece in packed.chunks(RAW_BYTES) {
            decoder.input().extend_from_slice(piece);
            loop {
                let mut out = Vec::with_capacity(4096);
                let step = decoder.step(&mut out, 4096).unwrap();
                unpacked += out.len();
                assert!(decoder.pending() <= RAW_BYTES + 2 * UNPACKED_BYTES);
                if step == Step::NeedsMore {
                    break;
                }
            }
        }
        assert_eq!(unpacked, large.len() + 2);
    }
}

#[test]
fn what_cannot_be_unpacked_is_told() {
    let said = |input: &[u8]| {
        let (_, damage) = decode(input, 1 << 16, 1 << 16);
        damage.map(|damage| damage.what).unwrap_or_default()
    };
    let mut other_sum = gzip(b"{}");
    let trailer = other_sum.len() - 8;
    other_sum[trailer] ^= 1;
    let joined = [gzip(b"{}"), b"{}".to_vec()].concat();
    let twice = gzip(&gzip(b"{}"));
    // A window of 2 GiB, a dictionary, and a block of no known kind.
    let window = b"\x28\xb5\x2f\xfd\0\xa8\x01\0\0\0\0\0\0\0\0\0\0\0\0";
    let dictionary = b"\x28\xb5\x2f\xfd\x01\x58\x07\x01\0\0\0\0\0\0\0\0\0\0\0";
    let block = b"\x28\xb5\x2f\xfd\0\x58\x07\0\0\0\0\0\0\0\0\0\0\0";
    for (input, what) in [
        (&other_sum[..], "the checksum of what gzip packed before is another one"),
        (&joined, "what follows the packed text is neither gzip nor zstd"),
        (&twice, "what was packed is packed once more: unpack it once"),
        (b"\x1f\x8b\x07\0\0\0\0\0\0\0", "a header of gzip is damaged there"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff", "what gzip packed there is damaged"),
        (
            window,
            "a frame of zstd asks for a window of more than 8 MiB: pack it without `--long` and \
             `--ultra`",
        ),
        (dictionary, "a frame of zstd needs a dictionary: pack it without"),
        (block, "a block of zstd is damaged there"),
    ] {
        assert_eq!(said(input), what, "{input:x?}");
    }
}
