//! Coverage-guided fuzzing of everything that reads what others wrote: servers, files, people.
//!
//! libFuzzer makes inputs and watches which of weir's code they reach, and [`targets`] say what
//! must hold for each of them. `tests/fuzz/run.sh` builds this and runs it:
//! tests/README.md#fuzzing.
//!
//! Constraint: a target is a function of its input alone (what it draws at random is seeded by
//! that), so that an input that failed once fails again.
//!
//! It is an example to cargo, and no test: before a test cargo builds the binary `weir`, which
//! cannot be linked with a library that is instrumented.

#![allow(clippy::unwrap_used, missing_docs, reason = "what cannot be set up ends the run")]

mod bytes;
mod heap;
mod targets;

use std::ffi::{CString, c_char, c_int};

use targets::Target;

#[global_allocator]
static ALLOCATOR: heap::Measured = heap::Measured;

#[allow(unsafe_code)]
// SAFETY: as `FuzzerInterface.h` of libFuzzer declares it.
unsafe extern "C" {
    fn LLVMFuzzerRunDriver(
        argc: *mut c_int,
        argv: *mut *mut *mut c_char,
        run: extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
}

/// Which target runs. Not an argument: those are libFuzzer's, which starts this program again with
/// the same ones.
const VARIABLE: &str = "WEIR_FUZZ_TARGET";

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--list") {
        targets::ALL.iter().for_each(|target| println!("{}", target.name));
        return;
    }
    target();
    let arguments: Vec<CString> =
        std::env::args().map(|argument| CString::new(argument).unwrap()).collect();
    let mut pointers: Vec<*mut c_char> =
        arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
    let mut count = pointers.len() as c_int;
    pointers.push(std::ptr::null_mut());
    let mut pointer = pointers.as_mut_ptr();
    #[allow(unsafe_code)]
    // SAFETY: both point to what lives until the end of this function, in the form of `main` in C.
    let status = unsafe { LLVMFuzzerRunDriver(&mut count, &mut pointer, run) };
    assert_eq!(status, 0, "libFuzzer has failed");
}

/// One input. A panic does not leave this function, but aborts: libFuzzer then keeps the input.
extern "C" fn run(input: *const u8, length: usize) -> c_int {
    let input = match length {
        0 => &[],
        #[allow(unsafe_code)]
        // SAFETY: libFuzzer gives that many bytes, which nobody changes meanwhile.
        _ => unsafe { std::slice::from_raw_parts(input, length) },
    };
    (target().run)(input);
    0
}

fn target() -> &'static Target {
    static TARGET: std::sync::OnceLock<&Target> = std::sync::OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var(VARIABLE).unwrap_or_default();
        let found = targets::ALL.iter().find(|target| target.name == name);
        found.unwrap_or_else(|| panic!("{VARIABLE} must name one of those that --list prints"))
    })
}
