//! RFC 3339 times as Kubernetes writes them (`metav1.Time`, `metav1.MicroTime`).
//!
//! The two forms that the API server writes, `2026-11-22T19:03:27Z` and the same with a fraction,
//! are read by hand; every other one by jiff. Both agree: that is tested.
//!
//! A leap second (`:60`) is no Unix time; it is read as the second before, as jiff does.

/// Microseconds since the Unix epoch, UTC.
pub(crate) type Micros = i64;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Reads an RFC 3339 time; `None` if it is not one. A fraction finer than a microsecond is cut off.
#[inline]
pub fn parse_rfc3339(text: &[u8]) -> Option<Micros> {
    parse_utc(text).or_else(|| parse_any(text))
}

/// Kubernetes began in 2014, so no event is older (2014-01-01T00:00:00Z). What claims to be stands
/// for none, such as the zero time of Go (`0001-01-01T00:00:00Z`) and the epoch's start.
const FIRST_EVENT: Micros = 1_388_534_400 * MICROS_PER_SECOND;

/// Reads a time of an event; `None` if it is not one, or stands for none.
#[inline]
pub(crate) fn parse_event_time(text: &[u8]) -> Option<Micros> {
    parse_rfc3339(text).filter(|time| *time >= FIRST_EVENT)
}

/// `YYYY-MM-DDTHH:MM:SS[.f{1,9}]Z`
fn parse_utc(text: &[u8]) -> Option<Micros> {
    let (clock, fraction) = text.split_first_chunk::<19>()?;
    let micros = match fraction {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] => fraction_micros(digits)?,
        _ => return None,
    };
    let separators = [clock[4], clock[7], clock[10], clock[13], clock[16]];
    if separators != *b"--T::" {
        return None;
    }
    let year = two(clock, 0)? * 100 + two(clock, 2)?;
    let (month, day) = (two(clock, 5)?, two(clock, 8)?);
    let (hour, minute, second) = (two(clock, 11)?, two(clock, 14)?, two(clock, 17)?);
    if day == 0 || day > days_in_month(year, month)? || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Some(seconds * MICROS_PER_SECOND + micros)
}

fn two(clock: &[u8; 19], at: usize) -> Option<i64> {
    let tens = clock[at].wrapping_sub(b'0');
    let ones = clock[at + 1].wrapping_sub(b'0');
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}

fn fraction_micros(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Some(padded.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    })
}

/// Days since the epoch of a date of the Gregorian calendar, with years that begin in March so that
/// the leap day comes last (<https://howardhinnant.github.io/date_algorithms.html>, `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Offsets, lower-case letters, leap seconds.
#[cold]
fn parse_any(text: &[u8]) -> Option<Micros> {
    // jiff reads more than RFC 3339 (a date and time without seconds, `T` left out, a zone in
    // brackets), which OpenSearch's date fields would then refuse.
    let shape = text.len() >= 20
        && text[..19].iter().zip(b"0000-00-00t00:00:00").all(|(byte, like)| match like {
            b'0' => byte.is_ascii_digit(),
            _ => byte.to_ascii_lowercase() == *like,
        })
        && has_rfc3339_end(&text[19..]);
    let time: jiff::Timestamp = shape.then(|| std::str::from_utf8(text).ok())??.parse().ok()?;
    // Towards minus infinity, as cutting digits off the text does.
    Some(time.as_nanosecond().div_euclid(1_000) as i64)
}

/// `[.f{1,9}](Z|±HH:MM)`
fn has_rfc3339_end(end: &[u8]) -> bool {
    let zone = match end {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return false;
            }
            &fraction[digits..]
        }
        _ => end,
    };
    match zone {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jiff_micros(text: &str) -> Option<i64> {
        Some(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond().div_euclid(1_000) as i64)
    }

    #[test]
    fn the_forms_that_the_api_server_writes_are_read() {
        assert_eq!(parse_rfc3339(b"1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse_rfc3339(b"2026-11-22T19:03:27Z"), Some(1_795_374_207_000_000));
        assert_eq!(parse_rfc3339(b"2026-11-22T19:03:27.123456Z"), Some(1_795_374_207_123_456));
        assert_eq!(parse_rfc3339(b"2026-11-22T19:03:27.1Z"), Some(1_795_374_207_100_000));
        assert_eq!(parse_rfc3339(b"2026-11-22T19:03:27.123456789Z"), Some(1_795_374_207_123_456));
        assert_eq!(parse_rfc3339(b"2026-11-22T20:03:27+01:00"), Some(1_795_374_207_000_000));
        assert_eq!(parse_rfc3339(b"1969-12-31T23:59:59.9999999Z"), Some(-1));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00Z ",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+01",
            "1795374207",
            "2026-01-01T00:00:00Z[UTC]",
            "+002026-01-01T00:00:00Z",
            "٢٠٢٦-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_time_before_kubernetes_stands_for_none() {
        for none in [
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00.000000Z",
            "0000-12-31T23:00:00-01:00",
            "1970-01-01T00:00:00Z",
            "1999-01-01T00:00:00Z",
            "2013-12-31T23:59:59.999999Z",
            "2014-01-01T00:00:00+00:01",
        ] {
            assert_eq!(parse_event_time(none.as_bytes()), None, "{none}");
        }
        assert_eq!(parse_event_time(b"2014-01-01T00:00:00Z"), Some(FIRST_EVENT));
        assert_eq!(parse_rfc3339(b"2014-01-01T00:00:00Z"), Some(FIRST_EVENT));
    }

    #[test]
    fn a_leap_second_is_the_second_before() {
        assert_eq!(parse_rfc3339(b"2016-12-31T23:59:60Z"), parse_rfc3339(b"2016-12-31T23:59:59Z"));
    }

    proptest! {
        #[test]
        fn it_agrees_with_jiff(
            (year, month, day) in (0..=9998u16, 0..=13u8, 0..=32u8),
            (hour, minute, second) in (0..=24u8, 0..=60u8, 0..=60u8),
            fraction in "(\\.[0-9]{1,9})?",
            zone in prop_oneof![3 => Just("Z".to_owned()), 1 => "[+-][01][0-9]:[0-5][0-9]"],
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            prop_assert_eq!(parse_rfc3339(text.as_bytes()), jiff_micros(&text), "{}", text);
        }

        #[test]
        fn any_text_that_is_read_is_read_as_jiff_does(text in "\\PC{0,40}") {
            if let Some(micros) = parse_rfc3339(text.as_bytes()) {
                prop_assert_eq!(Some(micros), jiff_micros(&text));
            }
        }
    }
}
