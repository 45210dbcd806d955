//! Lines in weir's own log, under the stage's name: at most 16 of 1 KiB a call, and bounded in
//! rate.

use crate::sys;

/// For whoever writes the module; off by default.
pub fn debug(line: &str) {
    sys::log_debug(line);
}

/// Something worth knowing.
pub fn info(line: &str) {
    sys::log_info(line);
}

/// Something that is not as it should be.
pub fn warn(line: &str) {
    sys::log_warn(line);
}

/// Something that failed.
pub fn error(line: &str) {
    sys::log_error(line);
}
