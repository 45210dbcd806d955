//! One frame of zstd: <https://www.rfc-editor.org/rfc/rfc8878>.
//!
//! The decoder is given a block at a time, and only a whole one: a few bytes may unpack to
//! gigabytes. It keeps the window back until the frame ends: a copy from there may follow.

use std::io::Read;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Step, Unpacked};

/// How far back a frame may copy from, which is what the decoder must hold. All that read zstd
/// should take as much as this, and `zstd -1` to `-19` ask for no more; `--long` and `--ultra` do.
pub(super) const WINDOW_BYTES_MAX: u64 = 8 << 20;

/// The longest header of a frame, with what says that it is one.
const HEADER_BYTES_MAX: usize = 18;

const BLOCK_HEADER_BYTES: usize = 3;

const CHECKSUM_BYTES: usize = 4;

#[derive(Default)]
pub(super) struct Zstd {
    decoder: FrameDecoder,
    part: Part,
    has_checksum: bool,
}

#[derive(Debug, Default)]
enum Part {
    #[default]
    Header,
    /// So much of a frame that is to be skipped is left.
    Skipped(u64),
    Blocks,
    /// The last block was unpacked.
    Rest,
    /// What stands behind was given up.
    GivenUp,
}

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zstd").field("part", &self.part).finish_non_exhaustive()
    }
}

impl Zstd {
    /// Goes on with `raw`, and appends at most `room` bytes to `out`.
    pub(super) fn unpack(
        &mut self,
        raw: &[u8],
        out: &mut Vec<u8>,
        room: usize,
    ) -> Result<Unpacked, &'static str> {
        if self.drain(out, room) {
            return Ok(Unpacked { taken: 0, step: Step::Done, is_end: false });
        }
        let needs_more = Ok(Unpacked { taken: 0, step: Step::NeedsMore, is_end: false });
        match &mut self.part {
            Part::Header => self.header(raw),
            Part::Skipped(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(raw.len());
                *left -= taken as u64;
                let is_end = *left == 0;
                let step = if is_end { Step::Done } else { Step::NeedsMore };
                Ok(Unpacked { taken, step, is_end })
            }
            Part::Blocks => {
                let Some(block) = block(raw, self.has_checksum)? else { return needs_more };
                let mut from = block;
                let is_last = self
                    .decoder
                    .decode_blocks(&mut from, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|_| "what zstd packed there is damaged")?;
                if is_last {
                    self.part = Part::Rest;
                }
                Ok(Unpacked { taken: block.len(), step: Step::Done, is_end: false })
            }
            Part::Rest => {
                let expected = self.decoder.get_checksum_from_data();
                if expected.is_some() && expected != self.decoder.get_calculated_checksum() {
                    return Err("the checksum of what zstd packed before is another one");
                }
                Ok(Unpacked { taken: 0, step: Step::Done, is_end: true })
            }
            Part::GivenUp => needs_more,
        }
    }

    /// Appends what the decoder keeps back, up to `UNPACKED_BYTES` of it: the frame is not read to
    /// its end. To be called again until nothing comes.
    pub(super) fn give_up(&mut self, out: &mut Vec<u8>) {
        if matches!(self.part, Part::Blocks) {
            // A last block of nothing, and room for a checksum that nobody compares.
            let mut last = &b"\x01\0\0\0\0\0\0"[..];
            let ended = self.decoder.decode_blocks(&mut last, BlockDecodingStrategy::UptoBlocks(1));
            debug_assert!(ended.is_ok(), "a block of nothing is never damaged");
            self.part = Part::GivenUp;
        }
        self.drain(out, super::UNPACKED_BYTES);
    }

    fn header(&mut self, raw: &[u8]) -> Result<Unpacked, &'static str> {
        let mut from = &raw[..raw.len().min(HEADER_BYTES_MAX)];
        let whole = from.len();
        self.decoder.set_max_window_size(WINDOW_BYTES_MAX);
        match self.decoder.init(&mut from) {
            Ok(()) => {
                self.part = Part::Blocks;
                // The third lowest bit of the byte behind the magic number.
                self.has_checksum = raw[4] & 0b100 != 0;
                Ok(Unpacked { taken: whole - from.len(), step: Step::Done, is_end: false })
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                self.part = Part::Skipped(length.into());
                Ok(Unpacked { taken: 8, step: Step::Done, is_end: false })
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => Err(
                "a frame of zstd asks for a window of more than 8 MiB: pack it without `--long` \
                 and `--ultra`",
            ),
            Err(FrameDecoderError::DictNotProvided { .. }) => {
                Err("a frame of zstd needs a dictionary: pack it without")
            }
            Err(_) if whole < HEADER_BYTES_MAX => {
                Ok(Unpacked { taken: 0, step: Step::NeedsMore, is_end: false })
            }
            Err(_) => Err("a header of zstd is damaged there"),
        }
    }

    /// Whether something came.
    fn drain(&mut self, out: &mut Vec<u8>, room: usize) -> bool {
        let room = room.min(self.decoder.can_collect());
        let start = out.len();
        out.resize(start + room, 0);
        // It reads from memory.
        let count = self.decoder.read(&mut out[start..]).unwrap_or(0);
        out.truncate(start + count);
        count > 0
    }
}

/// The block that `raw` begins with, and the checksum behind the last one; `None` where it is not
/// whole yet.
fn block(raw: &[u8], has_checksum: bool) -> Result<Option<&[u8]>, &'static str> {
    const SIZE_MAX: usize = 128 << 10;
    let Some(&[a, b, c]) = raw.first_chunk::<BLOCK_HEADER_BYTES>() else { return Ok(None) };
    let header = u32::from_le_bytes([a, b, c, 0]);
    let (is_last, kind, size) = (header & 1 == 1, header >> 1 & 3, (header >> 3) as usize);
    if kind == 3 || size > SIZE_MAX {
        return Err("a block of zstd is damaged there");
    }
    let content = if kind == 1 { 1 } else { size };
    let checksum = if is_last && has_checksum { CHECKSUM_BYTES } else { 0 };
    Ok(raw.get(..BLOCK_HEADER_BYTES + content + checksum))
}
