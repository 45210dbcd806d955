//! `weir dead-letter list`: one line for each letter.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufWriter, IsTerminal, Write};

use clap::Args;
use serde::Serialize;

use super::shown::{self, Object, Summary};
use super::{FilterArguments, LettersError, StoreArguments};
use crate::cli::CommandError;
use crate::dead_letter::{Filter, LetterId, Record};
use crate::text::{self, LINE_BYTES_MAX};

/// Kinds of letters that are counted apart: far more than weir itself has reasons.
const COUNTS_MAX: usize = 100;

/// List dead letters, one a line
///
/// A line has the letter's id, when it was written, where the event was refused (source, stage:NAME
/// or sink), the reason, which event it is (or how many bytes, where that cannot be read), and the
/// reason in words. A last line on stderr counts them. Needs no lock: weir may be running.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListCommand {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    filter: FilterArguments,
    /// Print one JSON object a letter
    #[arg(long)]
    json: bool,
}

impl ListCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let looked = self.store.look()?;
        let mut list = List {
            filter: self.filter.filter(),
            is_json: self.json,
            columns: columns(),
            read: 0,
            counts: BTreeMap::new(),
            others: 0,
            out: BufWriter::new(io::stdout().lock()),
        };
        let mut printed = Ok(());
        for line in looked.contents.letters(None) {
            let line = line.map_err(LettersError::from)?;
            match line.record() {
                Ok(record) => printed = list.letter(line.id, &record),
                // Without a stderr there is nobody to tell.
                Err(error) => {
                    let error = shown::line(error);
                    let _ = writeln!(io::stderr(), "skipping {}: {error}", line.id);
                }
            }
            if printed.is_err() {
                break;
            }
        }
        printed = printed.and_then(|()| list.out.flush());
        match printed {
            Ok(()) => {}
            // A reader that has enough (`… | head`) is no failure, and what was counted by then is
            // no sum.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(CommandError::Output(error)),
        }
        if let Some(note) = looked.contents.strangers() {
            let _ = writeln!(io::stderr(), "{note}");
        }
        let _ = writeln!(io::stderr(), "{}", list.summary());
        Ok(())
    }
}

struct List<W: Write> {
    filter: Filter,
    is_json: bool,
    /// Of the terminal, where stdout is one.
    columns: Option<usize>,
    /// Letters, whether they match or not.
    read: u64,
    /// Those that match, by where and why.
    counts: BTreeMap<(String, String), u64>,
    /// Those that match, of reasons beyond [`COUNTS_MAX`].
    others: u64,
    out: W,
}

impl<W: Write> List<W> {
    fn letter(&mut self, id: LetterId, record: &Record) -> io::Result<()> {
        self.read += 1;
        if !self.filter.matches(record) {
            return Ok(());
        }
        self.count((shown::part(record), shown::line(&record.reason)));
        if self.is_json {
            let row = serde_json::to_string(&Row::of(id, record))?;
            return writeln!(self.out, "{}", text::json(&row));
        }
        let line = plain(id, record);
        match self.columns {
            Some(columns) => writeln!(self.out, "{}", shown::cut(&line, columns)),
            None => writeln!(self.out, "{line}"),
        }
    }

    /// Reasons are a closed set; a file that weir has not written may have any.
    fn count(&mut self, key: (String, String)) {
        let has_room = self.counts.len() < COUNTS_MAX;
        match self.counts.entry(key) {
            Entry::Occupied(mut count) => *count.get_mut() += 1,
            Entry::Vacant(entry) if has_room => {
                entry.insert(1);
            }
            Entry::Vacant(_) => self.others += 1,
        }
    }

    fn summary(&self) -> String {
        let total = self.counts.values().sum::<u64>() + self.others;
        let of =
            self.counts.iter().map(|((part, reason), count)| format!("{count} {part} {reason}"));
        let others = (self.others > 0).then(|| format!("{} of other reasons", self.others));
        let of: Vec<String> = of.chain(others).collect();
        match (self.read, of.as_slice()) {
            (0, _) => "no letters".to_owned(),
            (1, []) => "the only letter does not match".to_owned(),
            (read, []) => format!("none of the {read} letters match"),
            (_, of) => {
                format!("{total} letter{}: {}", if total == 1 { "" } else { "s" }, of.join(", "))
            }
        }
    }
}

fn plain(id: LetterId, record: &Record) -> String {
    format!(
        "{id}  {}  {:<8}  {:<12}  {}  {}",
        shown::line(&record.time),
        shown::part(record),
        shown::line(&record.reason),
        shown::event(&record.source),
        shown::line(&record.detail)
    )
}

/// A letter without what may be large.
#[derive(Serialize)]
struct Row<'a> {
    id: String,
    time: &'a str,
    #[serde(rename = "where")]
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    reason: &'a str,
    detail: &'a str,
    #[serde(rename = "involvedObject", skip_serializing_if = "Option::is_none")]
    object: Option<Object>,
    #[serde(rename = "eventReason", skip_serializing_if = "Option::is_none")]
    event_reason: Option<String>,
    source_bytes: usize,
    has_document: bool,
}

impl<'a> Row<'a> {
    fn of(id: LetterId, record: &'a Record) -> Row<'a> {
        let Summary { object, reason } = shown::summary(&record.source).unwrap_or_default();
        let object = object.map(|Object { kind, namespace, name }| Object {
            kind: bounded(&kind).to_owned(),
            namespace: bounded(&namespace).to_owned(),
            name: bounded(&name).to_owned(),
        });
        Row {
            id: id.to_string(),
            time: bounded(&record.time),
            part: record.part.label(),
            stage: record.stage.as_deref().map(bounded),
            reason: bounded(&record.reason),
            detail: bounded(&record.detail),
            object,
            event_reason: reason.map(|reason| text::cut(reason, LINE_BYTES_MAX)),
            source_bytes: record.source.len(),
            has_document: record.document.is_some(),
        }
    }
}

/// As much of a text as a line for people has of it.
fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(LINE_BYTES_MAX)]
}

/// How wide the terminal is that stdout is.
fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
