//! weir in memory, for unit tests: one [`Host`] a thread, which every function here asks.

use std::cell::RefCell;

use super::{
    clock,
    document::{self, Edit},
};
use crate::{
    EventType,
    testing::{Controller, Object},
};

const REASONS_MAX: usize = 32;
const COUNTERS_MAX: usize = 64;
const WORD_SETS_MAX: usize = 16;
const INTEREST_SETS_MAX: usize = 4;
const WORDS_MAX: usize = 64;
const WORD_BYTES_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 64;
/// Of one call, as are all that follow.
const EDITS_MAX: usize = 256;
const EDIT_BYTES_MAX: usize = 256 * 1024;
/// Times the event's size.
const SCAN_FACTOR: usize = 64;
const LOG_LINES_MAX: usize = 16;
const LOG_LINE_BYTES_MAX: usize = 1024;

const NO_EVENT: &str = "{}";

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Phase {
    #[default]
    Idle,
    Configure,
    Process,
}

/// What weir knows about one module and its current call.
#[derive(Default)]
pub(crate) struct Host {
    phase: Phase,
    document: String,
    /// What was looked up, as [`crate::testing::Object`] has it.
    pub(crate) object: Option<Object>,
    edits: usize,
    edit_bytes: usize,
    /// How much `get` may scan yet.
    scan_bytes: usize,
    reasons: Vec<String>,
    words: Vec<Vec<String>>,
    /// What the stage is called for.
    event_type: Option<EventType>,
    interesting: Vec<u32>,
    pub(crate) counters: Vec<(String, u64)>,
    pub(crate) discarded: Option<u32>,
    pub(crate) misuse: Vec<String>,
    pub(crate) refused: Vec<String>,
    pub(crate) log: Vec<String>,
    pub(crate) calls: Vec<&'static str>,
}

impl Host {
    /// Makes this host the one that the thread's calls go to while `guest` runs.
    pub(crate) fn run<T>(&mut self, phase: Phase, document: &str, guest: impl FnOnce() -> T) -> T {
        self.begin(phase, document);
        HOST.with_borrow_mut(|current| std::mem::swap(current, self));
        let answer = guest();
        HOST.with_borrow_mut(|current| std::mem::swap(current, self));
        self.phase = Phase::Idle;
        answer
    }

    fn begin(&mut self, phase: Phase, document: &str) {
        self.phase = phase;
        document.clone_into(&mut self.document);
        (self.edits, self.edit_bytes) = (0, 0);
        self.scan_bytes = document.len().saturating_mul(SCAN_FACTOR);
        self.discarded = None;
        self.misuse.clear();
        self.refused.clear();
        self.log.clear();
        self.calls.clear();
    }

    /// The document with this call's edits.
    pub(crate) fn document(&self) -> &str {
        &self.document
    }

    pub(crate) fn reason(&self, number: u32) -> Option<&str> {
        self.reasons.get(number as usize).map(String::as_str)
    }

    /// What was looked up of the current event; outside of `process`, nothing.
    fn object(&self) -> Option<&Object> {
        self.object.as_ref().filter(|_| self.phase == Phase::Process)
    }

    /// The event of the current call; outside of `process`, one without members.
    fn event(&self) -> &str {
        if self.phase == Phase::Process { &self.document } else { NO_EVENT }
    }

    /// Makes one edit whose value counts for so many bytes.
    fn edit(
        &mut self,
        pointer: &str,
        bytes: usize,
        edit: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        let edited = self.within_limits(pointer.len() + bytes).and_then(|()| edit(&self.document));
        match edited {
            Ok(document) => self.document = document,
            Err(why) => {
                self.refused.push(why.clone());
                return Err(why);
            }
        }
        Ok(())
    }

    /// A refused edit counts as one, but one that is refused for its bytes uses none of them up.
    fn within_limits(&mut self, bytes: usize) -> Result<(), String> {
        if self.phase != Phase::Process {
            return Err("there is no event to edit outside of `process`".into());
        }
        if self.edits == EDITS_MAX {
            return Err(format!("more than {EDITS_MAX} edits in one call"));
        }
        self.edits += 1;
        if self.edit_bytes + bytes > EDIT_BYTES_MAX {
            return Err(format!("more than {EDIT_BYTES_MAX} bytes of edits in one call"));
        }
        self.edit_bytes += bytes;
        Ok(())
    }

    fn get(&mut self, pointer: &str) -> Option<String> {
        if self.phase != Phase::Process || pointer.len() >= self.scan_bytes {
            return None;
        }
        let (found, scanned) = document::get_counted(&self.document, pointer);
        let found = found.map(str::to_owned);
        self.scan_bytes = self.scan_bytes.saturating_sub(scanned);
        found
    }

    fn misused(&mut self, function: &str, number: u32) {
        let why = match self.phase {
            Phase::Process => "that number was not declared in `configure`",
            Phase::Idle | Phase::Configure => "it may be called in `process` only",
        };
        self.misuse.push(format!("`{function}({number})` has no effect: {why}"));
    }

    /// Whether the event mentions one of the words that have this number.
    fn mentions(&mut self, number: u32) -> bool {
        let words = self.words.get(number as usize).filter(|_| self.phase == Phase::Process);
        let Some(words) = words else {
            self.misused("mentioned", number);
            return false;
        };
        mentions(&self.document, words)
    }

    /// Whether the stage is called for an event.
    pub(crate) fn is_interested_in(&self, event: &str) -> bool {
        let mut sets = self.interesting.iter().filter_map(|set| self.words.get(*set as usize));
        self.event_type.is_none_or(|of| type_of(event) == of)
            && sets.all(|words| mentions(event, words))
    }

    fn declared_words(&mut self, words: &[&str]) -> Result<u32, String> {
        if self.phase != Phase::Configure {
            return Err("words are declared outside of `configure`".into());
        }
        if words.is_empty() || words.len() > WORDS_MAX {
            return Err(format!("{} words are not 1 to {WORDS_MAX}", words.len()));
        }
        let is_word = |word: &&str| (1..=WORD_BYTES_MAX).contains(&word.len());
        if let Some(other) = words.iter().find(|word| !is_word(word)) {
            return Err(format!("`{other}` is no word: 1 to {WORD_BYTES_MAX} bytes"));
        }
        if let Some(known) = self.words.iter().position(|known| known == words) {
            return Ok(known as u32);
        }
        if self.words.len() == WORD_SETS_MAX {
            return Err(format!("these would be more than {WORD_SETS_MAX} sets of words"));
        }
        self.words.push(words.iter().map(|word| (*word).to_owned()).collect());
        Ok(self.words.len() as u32 - 1)
    }

    fn declared(&self, name: &str) -> Result<(), String> {
        if self.phase != Phase::Configure {
            return Err(format!("`{name}` is declared outside of `configure`"));
        }
        let named = (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !named {
            return Err(format!("`{name}` is not a name: 1 to {NAME_BYTES_MAX} of a to z and _"));
        }
        Ok(())
    }
}

/// One call to weir, by the name that the contract has for it.
fn call<T>(name: &'static str, answer: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(|host| {
        host.calls.push(name);
        answer(host)
    })
}

fn text(event: &str, pointer: &str) -> String {
    document::get(event, pointer)
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

fn mentions(event: &str, words: &[String]) -> bool {
    let mut words = words.iter().map(|word| word.to_ascii_lowercase());
    let texts = ["/reason", "/message"].map(|pointer| text(event, pointer).to_ascii_lowercase());
    words.any(|word| texts.iter().any(|text| text.contains(&word)))
}

fn time(event: &str, pointers: &[&str]) -> Option<i64> {
    // As weir does: no event is older than Kubernetes, and a time before 2014 stands for none.
    const FIRST_EVENT: i64 = 1_388_534_400_000_000;
    let mut times = pointers.iter().filter_map(|pointer| clock::micros(&text(event, pointer)));
    times.find(|time| *time >= FIRST_EVENT)
}

macro_rules! string_getters {
    ($($function:ident = $name:literal, $pointer:literal;)*) => { $(
        pub(crate) fn $function() -> String {
            call($name, |host| text(host.event(), $pointer))
        }
    )* };
}

string_getters! {
    type_text = "type-text", "/type";
    reason = "reason", "/reason";
    message = "message", "/message";
    action = "action", "/action";
    namespace = "namespace", "/metadata/namespace";
    name = "name", "/metadata/name";
    uid = "uid", "/metadata/uid";
    host = "host", "/source/host";
    regarding_kind = "regarding-kind", "/involvedObject/kind";
    regarding_namespace = "regarding-namespace", "/involvedObject/namespace";
    regarding_name = "regarding-name", "/involvedObject/name";
    regarding_uid = "regarding-uid", "/involvedObject/uid";
    regarding_api_version = "regarding-api-version", "/involvedObject/apiVersion";
    regarding_field_path = "regarding-field-path", "/involvedObject/fieldPath";
}

pub(crate) fn found() -> bool {
    call("found", |host| host.object().is_some())
}

pub(crate) fn label(key: &str) -> Option<String> {
    call("label", |host| host.object()?.labels.get(key).cloned())
}

pub(crate) fn labels() -> String {
    call("labels", |host| {
        let labels = host.object().map(|object| serde_json::json!(object.labels));
        labels.map_or_else(|| "{}".to_owned(), |labels| labels.to_string())
    })
}

pub(crate) fn annotation(key: &str) -> Option<String> {
    call("annotation", |host| host.object()?.annotations.get(key).cloned())
}

pub(crate) fn controllers() -> u32 {
    call("controllers", |host| host.object().map_or(0, |object| object.controllers.len() as u32))
}

macro_rules! controller_getters {
    ($($function:ident = $name:literal, $member:ident;)*) => { $(
        pub(crate) fn $function(level: u32) -> String {
            let member = |controller: &Controller| controller.$member.clone();
            call($name, |host| {
                let controllers = host.object().map(|object| &object.controllers);
                controllers
                    .and_then(|controllers| controllers.get(level as usize))
                    .map_or_else(String::new, member)
            })
        }
    )* };
}

controller_getters! {
    controller_kind = "controller-kind", kind;
    controller_name = "controller-name", name;
    controller_api_version = "controller-api-version", api_version;
    controller_uid = "controller-uid", uid;
}

pub(crate) fn event_type() -> EventType {
    call("type", |host| type_of(host.event()))
}

fn type_of(event: &str) -> EventType {
    match text(event, "/type").as_str() {
        "Normal" => EventType::Normal,
        "Warning" => EventType::Warning,
        _ => EventType::Other,
    }
}

pub(crate) fn count() -> u32 {
    let number = |event: &str, pointer| document::get(event, pointer)?.parse().ok();
    call("count", |host| {
        number(host.event(), "/series/count")
            .or_else(|| number(host.event(), "/count"))
            .unwrap_or(1)
    })
}

pub(crate) fn component() -> String {
    call("component", |host| {
        let component = text(host.event(), "/source/component");
        if component.is_empty() { text(host.event(), "/reportingComponent") } else { component }
    })
}

pub(crate) fn first_seen() -> Option<i64> {
    call("first-seen", |host| {
        time(host.event(), &["/firstTimestamp", "/eventTime", "/metadata/creationTimestamp"])
    })
}

pub(crate) fn last_seen() -> Option<i64> {
    const POINTERS: &[&str] = &[
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/firstTimestamp",
        "/metadata/creationTimestamp",
    ];
    call("last-seen", |host| time(host.event(), POINTERS))
}

pub(crate) fn get(pointer: &str) -> Option<String> {
    call("get", |host| host.get(pointer))
}

/// Sets a member to valid JSON text, which counts for `bytes`: what weir is given, not what it
/// becomes.
fn set(name: &'static str, pointer: &str, json: &str, bytes: usize) -> Result<(), String> {
    call(name, |host| {
        host.edit(pointer, bytes, |document| document::edited(document, pointer, Edit::Set(json)))
    })
}

pub(crate) fn set_string(pointer: &str, value: &str) -> Result<(), String> {
    set("set-string", pointer, &document::quoted(value), value.len())
}

pub(crate) fn set_bool(pointer: &str, value: bool) -> Result<(), String> {
    set("set-bool", pointer, if value { "true" } else { "false" }, 1)
}

pub(crate) fn set_integer(pointer: &str, value: i64) -> Result<(), String> {
    set("set-integer", pointer, &value.to_string(), size_of_val(&value))
}

pub(crate) fn set_float(pointer: &str, value: f64) -> Result<(), String> {
    call("set-float", |host| {
        host.edit(pointer, size_of_val(&value), |document| {
            match serde_json::Number::from_f64(value) {
                Some(number) => document::edited(document, pointer, Edit::Set(&number.to_string())),
                None => Err(format!("`{pointer}`: JSON has no {value}")),
            }
        })
    })
}

pub(crate) fn set_json(pointer: &str, json: &str) -> Result<(), String> {
    call("set-json", |host| {
        host.edit(pointer, json.len(), |document| {
            document::edited(document, pointer, Edit::Set(&document::compact(json)?))
        })
    })
}

pub(crate) fn append_string(pointer: &str, value: &str) -> Result<(), String> {
    let json = document::quoted(value);
    call("append-string", |host| {
        host.edit(pointer, value.len(), |document| {
            document::edited(document, pointer, Edit::Append(&json))
        })
    })
}

pub(crate) fn add_string(pointer: &str, value: &str) -> Result<(), String> {
    let json = document::quoted(value);
    call("add-string", |host| {
        host.edit(pointer, value.len(), |document| {
            document::edited(document, pointer, Edit::Add(&json))
        })
    })
}

pub(crate) fn append_json(pointer: &str, json: &str) -> Result<(), String> {
    call("append-json", |host| {
        host.edit(pointer, json.len(), |document| {
            document::edited(document, pointer, Edit::Append(&document::compact(json)?))
        })
    })
}

pub(crate) fn remove(pointer: &str) -> Result<(), String> {
    call("remove", |host| {
        host.edit(pointer, 0, |document| document::edited(document, pointer, Edit::Remove))
    })
}

pub(crate) fn declare_reason(name: &str) -> Result<u32, String> {
    call("declare-reason", |host| {
        host.declared(name)?;
        if let Some(known) = host.reasons.iter().position(|reason| reason == name) {
            return Ok(known as u32);
        }
        if host.reasons.len() == REASONS_MAX {
            return Err(format!("`{name}` would be more than {REASONS_MAX} reasons"));
        }
        host.reasons.push(name.to_owned());
        Ok(host.reasons.len() as u32 - 1)
    })
}

pub(crate) fn discard(reason: u32) {
    call("discard", |host| match host.phase == Phase::Process && host.reason(reason).is_some() {
        true => host.discarded = Some(reason),
        false => host.misused("discard", reason),
    });
}

pub(crate) fn declare_words(words: &[&str]) -> Result<u32, String> {
    call("declare-words", |host| host.declared_words(words))
}

pub(crate) fn interest_in_words(words: &[&str]) -> Result<(), String> {
    call("in-words", |host| {
        let set = host.declared_words(words)?;
        if host.interesting.contains(&set) {
            return Ok(());
        }
        if host.interesting.len() == INTEREST_SETS_MAX {
            return Err(format!("this would be interest in more than {INTEREST_SETS_MAX} sets"));
        }
        host.interesting.push(set);
        Ok(())
    })
}

pub(crate) fn interest_in_type(event_type: EventType) -> Result<(), String> {
    call("in-type", |host| {
        if host.phase != Phase::Configure {
            return Err("interest is declared outside of `configure`".into());
        }
        match host.event_type {
            Some(before) if before != event_type => Err("no event is of two types".into()),
            _ => {
                host.event_type = Some(event_type);
                Ok(())
            }
        }
    })
}

pub(crate) fn mentioned(words: u32) -> bool {
    call("mentioned", |host| host.mentions(words))
}

pub(crate) fn declare_counter(name: &str, _help: &str) -> Result<u32, String> {
    call("declare-counter", |host| {
        host.declared(name)?;
        if let Some(known) = host.counters.iter().position(|(counter, _)| counter == name) {
            return Ok(known as u32);
        }
        if host.counters.len() == COUNTERS_MAX {
            return Err(format!("`{name}` would be more than {COUNTERS_MAX} counters"));
        }
        host.counters.push((name.to_owned(), 0));
        Ok(host.counters.len() as u32 - 1)
    })
}

pub(crate) fn add(counter: u32, by: u64) {
    call("add", |host| match (host.phase, host.counters.get_mut(counter as usize)) {
        (Phase::Process, Some((_, value))) => *value = value.saturating_add(by),
        _ => host.misused("add", counter),
    });
}

fn log(level: &'static str, line: &str) {
    call("log", |host| {
        if host.log.len() < LOG_LINES_MAX {
            let cut = line.floor_char_boundary(LOG_LINE_BYTES_MAX);
            host.log.push(format!("{level}: {}", &line[..cut]));
        }
    });
}

pub(crate) fn log_debug(line: &str) {
    log("debug", line);
}

pub(crate) fn log_info(line: &str) {
    log("info", line);
}

pub(crate) fn log_warn(line: &str) {
    log("warn", line);
}

pub(crate) fn log_error(line: &str) {
    log("error", line);
}
