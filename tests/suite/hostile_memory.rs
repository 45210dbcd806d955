//! A module that takes all the memory it can get, in the real process: what that has grows by no
//! more than the module may have.

use crate::support::modules::Guest;
use crate::support::{Folder, Running};

const MIB: u64 = 1 << 20;
/// What the stage may have.
const CAP: u64 = 32 * MIB;
/// What else may differ between two runs: pools of chunks, the heap's own slack.
const SLACK: u64 = 24 * MIB;

/// Grows until it is refused, and writes to each page that it has got; then keeps the event.
const BOMB: Guest<'static> = Guest {
    imports: "",
    items: "",
    configure: "",
    process: "(block $full (loop $more
            (br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
            (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const 1))
            (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)) (i32.const 1))
            (br $more)))
        (local.set $i (i32.mul (memory.size) (i32.const 65536)))
        (block $end (loop $touch
            (br_if $end (i32.le_u (local.get $i) (i32.const 65536)))
            (local.set $i (i32.sub (local.get $i) (i32.const 4096)))
            (i32.store (local.get $i) (i32.const 1))
            (br $touch)))
        (i32.const 0)",
};

/// The most that was resident in a run of these events through one worker.
fn peak(guest: &Guest<'_>) -> u64 {
    let folder = Folder::new();
    folder.write("it.wasm", guest.component());
    let stages =
        "[[stage]]\nname = 'it'\nmodule = 'it.wasm'\nmemory = '32MiB'\ntimeout = '500ms'\n";
    let weir = Running::start(&folder, "workers = 1", stages);
    for number in 0..40 {
        weir.event(&format!("e{number}"), "Normal", "Pulled");
    }
    weir.pass("last");
    let peak = weir.peak_bytes();
    weir.end();
    peak
}

#[test]
fn a_module_that_takes_all_it_can_get_makes_the_process_no_larger_than_its_cap() {
    let (modest, greedy) = (peak(&Guest::default()), peak(&BOMB));
    assert!(greedy > modest + CAP / 2, "it has got some: {greedy}, {modest}");
    assert!(greedy < modest + CAP + SLACK, "{greedy} bytes, and {modest} with one that takes none");
}
