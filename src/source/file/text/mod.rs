//! What a file holds, as UTF-8: unpacks gzip and zstd, and turns UTF-16 into UTF-8. No I/O.
//!
//! Constraint: however much a few bytes unpack to, what is held is bounded: a step appends no more
//! than there is room for, and a window of zstd has [`zstd::WINDOW_BYTES_MAX`].
//!
//! Invariant: what comes out does not depend on how the input was cut into pieces, and everything
//! that came before something damaged comes out.

mod gzip;
mod utf16;
mod zstd;

use crate::form::Form;
use gzip::Gzip;
use utf16::Utf16;
use zstd::Zstd;

/// How much input is held, at most: more than the largest block of zstd has, which is 128 KiB, and
/// what stands around it.
const RAW_BYTES: usize = 192 << 10;

/// How much is unpacked at once.
const UNPACKED_BYTES: usize = 64 << 10;

/// Compressed input that cannot be read on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// Where, in bytes from the start of the input.
    pub(super) offset: u64,
    /// What is wrong there.
    pub(super) what: &'static str,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do, where there is room.
    Done,
    /// More input is needed.
    NeedsMore,
}

/// One try to go on unpacking.
struct Unpacked {
    /// How many bytes of the input were used.
    taken: usize,
    step: Step,
    /// Behind this, another member, frame or nothing may follow.
    is_end: bool,
}

/// Input that is not plain UTF-8, and what it is to become.
#[derive(Debug)]
pub(super) struct Decoder {
    /// Input, and how much of it was used. What is not used begins at `offset` of the input.
    raw: Vec<u8>,
    used: usize,
    offset: u64,
    /// As the last member or frame has it.
    form: Form,
    packing: Packing,
    /// What was unpacked and not used yet.
    unpacked: Vec<u8>,
    characters: Characters,
}

/// The outer layer.
#[derive(Debug)]
enum Packing {
    /// The input is the text.
    None,
    /// Before or between members of gzip and frames of zstd.
    Between {
        is_start: bool,
    },
    Gzip(Box<Gzip>),
    Zstd(Box<Zstd>),
}

/// The inner layer.
#[derive(Debug)]
enum Characters {
    /// The text has not begun.
    Unknown,
    Utf8,
    /// With what was made of it and has not come out yet.
    Utf16(Utf16, Vec<u8>),
}

impl Decoder {
    /// For input that is written in `form`, which is not UTF-8, and goes on at `offset` with `raw`.
    pub(super) fn new(form: Form, offset: u64, raw: Vec<u8>) -> Decoder {
        let (packing, characters) = if form.is_compressed() {
            (Packing::Between { is_start: true }, Characters::Unknown)
        } else {
            (Packing::None, Characters::of(form))
        };
        Decoder { raw, used: 0, offset, form, packing, unpacked: Vec::new(), characters }
    }

    /// The name of what is being unpacked, or was last.
    pub(super) fn form(&self) -> &'static str {
        self.form.as_str()
    }

    /// Where input is to be appended, once a step needs it.
    pub(super) fn input(&mut self) -> &mut Vec<u8> {
        self.raw.drain(..std::mem::take(&mut self.used));
        self.raw.reserve_exact(RAW_BYTES.saturating_sub(self.raw.len()));
        &mut self.raw
    }

    /// How many bytes have not come out: what would be lost if the input ended here.
    pub(super) fn pending(&self) -> usize {
        let text = match &self.characters {
            Characters::Utf16(_, text) => text.len(),
            Characters::Unknown | Characters::Utf8 => 0,
        };
        self.unused().len() + self.unpacked.len() + text
    }

    /// How many bytes of the input stand behind what came out, but for `unfinished` at its end.
    /// Only where nothing is packed.
    pub(super) fn behind(&self, unfinished: &[u8]) -> usize {
        debug_assert!(matches!(self.packing, Packing::None), "packed input has no such offset");
        self.unused().len()
            + match &self.characters {
                Characters::Utf16(_, text) => utf16::bytes_of(text) + utf16::bytes_of(unfinished),
                Characters::Unknown | Characters::Utf8 => unfinished.len(),
            }
    }

    /// Appends at most `room` bytes of text to `out`, where there is room for one.
    pub(super) fn step(&mut self, out: &mut Vec<u8>, room: usize) -> Result<Step, Damage> {
        if self.put(out, room)? { Ok(Step::Done) } else { self.unpack() }
    }

    /// The input has ended: steps until nothing more comes, or it turns out that more should have.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>, room: usize) -> Result<Step, Damage> {
        self.give_up();
        if self.put(out, room)? || self.put_rest(out, room) {
            return Ok(Step::Done);
        }
        match self.packing {
            Packing::None => Ok(Step::NeedsMore),
            Packing::Between { .. } if self.unused().is_empty() => Ok(Step::NeedsMore),
            _ => Err(Damage {
                offset: self.offset + self.unused().len() as u64,
                what: "it ends in the middle of what was packed",
            }),
        }
    }

    /// What was unpacked comes out, although more of it should follow, or could not be read: steps
    /// until nothing more comes.
    pub(super) fn close(&mut self, out: &mut Vec<u8>, room: usize) -> Result<Step, Damage> {
        self.give_up();
        Ok(if self.put(out, room).unwrap_or(false) { Step::Done } else { Step::NeedsMore })
    }

    /// Takes what a frame that is not whole keeps back.
    fn give_up(&mut self) {
        if let Packing::Zstd(zstd) = &mut self.packing
            && self.unpacked.is_empty()
        {
            zstd.give_up(&mut self.unpacked);
        }
    }

    /// Half a character at the end of the input, or a text so short that it could have become
    /// something else.
    fn put_rest(&mut self, out: &mut Vec<u8>, room: usize) -> bool {
        let is_packed = self.is_packed();
        let is_empty = if is_packed { self.unpacked.is_empty() } else { self.unused().is_empty() };
        match &mut self.characters {
            _ if is_empty => false,
            Characters::Utf16(_, text) => {
                text.extend_from_slice("\u{fffd}".as_bytes());
                self.unpacked.clear();
                if !is_packed {
                    self.take(self.unused().len());
                }
                true
            }
            characters => {
                *characters = Characters::Utf8;
                move_text(&mut self.unpacked, out, room)
            }
        }
    }

    /// Whether text came.
    fn put(&mut self, out: &mut Vec<u8>, room: usize) -> Result<bool, Damage> {
        if matches!(self.characters, Characters::Unknown) {
            match Form::of(&self.unpacked) {
                None => return Ok(false),
                Some(form) if form.is_compressed() => {
                    return Err(self.damage("what was packed is packed once more: unpack it once"));
                }
                Some(form) => self.characters = Characters::of(form),
            }
        }
        let is_packed = self.is_packed();
        let Characters::Utf16(utf16, text) = &mut self.characters else {
            return Ok(move_text(&mut self.unpacked, out, room));
        };
        if text.is_empty() {
            let from = if is_packed { &self.unpacked[..] } else { &self.raw[self.used..] };
            let taken = utf16.decode(&from[..from.len().min(UNPACKED_BYTES)], text);
            if is_packed {
                self.unpacked.drain(..taken);
            } else {
                self.used += taken;
                self.offset += taken as u64;
            }
        }
        Ok(move_text(text, out, room))
    }

    fn unpack(&mut self) -> Result<Step, Damage> {
        if let Packing::Between { is_start } = self.packing {
            return self.begin_next(is_start);
        }
        let (raw, out) = (&self.raw[self.used..], &mut self.unpacked);
        let unpacked = match &mut self.packing {
            Packing::Gzip(gzip) => gzip.unpack(raw, out, UNPACKED_BYTES),
            Packing::Zstd(zstd) => zstd.unpack(raw, out, UNPACKED_BYTES),
            Packing::None | Packing::Between { .. } => return Ok(Step::NeedsMore),
        };
        let Unpacked { taken, step, is_end } = unpacked.map_err(|what| self.damage(what))?;
        self.take(taken);
        if is_end {
            self.packing = Packing::Between { is_start: false };
        }
        Ok(step)
    }

    /// A member or frame begins. Tapes and archives put zeros behind the last one.
    fn begin_next(&mut self, is_start: bool) -> Result<Step, Damage> {
        if !is_start {
            let zeros = self.unused().iter().take_while(|byte| **byte == 0).count();
            self.take(zeros);
        }
        if self.unused().is_empty() {
            return Ok(Step::NeedsMore);
        }
        let Some(form) = Form::of(self.unused()) else { return Ok(Step::NeedsMore) };
        self.packing = match form {
            Form::Gzip => Packing::Gzip(Box::default()),
            Form::Zstd => Packing::Zstd(Box::default()),
            Form::Utf8 | Form::Utf16Le | Form::Utf16Be => {
                return Err(self.damage("what follows the packed text is neither gzip nor zstd"));
            }
        };
        self.form = form;
        Ok(Step::Done)
    }

    fn is_packed(&self) -> bool {
        !matches!(self.packing, Packing::None)
    }

    fn unused(&self) -> &[u8] {
        &self.raw[self.used..]
    }

    fn take(&mut self, count: usize) {
        self.used += count;
        self.offset += count as u64;
    }

    fn damage(&self, what: &'static str) -> Damage {
        Damage { offset: self.offset, what }
    }
}

impl Characters {
    /// Of text that is not packed.
    fn of(form: Form) -> Characters {
        match form {
            Form::Utf16Le => Characters::Utf16(Utf16::new(false), Vec::new()),
            Form::Utf16Be => Characters::Utf16(Utf16::new(true), Vec::new()),
            Form::Utf8 | Form::Gzip | Form::Zstd => Characters::Utf8,
        }
    }
}

/// Moves the first bytes of `from`, at most `room` of them. Whether there were any.
fn move_text(from: &mut Vec<u8>, out: &mut Vec<u8>, room: usize) -> bool {
    let count = from.len().min(room);
    out.extend_from_slice(&from[..count]);
    from.drain(..count);
    count > 0
}

#[cfg(test)]
mod tests;
