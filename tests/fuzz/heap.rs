//! How much memory a reader takes, as an oracle: a length that a file or a server states is not to
//! be believed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes that this thread has allocated and not freed: less than none where others' were freed.
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Counts the bytes of each thread.
pub(crate) struct Measured;

fn grow(bytes: isize) {
    let now = NOW.get() + bytes;
    NOW.set(now);
    PEAK.set(PEAK.get().max(now));
}

// SAFETY: everything is passed on to the system's allocator as it came; counting touches
// thread-locals of a type without a destructor, which are valid as long as their thread runs code.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    // Of its own, because large ones cost nothing until they are written to.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        grow(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size as isize - layout.size() as isize);
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs `run`, which may have at most this many bytes at once, beside what was there before it.
pub(crate) fn at_most<T>(bytes_max: usize, run: impl FnOnce() -> T) -> T {
    let before = NOW.get();
    PEAK.set(before);
    let result = run();
    let peak = PEAK.get() - before;
    assert!(peak <= bytes_max as isize, "it took {peak} bytes at once; it may take {bytes_max}");
    result
}
