//! `weir dead-letter show`: everything about some letters.

use std::fmt::Write;

use clap::Args;

use super::{LettersError, StoreArguments, shown};
use crate::cli::{CommandError, write_out};
use crate::dead_letter::{LetterId, LetterLine, Record, Selection};

/// Show everything about some dead letters
///
/// JSON is spread over lines, with every number and the order of keys as they were. Needs no lock:
/// weir may be running.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowCommand {
    #[command(flatten)]
    store: StoreArguments,
    /// Print the records as they are in their files (or would be, from an index), one a line, with
    /// control characters as JSON's escapes
    #[arg(long)]
    json: bool,
    /// Which letters, as `weir dead-letter list` names them: 00000001:17
    #[arg(value_name = "ID", required = true)]
    ids: Vec<LetterId>,
}

impl ShowCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let looked = self.store.look()?;
        let Selection::Ids(ids) = looked.select(self.ids)? else { return Ok(()) };
        let mut is_first = true;
        for line in looked.contents.letters(Some(&ids)) {
            let line = line.map_err(LettersError::from)?;
            if self.json {
                write_out(format!("{}\n", shown::raw(&line.text)).as_bytes())?;
            } else {
                let break_before = if is_first { "" } else { "\n" };
                write_out(format!("{break_before}{}", readable(&line)).as_bytes())?;
            }
            is_first = false;
        }
        Ok(())
    }
}

fn readable(line: &LetterLine) -> String {
    let mut out = format!("letter    {}\n", line.id);
    match line.record() {
        Ok(record) => write_record(&record, &mut out),
        Err(error) => {
            write_value("problem", &error.to_string(), &mut out);
            write_block("line", &line.text, &mut out);
        }
    }
    out
}

fn write_record(record: &Record, out: &mut String) {
    write_value("time", &record.time, out);
    write_value("where", &shown::part(record), out);
    write_value("reason", &record.reason, out);
    write_value("event", &shown::event(&record.source), out);
    write_value("detail", &record.detail, out);
    if record.is_cut() {
        write_value("source", "only its first 64 KiB were kept, so it cannot be replayed", out);
    }
    write_block("source", &record.source, out);
    if let Some(document) = &record.document {
        write_block("document", document, out);
    }
}

fn write_value(name: &str, value: &str, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{name:<8}  {}", shown::line(value));
}

fn write_block(name: &str, bytes: &[u8], out: &mut String) {
    let _ = writeln!(out, "{name:<8}  {} bytes", bytes.len());
    for line in shown::pretty(bytes).lines() {
        let _ = writeln!(out, "  {line}");
    }
}
