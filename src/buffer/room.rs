//! Room in the buffer: a count of bytes that writers wait for.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use prometheus::IntGauge;

use crate::handoff::Closed;

#[derive(Debug)]
pub(super) struct Room {
    bytes_max: u64,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while waiting, so that writers are served in turn and a large one is not starved by
    /// small ones.
    turn: Mutex<()>,
    gauge: IntGauge,
}

#[derive(Debug, Default)]
struct State {
    bytes: u64,
    closed: bool,
}

/// Bytes taken; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub(super) fn new(bytes_max: u64, gauge: IntGauge) -> Room {
        gauge.set(0);
        let (state, changed, turn) = (Mutex::default(), Condvar::new(), Mutex::default());
        Room { bytes_max, state, changed, turn, gauge }
    }

    /// Waits, asleep on this thread, until `bytes` fit, or until nothing else is there.
    pub(super) fn take_blocking(room: &Arc<Room>, bytes: u64) -> Result<Share, Closed> {
        let _turn = room.turn.lock();
        let mut state = room.state.lock();
        loop {
            if state.closed {
                return Err(Closed);
            }
            if state.bytes == 0 || state.bytes + bytes <= room.bytes_max {
                break;
            }
            room.changed.wait(&mut state);
        }
        state.bytes += bytes;
        drop(state);
        room.gauge.add(bytes as i64);
        Ok(Share { room: room.clone(), bytes })
    }

    /// Takes `bytes` if they fit now, or if nothing else is there.
    pub(super) fn try_take(room: &Arc<Room>, bytes: u64) -> Option<Share> {
        let mut state = room.state.lock();
        if state.closed || (state.bytes > 0 && state.bytes + bytes > room.bytes_max) {
            return None;
        }
        state.bytes += bytes;
        drop(state);
        room.gauge.add(bytes as i64);
        Some(Share { room: room.clone(), bytes })
    }

    /// From now on there is no room for anyone.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.state.lock().bytes -= self.bytes;
        self.room.gauge.sub(self.bytes as i64);
        // Only the writer that has the turn waits here.
        self.room.changed.notify_one();
    }
}
