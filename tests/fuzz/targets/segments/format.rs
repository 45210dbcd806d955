//! The files of the log, by their format alone: as `src/buffer/log/mod.rs` draws them, with
//! checksums that are right.

use crate::bytes::Bytes;

/// A name and what is in it: a header and frames, each as it should be but for what the program
/// says.
pub(super) fn segment(program: &mut Bytes<'_>) -> (String, Vec<u8>) {
    let (number, mut seq, mut documents) = (program.number(), program.number(), program.number());
    let name = format!("{number:08}.{seq}.{documents}.segment");
    let version = [2, 2, 2, 2, 1, 1, 3, 0][usize::from(program.byte() % 8)];
    let mut bytes = format(b"weirlog\n", version);
    bytes.extend(summed([seq.to_le_bytes(), documents.to_le_bytes()].concat()));
    for _ in 0..program.byte() % 16 {
        let mut frame = Frame { seq, documents, ..Frame::default() };
        let kind = program.byte();
        let texts: Vec<&[u8]> = (0..kind % 4).map(|_| program.text()).collect();
        let mut payload = payload(&texts);
        frame.holds = texts.len() as u32;
        match kind >> 4 {
            0 => frame.seq = program.number(),
            1 => frame.documents = program.number(),
            2 => frame.durable = program.number(),
            3 => frame.holds = program.number() as u32,
            4 => frame.payload_bytes = Some(program.number() as u32),
            5 => payload = program.text().to_vec(),
            6 => flip(&mut payload, program),
            7 => bytes.extend_from_slice(program.text()),
            _ => frame.durable = seq,
        }
        (seq, documents) =
            (frame.seq.wrapping_add(1), frame.documents.wrapping_add(frame.holds.into()));
        bytes.extend(frame.encode(&payload));
    }
    match program.byte() {
        0 => flip(&mut bytes, program),
        1 => bytes.truncate(usize::from(program.short())),
        2 => bytes.extend_from_slice(program.text()),
        _ => {}
    }
    (name, bytes)
}

fn flip(bytes: &mut [u8], program: &mut Bytes<'_>) {
    let at = usize::from(program.short());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= program.byte();
    }
}

#[derive(Default)]
struct Frame {
    seq: u64,
    documents: u64,
    durable: u64,
    holds: u32,
    /// What it says; else as many as there are.
    payload_bytes: Option<u32>,
}

impl Frame {
    fn encode(&self, payload: &[u8]) -> Vec<u8> {
        let mut head = b"w\xffr\xfe\0\0\0\0".to_vec();
        head.extend(
            [self.seq, self.documents, self.durable].iter().flat_map(|it| it.to_le_bytes()),
        );
        head.extend(self.holds.to_le_bytes());
        head.extend(self.payload_bytes.unwrap_or(payload.len() as u32).to_le_bytes());
        head.extend(crc32fast::hash(payload).to_le_bytes());
        [summed(head), payload.to_vec()].concat()
    }
}

/// The payload of a record with these documents and no marks, as `src/buffer/record/mod.rs` draws
/// it.
pub(super) fn payload(texts: &[&[u8]]) -> Vec<u8> {
    let mut table = vec![0, texts.len() as u8];
    for text in texts {
        let length = text.len() as u16;
        // No identity; the body where the last one ended; nothing kept of the source; the epoch.
        table.extend([0, 0, (length & 0x7f) as u8 | 0x80, (length >> 7 & 0x7f) as u8 | 0x80]);
        table.extend([(length >> 14) as u8, 0, 0, 0]);
    }
    let plain = texts.concat();
    let mut payload = (table.len() as u32).to_le_bytes().to_vec();
    payload.extend((plain.len() as u32).to_le_bytes());
    payload.extend(table);
    payload.extend(lz4_flex::block::compress(&plain));
    payload
}

pub(super) fn progress(program: &mut Bytes<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 8192];
    for slot in bytes.chunks_exact_mut(4096) {
        let numbers: [u64; 5] = std::array::from_fn(|_| program.number());
        let version = if program.byte() == 0xff { 2 } else { 1 };
        let mut used = format(b"weirprog", version);
        used.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let used = summed(used);
        slot[..used.len()].copy_from_slice(&used);
    }
    if program.byte() == 0 {
        flip(&mut bytes, program);
    }
    bytes
}

fn format(magic: &[u8; 8], version: u32) -> Vec<u8> {
    summed([&magic[..], &version.to_le_bytes()].concat())
}

/// With its checksum behind it.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}
