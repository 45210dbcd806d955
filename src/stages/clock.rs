//! How long a call may take: its CPU time, read only at ticks.
//!
//! Under a CPU quota the kernel can stop a thread for 95 ms in every 100; a wall-clock deadline
//! would kill healthy modules exactly under load. So a tick of [`TICK`] asks the thread's CPU clock
//! and lets the call go on until it has used its `timeout`; wall time counts only at
//! [`WALL_FACTOR`] times that, for a call that sleeps in some way that we did not think of. A call
//! that ends within a tick reads no clock at all, and a timeout is precise to two ticks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::time::{ClockId, Timespec, clock_gettime};
use wasmtime::Engine;

/// Between two looks at a running call.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Wall time that a call may take, in timeouts.
pub(super) const WALL_FACTOR: u32 = 20;

/// Both clocks at one moment. Where they start from does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// CPU time of this thread.
    pub(super) cpu: Duration,
    /// Monotonic wall time.
    pub(super) wall: Duration,
}

impl Reading {
    pub(super) fn now() -> Reading {
        Reading {
            cpu: duration(clock_gettime(ClockId::ThreadCPUTime)),
            wall: duration(clock_gettime(ClockId::Monotonic)),
        }
    }
}

fn duration(time: Timespec) -> Duration {
    // Neither clock is ever negative.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// What becomes of a call at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtTick {
    /// It may go on to the next one.
    Extend,
    /// It has used its time.
    Kill,
}

/// Which of its two budgets a call has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Budget {
    Cpu,
    /// It got too little CPU time to use up that one.
    Wall,
}

/// How much time the current call has used.
#[derive(Debug)]
pub(super) struct Deadline {
    timeout: Duration,
    first: Option<Reading>,
    used: Option<Budget>,
}

impl Deadline {
    pub(super) fn new(timeout: Duration) -> Deadline {
        Deadline { timeout, first: None, used: None }
    }

    /// A call begins.
    pub(super) fn begin(&mut self) {
        self.first = None;
        self.used = None;
    }

    /// A tick has passed during the call.
    pub(super) fn tick(&mut self, now: Reading) -> AtTick {
        let first = *self.first.get_or_insert(now);
        if now.cpu.saturating_sub(first.cpu) >= self.timeout {
            self.used = Some(Budget::Cpu);
        } else if now.wall.saturating_sub(first.wall) >= self.timeout.saturating_mul(WALL_FACTOR) {
            self.used = Some(Budget::Wall);
        }
        if self.used.is_some() { AtTick::Kill } else { AtTick::Extend }
    }

    /// Which budget the call was killed for.
    pub(super) fn used(&self) -> Option<Budget> {
        self.used
    }

    /// When the first tick of the call was, if it has lasted that long.
    pub(super) fn first_tick(&self) -> Option<Reading> {
        self.first
    }
}

/// The thread that moves the engine's epoch on every [`TICK`] while a module is being called. It is
/// an OS thread, not a task that a guest could starve, and is joined when this is dropped.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    parked: AtomicBool,
    stop: Mutex<bool>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.stop.lock()
    }

    fn tick_until_stopped(&self, engine: &Engine) {
        let mut stop = self.lock();
        while !*stop {
            if self.running.load(Ordering::SeqCst) == 0 {
                self.parked.store(true, Ordering::SeqCst);
                // A call may have begun just before `parked` was set, and have seen no need to wake
                // us.
                while !*stop && self.running.load(Ordering::SeqCst) == 0 {
                    self.wake.wait(&mut stop);
                }
                self.parked.store(false, Ordering::SeqCst);
            } else {
                self.wake.wait_for(&mut stop, TICK);
                engine.increment_epoch();
            }
        }
    }
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let (engine, of_thread) = (engine.clone(), shared.clone());
        let thread = std::thread::Builder::new()
            .name("ticker".into())
            .spawn(move || of_thread.tick_until_stopped(&engine))?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// Modules may be called while the guard that this returns lives. Take one for a chunk of
    /// calls, not for each of them.
    pub(super) fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            let _stop = self.shared.lock();
            self.shared.wake.notify_one();
        }
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.shared.lock() = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked in a way that matters: there is nothing left to tick for.
            let _ = thread.join();
        }
    }
}

/// See [`Ticker::run`].
#[derive(Debug)]
pub(super) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_millis(50);

    /// Ticks of a call that gets `share` of a core, until it is killed or `ticks` have passed.
    fn killed_at(timeout: Duration, share: f64, ticks: u32) -> Option<Reading> {
        let mut deadline = Deadline::new(timeout);
        (0..ticks)
            .map(|tick| {
                let wall = TICK * tick;
                Reading { cpu: wall.mul_f64(share), wall }
            })
            .find(|now| deadline.tick(*now) == AtTick::Kill)
    }

    #[test]
    fn a_call_that_loops_is_killed_when_its_cpu_time_is_used() {
        assert_eq!(killed_at(TIMEOUT, 1.0, 100).unwrap().cpu, TIMEOUT);
    }

    #[test]
    fn a_call_that_waits_for_a_core_is_not_killed_for_it() {
        // 40 ms of work with a twentieth of a core take 800 ms.
        assert_eq!(killed_at(TIMEOUT, 0.05, 80), None);
    }

    #[test]
    fn a_call_that_uses_no_cpu_is_killed_in_the_end() {
        assert_eq!(killed_at(TIMEOUT, 0.0, 1_000).unwrap().wall, TIMEOUT * WALL_FACTOR);
    }

    #[test]
    fn the_budget_that_was_used_is_known_until_the_next_call() {
        let mut deadline = Deadline::new(TIMEOUT);
        for (cpu, wall, used) in
            [(TIMEOUT, TIMEOUT, Budget::Cpu), (TICK, TIMEOUT * 20, Budget::Wall)]
        {
            deadline.tick(Reading::default());
            assert_eq!(deadline.used(), None);
            assert_eq!(deadline.tick(Reading { cpu, wall }), AtTick::Kill);
            assert_eq!(deadline.used(), Some(used));
            deadline.begin();
        }
    }

    proptest! {
        #[test]
        fn a_call_is_killed_exactly_when_a_budget_is_used(
            timeout_ms in 1u64..500,
            steps in prop::collection::vec((0u64..40, 0u64..40), 1..200),
        ) {
            let timeout = Duration::from_millis(timeout_ms);
            let mut deadline = Deadline::new(timeout);
            let start = Reading { cpu: Duration::from_secs(5), wall: Duration::from_secs(90) };
            prop_assert_eq!(deadline.tick(start), AtTick::Extend);
            let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
            for (cpu_ms, stopped_ms) in steps {
                cpu += Duration::from_millis(cpu_ms);
                wall += Duration::from_millis(cpu_ms + stopped_ms);
                let expected = if cpu >= timeout || wall >= timeout * 20 { AtTick::Kill } else { AtTick::Extend };
                let now = Reading { cpu: start.cpu + cpu, wall: start.wall + wall };
                prop_assert_eq!(deadline.tick(now), expected);
            }
        }
    }

    #[test]
    fn the_ticker_ticks_only_while_modules_are_called_and_ends_when_dropped() {
        let engine = super::super::engine::engine().unwrap();
        let ticker = Ticker::start(&engine).unwrap();
        while !ticker.shared.parked.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let running = ticker.run();
        while ticker.shared.parked.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        drop(running);
        while !ticker.shared.parked.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let of_thread = Arc::downgrade(&ticker.shared);
        drop(ticker);
        assert!(of_thread.upgrade().is_none());
    }
}
