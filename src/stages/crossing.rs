//! What crosses between a module and the host: calls, and the bytes of texts in them. Counted only
//! for [measures](super::measure); a run has other functions, which do not.

use wasmtime::AsContextMut;
use wasmtime::component::{WasmList, WasmStr};

use super::host::Store;

/// What has crossed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Crossed {
    /// Calls of the host.
    pub(super) calls: u64,
    /// Bytes of texts, in both directions.
    pub(super) text_bytes: u64,
}

impl Crossed {
    /// One more call.
    pub(super) fn count(&mut self, text_bytes: u64) {
        self.calls += 1;
        self.text_bytes += text_bytes;
    }
}

/// What a host function takes or answers.
pub(super) trait Crosses {
    /// Bytes of the texts in it, as UTF-8. Numbers are passed in registers, and count nothing.
    fn text_bytes(&self, store: &mut Store<'_>) -> u64;
}

macro_rules! no_texts {
    ($($number:ty),*) => {
        $(impl Crosses for $number {
            fn text_bytes(&self, _: &mut Store<'_>) -> u64 {
                0
            }
        })*
    };
}

no_texts!((), bool, u32, u64, i64, f64);

impl Crosses for String {
    fn text_bytes(&self, _: &mut Store<'_>) -> u64 {
        self.len() as u64
    }
}

impl Crosses for WasmStr {
    fn text_bytes(&self, store: &mut Store<'_>) -> u64 {
        // What is not UTF-8 is refused by whoever wants it.
        self.to_str(&*store).map_or(0, |text| text.len() as u64)
    }
}

impl Crosses for WasmList<WasmStr> {
    fn text_bytes(&self, store: &mut Store<'_>) -> u64 {
        let mut text_bytes = |at| match self.get(store.as_context_mut(), at) {
            Some(Ok(text)) => text.text_bytes(store),
            _ => 0,
        };
        (0..self.len()).map(&mut text_bytes).sum()
    }
}

impl<T: Crosses> Crosses for Option<T> {
    fn text_bytes(&self, store: &mut Store<'_>) -> u64 {
        self.as_ref().map_or(0, |value| value.text_bytes(store))
    }
}

impl<T: Crosses, E: Crosses> Crosses for Result<T, E> {
    fn text_bytes(&self, store: &mut Store<'_>) -> u64 {
        match self {
            Ok(value) => value.text_bytes(store),
            Err(error) => error.text_bytes(store),
        }
    }
}

impl<A: Crosses> Crosses for (A,) {
    fn text_bytes(&self, store: &mut Store<'_>) -> u64 {
        self.0.text_bytes(store)
    }
}

impl<A: Crosses, B: Crosses> Crosses for (A, B) {
    fn text_bytes(&self, store: &mut Store<'_>) -> u64 {
        self.0.text_bytes(store) + self.1.text_bytes(store)
    }
}
