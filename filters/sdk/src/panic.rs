//! A panic traps, and a trap has no text. So weir is told the text first, with file and line.

use std::panic::{self, PanicHookInfo};

use crate::sys;

/// From now on, weir is told of a panic. Nothing of it is done until there is one.
pub(crate) fn say_panics() {
    panic::set_hook(Box::new(say));
}

fn say(panic: &PanicHookInfo<'_>) {
    let mut text = String::new();
    if let Some(at) = panic.location() {
        text.push_str(at.file());
        for number in [at.line(), at.column()] {
            text.push(':');
            push_number(&mut text, number);
        }
        text.push_str(": ");
    }
    text.push_str(panic.payload_as_str().unwrap_or("a panic without a text"));
    sys::panicked(&text);
}

/// Appends a number, without the code that formatting takes: this is in every module.
fn push_number(text: &mut String, number: u32) {
    if number > 9 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}
