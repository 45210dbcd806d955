//! The interfaces that modules may import: `wit/` as host functions.
//!
//! They are linked by hand and not generated, for one reason: generated ones take every string as a
//! `String`, copied from the guest before the host sees it, so a guest could make the host copy
//! megabytes. A [`WasmStr`] is looked at in place (a UTF-16 guest's is decoded, to at most half as
//! much again as its memory holds). That this file and `wit/` agree is tested with a module that
//! imports everything.
//!
//! No host function traps: what a guest does wrong is answered, or counted and logged.

use std::collections::BTreeMap;

use tracing::Level;
use wasmtime::component::{ComponentNamedList, Lift, Linker, Lower, WasmList, WasmStr};
use wasmtime::{AsContextMut, Engine, StoreContextMut};

use self::bindings::EventType;
use super::crossing::Crosses;
use super::current::Current;
use super::limits::{LOG_LINE_BYTES_MAX, WORDS_MAX};
use super::stage::check_word;
use crate::event::{EditError, Edits, Field, Original};
use crate::lookup::{Found, Owner};

/// The version of the package `weir:pipeline` that is offered.
pub(super) const VERSION: &str = "0.1.0";

/// The one type of the contract that is not of the component model itself.
#[allow(unsafe_code)] // In what the derives generate.
mod bindings {
    use wasmtime::component::{ComponentType, Lift, Lower};

    #[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
    #[component(enum)]
    #[repr(u8)]
    pub(super) enum EventType {
        #[component(name = "normal")]
        Normal,
        #[component(name = "warning")]
        Warning,
        #[component(name = "other")]
        Other,
    }
}

impl Crosses for EventType {
    fn text_bytes(&self, _: &mut Store<'_>) -> u64 {
        0
    }
}

impl From<crate::event::EventType> for EventType {
    fn from(event_type: crate::event::EventType) -> EventType {
        match event_type {
            crate::event::EventType::Normal => EventType::Normal,
            crate::event::EventType::Warning => EventType::Warning,
            crate::event::EventType::Other => EventType::Other,
        }
    }
}

impl From<EventType> for crate::event::EventType {
    fn from(event_type: EventType) -> crate::event::EventType {
        match event_type {
            EventType::Normal => crate::event::EventType::Normal,
            EventType::Warning => crate::event::EventType::Warning,
            EventType::Other => crate::event::EventType::Other,
        }
    }
}

/// All that is offered, linked and by name.
pub(super) struct Offer {
    pub(super) linker: Linker<Current>,
    /// Interface of `weir:pipeline` -> its functions.
    functions: BTreeMap<&'static str, Vec<&'static str>>,
    /// In an engine that counts: fuel for one call, and what crosses is counted.
    pub(super) call_fuel: Option<u64>,
}

pub(super) type Store<'a> = StoreContextMut<'a, Current>;
type Edited = (Result<(), String>,);

impl Offer {
    pub(super) fn new(engine: &Engine, call_fuel: Option<u64>) -> wasmtime::Result<Offer> {
        let (linker, functions) = (Linker::new(engine), BTreeMap::new());
        let mut offer = Offer { linker, functions, call_fuel };
        offer.event()?;
        offer.interest()?;
        offer.words()?;
        offer.discard()?;
        offer.edit()?;
        offer.log()?;
        offer.metrics()?;
        offer.panic()?;
        offer.lookup()?;
        Ok(offer)
    }

    /// Whether the interface of `weir:pipeline` (`event`) has the function.
    pub(super) fn has(&self, interface: &str, function: &str) -> bool {
        self.functions.get(interface).is_some_and(|functions| functions.contains(&function))
    }

    fn func<Params, Return>(
        &mut self,
        interface: &'static str,
        name: &'static str,
        func: impl Fn(Store<'_>, Params) -> Return + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        Params: ComponentNamedList + Lift + Crosses + 'static,
        Return: ComponentNamedList + Lower + Crosses + 'static,
    {
        self.functions.entry(interface).or_default().push(name);
        let mut instance = self.linker.instance(&format!("weir:pipeline/{interface}@{VERSION}"))?;
        if self.call_fuel.is_none() {
            return instance
                .func_wrap(name, move |store: Store<'_>, params: Params| Ok(func(store, params)));
        }
        instance.func_wrap(name, move |mut store: Store<'_>, params: Params| {
            let given = params.text_bytes(&mut store);
            let answer = func(store.as_context_mut(), params);
            let bytes = given + answer.text_bytes(&mut store);
            store.data_mut().crossed.count(bytes);
            Ok(answer)
        })
    }

    fn event(&mut self) -> wasmtime::Result<()> {
        const TEXTS: [(&str, Field); 15] = [
            ("type-text", Field::Type),
            ("reason", Field::Reason),
            ("message", Field::Message),
            ("action", Field::Action),
            ("namespace", Field::Namespace),
            ("name", Field::Name),
            ("uid", Field::Uid),
            ("component", Field::Component),
            ("host", Field::Host),
            ("regarding-kind", Field::RegardingKind),
            ("regarding-namespace", Field::RegardingNamespace),
            ("regarding-name", Field::RegardingName),
            ("regarding-uid", Field::RegardingUid),
            ("regarding-api-version", Field::RegardingApiVersion),
            ("regarding-field-path", Field::RegardingFieldPath),
        ];
        for (name, field) in TEXTS {
            self.func("event", name, move |store, ()| (store.data().text(field),))?;
        }
        self.func("event", "type", |store, ()| (EventType::from(store.data().event_type()),))?;
        self.func("event", "count", |store, ()| (store.data().count(),))?;
        self.func("event", "first-seen", |store, ()| (store.data().first_seen(),))?;
        self.func("event", "last-seen", |store, ()| (store.data().last_seen(),))?;
        self.func("event", "get", |mut store, (pointer,): (WasmStr,)| {
            let Ok(text) = pointer.to_str(&store) else { return (None,) };
            let (found, scanned) = store.data().get(&text);
            drop(text);
            store.data_mut().charge_scan(scanned);
            (found,)
        })
    }

    fn interest(&mut self) -> wasmtime::Result<()> {
        self.func("interest", "in-type", |mut store, (event_type,): (EventType,)| {
            (store.data_mut().interested_in_type(event_type.into()),)
        })?;
        self.func("interest", "in-words", |mut store, (words,): (WasmList<WasmStr>,)| {
            match declared_words(&mut store, &words) {
                Ok(words) => (store.data_mut().interested_in_words(words),),
                Err(why) => (Err(why),),
            }
        })
    }

    fn words(&mut self) -> wasmtime::Result<()> {
        self.func("words", "declare", |mut store, (words,): (WasmList<WasmStr>,)| {
            match declared_words(&mut store, &words) {
                Ok(words) => (store.data_mut().declare_words(words),),
                Err(why) => (Err(why),),
            }
        })?;
        self.func("words", "mentioned", |mut store, (words,): (u32,)| {
            (store.data_mut().mentions(words),)
        })
    }

    fn discard(&mut self) -> wasmtime::Result<()> {
        self.func("discard", "declare", |mut store, (reason,): (WasmStr,)| {
            let reason = match name(&store, &reason) {
                Ok(reason) => reason,
                Err(why) => return (Err(why),),
            };
            (store.data_mut().declare_reason(&reason),)
        })?;
        self.func("discard", "discard", |mut store, (reason,): (u32,)| {
            store.data_mut().discard(reason)
        })
    }

    fn edit(&mut self) -> wasmtime::Result<()> {
        type Apply = fn(&mut Edits, Original<'_>, &str, &str) -> Result<(), EditError>;
        const TEXTS: [(&str, Apply); 5] = [
            ("set-string", |edits, of, pointer, value| edits.set_string(of, pointer, value)),
            ("set-json", |edits, of, pointer, json| edits.set_json(of, pointer, json)),
            ("append-string", |edits, of, pointer, value| edits.append_string(of, pointer, value)),
            ("add-string", |edits, of, pointer, value| edits.add_string(of, pointer, value)),
            ("append-json", |edits, of, pointer, json| edits.append_json(of, pointer, json)),
        ];
        for (name, apply) in TEXTS {
            self.func("edit", name, move |store, (pointer, value): (WasmStr, WasmStr)| {
                edit(store, &pointer, Some(&value), apply)
            })?;
        }
        self.func("edit", "set-bool", |store, (pointer, value): (WasmStr, bool)| {
            edit(store, &pointer, None, |edits, of, pointer, _| edits.set_bool(of, pointer, value))
        })?;
        self.func("edit", "set-integer", |store, (pointer, value): (WasmStr, i64)| {
            edit(store, &pointer, None, |edits, of, pointer, _| {
                edits.set_integer(of, pointer, value)
            })
        })?;
        self.func("edit", "set-float", |store, (pointer, value): (WasmStr, f64)| {
            edit(store, &pointer, None, |edits, of, pointer, _| edits.set_float(of, pointer, value))
        })?;
        self.func("edit", "remove", |store, (pointer,): (WasmStr,)| {
            edit(store, &pointer, None, |edits, of, pointer, _| edits.remove(of, pointer))
        })
    }

    fn log(&mut self) -> wasmtime::Result<()> {
        self.func("log", "debug", |store, (line,): (WasmStr,)| log(store, Level::DEBUG, &line))?;
        self.func("log", "info", |store, (line,): (WasmStr,)| log(store, Level::INFO, &line))?;
        self.func("log", "warn", |store, (line,): (WasmStr,)| log(store, Level::WARN, &line))?;
        self.func("log", "error", |store, (line,): (WasmStr,)| log(store, Level::ERROR, &line))
    }

    fn panic(&mut self) -> wasmtime::Result<()> {
        self.func("panic", "panicked", |mut store, (text,): (WasmStr,)| {
            let Ok(text) = name(&store, &text) else { return };
            store.data_mut().panicked(text);
        })
    }

    fn metrics(&mut self) -> wasmtime::Result<()> {
        self.func("metrics", "declare", |mut store, (counter, help): (WasmStr, WasmStr)| {
            match (name(&store, &counter), name(&store, &help)) {
                (Ok(counter), Ok(help)) => (store.data_mut().declare_counter(&counter, &help),),
                (Err(why), _) | (_, Err(why)) => (Err(why),),
            }
        })?;
        self.func("metrics", "add", |mut store, (counter, by): (u32, u64)| {
            store.data_mut().add(counter, by);
        })
    }
}

impl Offer {
    fn lookup(&mut self) -> wasmtime::Result<()> {
        type Text = fn(&Owner) -> &String;
        const TEXTS: [(&str, Text); 4] = [
            ("controller-api-version", |owner| &owner.api_version),
            ("controller-kind", |owner| &owner.kind),
            ("controller-name", |owner| &owner.name),
            ("controller-uid", |owner| &owner.uid),
        ];
        for (name, text) in TEXTS {
            self.func("lookup", name, move |store, (level,): (u32,)| {
                let controllers = store.data().found().map_or(&[][..], Found::controllers);
                (controllers.get(level as usize).map_or_else(String::new, |of| text(of).clone()),)
            })?;
        }
        self.func("lookup", "controllers", |store, ()| {
            let controllers = store.data().found().map_or(0, |found| found.controllers().len());
            (controllers as u32,) // A handful.
        })?;
        self.func("lookup", "found", |store, ()| (store.data().found().is_some(),))?;
        self.func("lookup", "labels", |store, ()| {
            (store.data().found().map_or_else(|| "{}".to_owned(), Found::labels),)
        })?;
        self.func("lookup", "label", |store, (key,): (WasmStr,)| {
            (value(&store, &key, Found::label),)
        })?;
        self.func("lookup", "annotation", |store, (key,): (WasmStr,)| {
            (value(&store, &key, Found::annotation),)
        })
    }
}

/// The value under a key of what was looked up.
fn value(
    store: &Store<'_>,
    key: &WasmStr,
    of: for<'f> fn(&'f Found, &str) -> Option<&'f str>,
) -> Option<String> {
    let found = store.data().found()?;
    of(found, &key.to_str(store).ok()?).map(str::to_owned)
}

const NOT_UTF8: &str = "the text is not UTF-8";

/// A short text that is kept: at most what is ever shown of one.
fn name(store: &Store<'_>, text: &WasmStr) -> Result<String, String> {
    let text = text.to_str(store).map_err(|_| NOT_UTF8)?;
    Ok(text[..text.floor_char_boundary(LOG_LINE_BYTES_MAX)].to_owned())
}

/// Words that may be declared at once. What is too long is not read on, so that a list of one long
/// text, again and again, costs that text once.
fn declared_words(store: &mut Store<'_>, words: &WasmList<WasmStr>) -> Result<Vec<String>, String> {
    if words.len() > WORDS_MAX {
        return Err(format!("{} words are more than {WORDS_MAX}", words.len()));
    }
    let mut taken = Vec::with_capacity(words.len());
    for at in 0..words.len() {
        let Some(Ok(word)) = words.get(store.as_context_mut(), at) else {
            return Err("a word is not in the module's memory".to_owned());
        };
        let word = word.to_str(&*store).map_err(|_| NOT_UTF8)?;
        check_word(&word)?;
        taken.push(word.into_owned());
    }
    Ok(taken)
}

fn edit(
    mut store: Store<'_>,
    pointer: &WasmStr,
    value: Option<&WasmStr>,
    apply: impl FnOnce(&mut Edits, Original<'_>, &str, &str) -> Result<(), EditError>,
) -> Edited {
    // Taken out meanwhile, so that the guest's texts and the event can be borrowed from the
    // store.
    let mut edits = std::mem::take(&mut *store.data_mut().edits);
    let answer = match (pointer.to_str(&store), value.map(|value| value.to_str(&store)).transpose())
    {
        (Ok(pointer), Ok(value)) => {
            let value = value.as_deref().unwrap_or_default();
            store.data().edit(&mut edits, |edits, of| apply(edits, of, &pointer, value))
        }
        _ => Err(NOT_UTF8.to_owned()),
    };
    *store.data_mut().edits = edits;
    if answer.is_err() {
        store.data().stage.counters.edits_refused.inc();
    }
    (answer,)
}

fn log(mut store: Store<'_>, level: Level, line: &WasmStr) {
    if level == Level::DEBUG && !tracing::enabled!(Level::DEBUG)
        || !store.data_mut().admits_log_line()
    {
        return;
    }
    match line.to_str(&store) {
        Ok(text) => store.data().log(level, &text),
        Err(_) => store.data().lost_log_line(),
    }
}
