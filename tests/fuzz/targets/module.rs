//! The file of a module, from its first byte to an instance that is configured: whatever it holds,
//! it is loaded, or refused in words that are fit to be shown.
//!
//! The compiler runs here, and not in a process of its own as a run's does, which has bounds: an
//! input is small, so that what it makes of it is, too.

use std::cell::RefCell;
use std::time::Duration;

use weir::internals::ledger::Ledger;
use weir::internals::metrics::Metrics;
use weir::internals::stages::{Compiler, LoadContext, Match, ModuleSettings, OnError, Wasi, load};

use crate::heap;

/// A larger input may take long to compile, which is not what is looked for.
const INPUT_BYTES_MAX: usize = 16 << 10;
/// What engine, compiler and instance take, and a good deal more.
const HEAP_BYTES_MAX: usize = 256 << 20;
/// What is wrong with one module, with at most 20 imports in a line each.
const WORDS_MAX: usize = 64 << 10;

thread_local! {
    static FOLDER: RefCell<tempfile::TempDir> = RefCell::new(tempfile::tempdir().unwrap());
}

pub(crate) fn run(input: &[u8]) {
    if input.len() > INPUT_BYTES_MAX {
        return;
    }
    FOLDER.with_borrow(|folder| {
        let module = folder.path().join("module.wasm");
        std::fs::write(&module, input).unwrap();
        let settings = ModuleSettings {
            name: "it".to_owned(),
            module: module.into(),
            matches: Match::default(),
            timeout: Duration::from_millis(20),
            memory: 4 << 20,
            on_error: OnError::Keep,
            wasi: Wasi::Stub,
            config: "{}".to_owned(),
            shadow: None,
        };
        let ledger = Ledger::default();
        let context = LoadContext {
            pulled: Default::default(),
            cache: folder.path().join("cache"),
            keeps: false,
            instances: 1,
            compiler: Compiler::InProcess,
            metrics: Metrics::new(&ledger).unwrap().stage,
            ledger,
        };
        let loaded = heap::at_most(HEAP_BYTES_MAX, || load(&[settings.into()], context));
        for error in loaded.err().into_iter().flatten() {
            let words = error.to_string();
            assert!(words.len() <= WORDS_MAX, "{} bytes", words.len());
            assert!(!words.chars().any(|c| c != '\n' && c.is_control()), "{words:?}");
        }
    });
}
