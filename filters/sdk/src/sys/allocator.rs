//! The allocator of a module: blocks of powers of two, and a list of free ones for each size.
//!
//! std's for WebAssembly (dlmalloc) is 9 KiB of code, half of a small filter; this is one. It suits
//! what a filter does: short strings that are freed when `process` ends, so that the next call
//! finds blocks of the same sizes. Blocks are never joined: what was asked for in one size serves
//! that size from then on, so a module takes at most the sum of what it needed of each size at
//! once.
//!
//! Invariant: a block is aligned to its size, so it serves any layout of no larger size and
//! alignment. Without threads: a module has one.

use std::alloc::Layout;

/// The smallest block, which holds the link of its list.
const SMALLEST: usize = 16;

/// The blocks of one memory.
pub(super) struct Blocks {
    /// By the exponent of their size: the first free one, whose first word is the next one.
    free: [usize; usize::BITS as usize],
    /// Where the part of the memory begins that was never used, and where it ends.
    top: usize,
    end: usize,
}

impl Blocks {
    pub(super) const fn new() -> Self {
        Self { free: [0; usize::BITS as usize], top: 0, end: 0 }
    }

    /// A block's size for a layout; `None` for one that no memory could hold.
    fn size(layout: Layout) -> Option<usize> {
        layout.size().max(layout.align()).max(SMALLEST).checked_next_power_of_two()
    }

    /// A block for a layout, or 0. `grow` is given the bytes that are missing, and answers where
    /// memory begins and ends that may be used from now on: where it did, but for the first time.
    ///
    /// # Safety
    /// What `grow` answers must be memory that nobody else uses.
    pub(super) unsafe fn take(
        &mut self,
        layout: Layout,
        grow: impl Fn(usize) -> Option<(usize, usize)>,
    ) -> usize {
        let Some(size) = Self::size(layout) else { return 0 };
        let first = &mut self.free[size.trailing_zeros() as usize];
        if *first != 0 {
            let block = *first;
            // SAFETY: a block in a list is free, and begins with the next one's address.
            *first = unsafe { *(block as *const usize) };
            return block;
        }
        // At most a block's size is passed over for its alignment.
        let Some(wanted) = size.checked_mul(2) else { return 0 };
        if self.end - self.top < wanted {
            let Some((start, end)) = grow(wanted) else { return 0 };
            if self.top == 0 {
                self.top = start.next_multiple_of(SMALLEST);
            }
            self.end = end;
        }
        // What is passed over is free blocks of smaller sizes.
        while self.top & (size - 1) != 0 {
            let gap = 1 << self.top.trailing_zeros();
            // SAFETY: from `top` to `end` the memory is nobody's.
            unsafe { self.put(self.top, gap) };
            self.top += gap;
        }
        self.top += size;
        self.top - size
    }

    /// # Safety
    /// The block has this size, and nobody uses it.
    unsafe fn put(&mut self, block: usize, size: usize) {
        let first = &mut self.free[size.trailing_zeros() as usize];
        // SAFETY: as promised; and no block is smaller than a word.
        unsafe { *(block as *mut usize) = *first };
        *first = block;
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// It was taken for this layout, and nobody uses it.
    pub(super) unsafe fn give(&mut self, block: usize, layout: Layout) {
        if let Some(size) = Self::size(layout) {
            // SAFETY: as promised.
            unsafe { self.put(block, size) };
        }
    }

    /// Whether the block of one layout serves the other as well.
    pub(super) fn is_enough(old: Layout, new: Layout) -> bool {
        Self::size(old) == Self::size(new)
    }
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "allocator"))]
mod global {
    use std::{
        alloc::{GlobalAlloc, Layout},
        arch::wasm32::{memory_grow, memory_size},
        cell::UnsafeCell,
        ptr,
    };

    use super::Blocks;

    #[global_allocator]
    static MEMORY: Memory = Memory(UnsafeCell::new(Blocks::new()));

    const PAGE: usize = 64 << 10;

    struct Memory(UnsafeCell<Blocks>);

    // SAFETY: a module has one thread.
    unsafe impl Sync for Memory {}

    fn grow(bytes: usize) -> Option<(usize, usize)> {
        unsafe extern "C" {
            /// Where the memory begins that holds neither data nor the stack: the linker's.
            static __heap_base: u8;
        }
        let old = memory_grow::<0>(bytes.div_ceil(PAGE));
        (old != usize::MAX).then(|| (&raw const __heap_base as usize, memory_size::<0>() * PAGE))
    }

    // SAFETY: `Blocks` gives each block to one owner at a time; one thread, and none of these
    // functions is called while another runs.
    unsafe impl GlobalAlloc for Memory {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: what the memory has grown by is nobody else's.
            unsafe { (*self.0.get()).take(layout, grow) as *mut u8 }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: as the caller promises.
            unsafe { (*self.0.get()).give(block as usize, layout) }
        }

        unsafe fn realloc(&self, block: *mut u8, old: Layout, size: usize) -> *mut u8 {
            // SAFETY: as the caller promises.
            unsafe {
                let layout = Layout::from_size_align_unchecked(size, old.align());
                if Blocks::is_enough(old, layout) {
                    return block;
                }
                let new = self.alloc(layout);
                if !new.is_null() {
                    ptr::copy_nonoverlapping(block, new, old.size().min(size));
                    self.dealloc(block, old);
                }
                new
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const ARENA: usize = 1 << 20;

    /// Does what pseudo-random numbers say, a few thousand times, with blocks that are filled with
    /// a number of their own: each must keep it, and none may overlap another.
    #[test]
    fn blocks_are_aligned_keep_what_they_hold_and_are_used_again() {
        let arena = vec![0_u64; ARENA / 8];
        let start = arena.as_ptr().expose_provenance();
        let used = Cell::new(0);
        let grow = |bytes: usize| {
            used.set(used.get() + bytes.next_multiple_of(4096));
            (used.get() <= ARENA).then_some((start + 8, start + used.get()))
        };
        let mut blocks = Blocks::new();
        let mut held: Vec<(usize, Layout, u8)> = Vec::new();
        let mut number = 1_u64;
        let mut random = |below: u64| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            (number >> 33) % below
        };
        for round in 0..20_000 {
            if held.len() < 60 && random(2) == 0 {
                let align = 1 << random(7);
                let layout = Layout::from_size_align(1 + random(700) as usize, align);
                let layout = layout.expect("a small layout is one");
                // SAFETY: the arena is this test's.
                let block = unsafe { blocks.take(layout, grow) };
                assert!(block >= start && block + layout.size() <= start + used.get());
                assert_eq!(block % align, 0);
                let mark = (round % 251) as u8;
                // SAFETY: within the arena, as asserted.
                unsafe { std::ptr::write_bytes(block as *mut u8, mark, layout.size()) };
                held.push((block, layout, mark));
            } else if !held.is_empty() {
                let at = random(held.len() as u64) as usize;
                let (block, layout, mark) = held.swap_remove(at);
                // SAFETY: taken above with this layout, and held until now.
                let bytes =
                    unsafe { std::slice::from_raw_parts(block as *const u8, layout.size()) };
                assert!(bytes.iter().all(|byte| *byte == mark));
                // SAFETY: as before.
                unsafe { blocks.give(block, layout) };
            }
        }
        assert!(used.get() < ARENA / 2, "{} bytes for at most 60 blocks", used.get());
        drop(arena);
    }

    #[test]
    fn a_block_serves_what_rounds_up_to_its_size() {
        let layout = |size| Layout::from_size_align(size, 1).expect("a small layout is one");
        assert!(Blocks::is_enough(layout(1), layout(16)));
        assert!(Blocks::is_enough(layout(17), layout(32)));
        assert!(!Blocks::is_enough(layout(16), layout(17)));
        assert!(!Blocks::is_enough(layout(64), layout(17)));
    }

    #[test]
    fn what_no_memory_can_hold_is_refused() {
        let mut blocks = Blocks::new();
        let huge = Layout::from_size_align(isize::MAX as usize, 1).expect("the largest there is");
        // SAFETY: nothing is grown.
        assert_eq!(unsafe { blocks.take(huge, |_| None) }, 0);
        // SAFETY: as before.
        assert_eq!(unsafe { blocks.take(Layout::new::<u64>(), |_| None) }, 0);
    }
}
