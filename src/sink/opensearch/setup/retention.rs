//! How long documents are kept, and which ages of an index follow from that. Pure.

use std::fmt;
use std::str::FromStr;

use crate::sink::settings::DateFormat;

const DAY_HOURS: u32 = 24;
/// What is kept unless somebody says otherwise.
const DEFAULT_HOURS: u32 = 30 * DAY_HOURS;
/// A hundred years: what is longer is a slip.
const HOURS_MAX: u32 = 100 * 366 * DAY_HOURS;
/// A stream is rolled over this many times while a document is kept, so that what is deleted at
/// once is a small part of it.
const ROLLOVERS: u32 = 10;
/// A quiet cluster's week of events is some megabytes: more indices than one a week are of no use.
const ROLLOVER_HOURS_MAX: u32 = 7 * DAY_HOURS;

/// A whole number of days or hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    hours: u32,
}

/// Why a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be a whole number of days or hours, such as \"30d\" or \"12h\", at least \"1h\"")]
pub(crate) struct RetentionError;

impl Default for Retention {
    fn default() -> Retention {
        Retention { hours: DEFAULT_HOURS }
    }
}

impl FromStr for Retention {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Retention, RetentionError> {
        let scaled = |digits: &str, scale: u32| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u32>().ok().filter(|_| is_number)?.checked_mul(scale)
        };
        let hours = match (text.strip_suffix('d'), text.strip_suffix('h')) {
            (Some(days), _) => scaled(days, DAY_HOURS),
            (None, Some(hours)) => scaled(hours, 1),
            (None, None) => None,
        };
        let hours = hours.filter(|hours| (1..=HOURS_MAX).contains(hours)).ok_or(RetentionError)?;
        Ok(Retention { hours })
    }
}

/// As OpenSearch reads it, too
/// (<https://docs.opensearch.org/latest/api-reference/units/>).
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hours {
            hours if hours.is_multiple_of(DAY_HOURS) => write!(f, "{}d", hours / DAY_HOURS),
            hours => write!(f, "{hours}h"),
        }
    }
}

impl Retention {
    /// The age at which a stream's index is rolled over.
    pub(super) fn rollover_age(self) -> Retention {
        Retention { hours: (self.hours / ROLLOVERS).clamp(1, ROLLOVER_HOURS_MAX) }
    }

    /// The age at which an index with a date is deleted. An index's age is counted from when it was
    /// made, and it is written to for as long as its date lasts.
    pub(super) fn age_of_dated(self, date: DateFormat) -> Retention {
        let days = match date {
            DateFormat::Day | DateFormat::DayWithDashes => 1,
            DateFormat::Month | DateFormat::MonthWithDashes => 31,
            DateFormat::Year => 366,
        };
        Retention { hours: self.hours + days * DAY_HOURS }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Retention {
        text.parse().unwrap()
    }

    #[test]
    fn days_and_hours_are_read_and_nothing_else() {
        assert_eq!(Retention::default(), of("30d"));
        assert_eq!(of("720h"), of("30d"));
        let wrong = [
            "",
            "d",
            "30",
            "0d",
            "0h",
            "-1d",
            "+1d",
            "1.5d",
            "30 d",
            "1w",
            "30m",
            "99999999d",
            "ä",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Retention>(), Err(RetentionError), "{text}");
        }
    }

    #[test]
    fn a_stream_is_rolled_over_often_enough_and_not_too_often() {
        let age = |text: &str| of(text).rollover_age().to_string();
        assert_eq!(
            [age("30d"), age("365d"), age("7d"), age("1d"), age("1h")],
            ["3d", "7d", "16h", "2h", "1h"]
        );
    }

    #[test]
    fn a_dated_index_is_kept_for_as_long_after_its_last_document() {
        let age = |date| of("30d").age_of_dated(date).to_string();
        assert_eq!(age(DateFormat::Day), "31d");
        assert_eq!(age(DateFormat::MonthWithDashes), "61d");
        assert_eq!(age(DateFormat::Year), "396d");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(hours in 1..=HOURS_MAX) {
            let retention = Retention { hours };
            prop_assert_eq!(of(&retention.to_string()), retention);
        }
    }
}
