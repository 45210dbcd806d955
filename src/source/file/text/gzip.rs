//! One member of gzip: <https://www.rfc-editor.org/rfc/rfc1952>.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Step, Unpacked};

/// A header may hold a file's name, a comment and more; none that is larger is read.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// The checksum and the size behind the data.
const TRAILER_BYTES: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Gzip {
    part: Part,
    checksum: crc32fast::Hasher,
    /// Modulo 2³², as the trailer has it.
    size: u32,
}

#[derive(Debug, Default)]
enum Part {
    #[default]
    Header,
    Data(Decompress),
    Trailer,
}

impl Gzip {
    /// Goes on with `raw`, and appends at most `room` bytes to `out`.
    pub(super) fn unpack(
        &mut self,
        raw: &[u8],
        out: &mut Vec<u8>,
        room: usize,
    ) -> Result<Unpacked, &'static str> {
        match &mut self.part {
            Part::Header => {
                let Some(taken) = header_bytes(raw)? else { return Ok(needs_more(0)) };
                self.part = Part::Data(Decompress::new(false));
                Ok(Unpacked { taken, step: Step::Done, is_end: false })
            }
            Part::Data(data) => {
                let (start, before) = (out.len(), data.total_in());
                out.reserve_exact(room);
                let status = data
                    .decompress_vec(raw, out, FlushDecompress::None)
                    .map_err(|_| "what gzip packed there is damaged")?;
                let taken = (data.total_in() - before) as usize;
                let new = &out[start..];
                self.checksum.update(new);
                self.size = self.size.wrapping_add(new.len() as u32);
                let is_idle = taken == 0 && new.is_empty();
                if status == Status::StreamEnd {
                    self.part = Part::Trailer;
                } else if is_idle {
                    return Ok(needs_more(taken));
                }
                Ok(Unpacked { taken, step: Step::Done, is_end: false })
            }
            Part::Trailer => {
                let Some(trailer) = raw.first_chunk::<TRAILER_BYTES>() else {
                    return Ok(needs_more(0));
                };
                let mut expected = [0; TRAILER_BYTES];
                expected[..4].copy_from_slice(&self.checksum.clone().finalize().to_le_bytes());
                expected[4..].copy_from_slice(&self.size.to_le_bytes());
                if *trailer != expected {
                    return Err("the checksum of what gzip packed before is another one");
                }
                Ok(Unpacked { taken: TRAILER_BYTES, step: Step::Done, is_end: true })
            }
        }
    }
}

fn needs_more(taken: usize) -> Unpacked {
    Unpacked { taken, step: Step::NeedsMore, is_end: false }
}

/// How long the header is; `None` where it is not whole yet.
fn header_bytes(raw: &[u8]) -> Result<Option<usize>, &'static str> {
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let Some(&[_, _, method, flags, _, _, _, _, _, _]) = raw.first_chunk::<10>() else {
        return Ok(None);
    };
    if method != 8 || flags & 0xe0 != 0 {
        return Err("a header of gzip is damaged there");
    }
    let mut at = 10;
    let mut is_whole = true;
    if flags & EXTRA != 0 {
        match raw.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
            Some(length) => at += 2 + usize::from(u16::from_le_bytes(*length)),
            None => is_whole = false,
        }
    }
    for flag in [NAME, COMMENT] {
        if is_whole && flags & flag != 0 {
            match raw.get(at..).and_then(|rest| memchr::memchr(0, rest)) {
                Some(length) => at += length + 1,
                None => is_whole = false,
            }
        }
    }
    if flags & CHECKSUM != 0 {
        at += 2;
    }
    match is_whole && at <= raw.len() {
        true => Ok(Some(at)),
        false if raw.len() > HEADER_BYTES_MAX + 1024 => Err("a header of gzip has no end there"),
        false => Ok(None),
    }
}
