//! Times as the configuration and documents have them.

const SECOND: u64 = 1_000_000;

/// `90s`, `10m`, `1h` in microseconds; at most a day.
pub(crate) fn window(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        _ => return None,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(unit)?;
    (1..=24 * 60 * 60).contains(&seconds).then_some(seconds * SECOND)
}

/// Microseconds since the epoch as `2024-02-29T12:30:15Z`, as Kubernetes writes times. Years beyond
/// 9999 are as they come: no event is of then.
pub(crate) fn rfc3339(micros: i64) -> String {
    let seconds = micros.div_euclid(SECOND as i64);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u64);
    let (year, month, day) = date(day);
    let mut text = String::new();
    for (number, digits, behind) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (second / 3600, 2, ':'),
        (second / 60 % 60, 2, ':'),
        (second % 60, 2, 'Z'),
    ] {
        let number = number.to_string();
        (number.len()..digits).for_each(|_| text.push('0'));
        text.push_str(&number);
        text.push(behind);
    }
    text
}

/// The Gregorian date of a day since 1970-01-01: Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>). Before year 0 it is year 0.
fn date(day: i64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    (year.max(0) as u64, month as u64, day as u64)
}
