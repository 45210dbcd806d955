//! What the generated bindings need of a runtime: the little of wit-bindgen's that they use, so
//! that a filter's build compiles no bindings generator.

#![allow(unsafe_code)] // The component model's ABI is made of pointers.

/// Runs static constructors, if a filter's crates have any, before the first call.
pub(crate) fn run_ctors_once() {
    static mut RAN: bool = false;

    unsafe extern "C" {
        /// Made by the linker; naming it is what keeps the linker from running it at every call.
        fn __wasm_call_ctors();
    }

    // SAFETY: a module has one thread, and the linker defines the function.
    unsafe {
        if !RAN {
            RAN = true;
            __wasm_call_ctors();
        }
    }
}

/// Where it is called the linker keeps this file, and with it the export below.
pub(crate) fn maybe_link_cabi_realloc() {}

/// weir allocates with it what it hands over:
/// <https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>
///
/// Of targets with a libc, that has one.
#[cfg(any(target_env = "", target_env = "p1"))]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_len: usize,
    align: usize,
    new_len: usize,
) -> *mut u8 {
    use std::alloc::{Layout, alloc, handle_alloc_error, realloc};

    // SAFETY: by the ABI `align` is a power of two and the lengths fit the address space; `old` was
    // allocated here with `old_len` and `align`, or `old_len` is 0 and there is no `old`.
    unsafe {
        if old_len == 0 && new_len == 0 {
            return align as *mut u8;
        }
        let (layout, new) = if old_len == 0 {
            let layout = Layout::from_size_align_unchecked(new_len, align);
            (layout, alloc(layout))
        } else {
            let layout = Layout::from_size_align_unchecked(old_len, align);
            (layout, realloc(old, layout, new_len))
        };
        if new.is_null() {
            handle_alloc_error(layout);
        }
        new
    }
}

/// Memory that is given back when a call that reads it is over.
pub(crate) struct Cleanup(std::ptr::NonNull<u8>, std::alloc::Layout);

impl Cleanup {
    /// Memory of this layout; none where it has no size.
    pub(crate) fn new(layout: std::alloc::Layout) -> (*mut u8, Option<Self>) {
        if layout.size() == 0 {
            return (std::ptr::null_mut(), None);
        }
        // SAFETY: the layout has a size.
        let memory = unsafe { std::alloc::alloc(layout) };
        match std::ptr::NonNull::new(memory) {
            Some(at) => (memory, Some(Self(at, layout))),
            None => std::alloc::handle_alloc_error(layout),
        }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // SAFETY: it was allocated in `new`, with this layout.
        unsafe { std::alloc::dealloc(self.0.as_ptr(), self.1) }
    }
}
