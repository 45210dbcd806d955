//! Sizes and durations as they are written in `pipeline.toml`: a whole number and a unit.

use std::time::Duration;

/// What a size looks like, for diagnostics.
pub(super) const SIZE_FORMS: &str = "\"512KiB\", \"16MiB\", \"2GiB\" or a number of bytes";
/// What a duration looks like, for diagnostics.
pub(super) const DURATION_FORMS: &str = "\"50ms\", \"15s\", \"5m\" or \"1h\"";
/// The same as a regular expression, for the schema.
pub(super) const SIZE_PATTERN: &str = "^[0-9]+(KiB|MiB|GiB)$";
/// The same as a regular expression, for the schema.
pub(super) const DURATION_PATTERN: &str = "^[0-9]+(ms|s|m|h)$";

/// Bytes in each unit; powers of 1024 only, because `MB` means two things.
const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
/// Milliseconds in each unit.
const DURATIONS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    number_with_unit(text, &SIZES)
}

/// A duration.
pub(super) fn duration(text: &str) -> Option<Duration> {
    number_with_unit(text, &DURATIONS).map(Duration::from_millis)
}

/// A size as it would be written, in the largest unit that is exact.
pub(crate) fn show_size(bytes: u64) -> String {
    let exact = SIZES.iter().find(|(_, scale)| bytes > 0 && bytes.is_multiple_of(*scale));
    exact.map_or_else(|| format!("{bytes} B"), |(unit, scale)| format!("{}{unit}", bytes / scale))
}

/// A duration as it would be written, in the largest unit that is exact.
pub(crate) fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let exact = DURATIONS.iter().find(|(_, scale)| ms > 0 && ms.is_multiple_of(u128::from(*scale)));
    exact.map_or_else(
        || format!("{ms}ms"),
        |(unit, scale)| format!("{}{unit}", ms / u128::from(*scale)),
    )
}

fn number_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_numbers_with_a_unit_are_taken() {
        assert_eq!(size("16MiB"), Some(16 << 20));
        assert_eq!(duration("50ms"), Some(Duration::from_millis(50)));
        for text in
            ["", "16", "MiB", "1.5GiB", "16MB", "16 MiB", "-1KiB", "+1KiB", "99999999999999GiB"]
        {
            assert_eq!(size(text), None, "{text}");
        }
        for text in ["", "15", "s", "1.5s", "1d", "15 s", "-1s", "99999999999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in 1u64.., ms in 1u64..1 << 50) {
            let shown = show_size(bytes);
            let read = shown.strip_suffix(" B").map_or_else(|| size(&shown), |n| n.parse().ok());
            prop_assert_eq!(read, Some(bytes));
            let time = Duration::from_millis(ms);
            prop_assert_eq!(duration(&show_duration(time)), Some(time));
        }

        #[test]
        fn no_text_panics(text in ".{0,12}") {
            let _ = (size(&text), duration(&text));
        }
    }
}
