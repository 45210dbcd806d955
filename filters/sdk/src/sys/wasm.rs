//! The generated bindings' names as the rest of this crate knows them.

use super::bindings;
use crate::EventType;

use bindings::weir::pipeline::{
    discard as reasons, edit, event, interest, log, lookup, metrics, panic, words,
};

pub(crate) use edit::{
    add_string, append_json, append_string, remove, set_bool, set_float, set_integer, set_json,
    set_string,
};
pub(crate) use event::{
    action, component, count, first_seen, get, host, last_seen, message, name, namespace, reason,
    regarding_api_version, regarding_field_path, regarding_kind, regarding_name,
    regarding_namespace, regarding_uid, type_text, uid,
};
pub(crate) use interest::in_words as interest_in_words;
pub(crate) use log::{debug as log_debug, error as log_error, info as log_info, warn as log_warn};
pub(crate) use lookup::{
    annotation, controller_api_version, controller_kind, controller_name, controller_uid,
    controllers, found, label, labels,
};
pub(crate) use metrics::{add, declare as declare_counter};
pub(crate) use panic::panicked;
pub(crate) use reasons::{declare as declare_reason, discard};
pub(crate) use words::{declare as declare_words, mentioned};

pub(crate) fn interest_in_type(event_type: EventType) -> Result<(), String> {
    interest::in_type(match event_type {
        EventType::Normal => event::EventType::Normal,
        EventType::Warning => event::EventType::Warning,
        EventType::Other => event::EventType::Other,
    })
}

pub(crate) fn event_type() -> EventType {
    match event::type_() {
        event::EventType::Normal => EventType::Normal,
        event::EventType::Warning => EventType::Warning,
        event::EventType::Other => EventType::Other,
    }
}
