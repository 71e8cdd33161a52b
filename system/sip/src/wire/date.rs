//! SIP-date: RFC 3261 §20.17, RFC 1123 with GMT alone. Read on demand (nom; cold).
//! Does not know: clocks.
use super::rejected::Error;
use bitspath_core::time::{UnixTime, civil};
use core::fmt;
use nom::bytes::complete::{tag, take};
use nom::combinator::{map_opt, verify};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A wall time that prints as `Sat, 13 Nov 2010 23:29:00 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipDate(pub UnixTime);

impl SipDate {
    /// The date; the name of the day must be one, and need not be the right one.
    pub fn parse(text: &str) -> Result<SipDate, Error> {
        match date(text) {
            Ok(("", seconds)) => Ok(SipDate(UnixTime(seconds * 1_000_000_000))),
            Ok((rest, _)) => Err(Error::new(text.len() - rest.len(), "the end of the date")),
            Err(_) => Err(Error::new(0, "date as RFC 1123 has it, in GMT")),
        }
    }
}

fn digits(n: usize, max: u64) -> impl FnMut(&str) -> IResult<&str, u64> {
    move |text| map_opt(take(n), |d: &str| super::chars::number(d.as_bytes(), max)).parse(text)
}

fn date(text: &str) -> IResult<&str, u64> {
    let month = map_opt(take(3usize), |m: &str| MONTHS.iter().position(|x| *x == m));
    let day_name = verify(take(3usize), |d: &str| DAYS.contains(&d));
    let (rest, (_, day, month, year)) = (
        terminated(day_name, tag(", ")),
        terminated(digits(2, 31), tag(" ")),
        terminated(month, tag(" ")),
        // Later years would not fit the nanoseconds of UnixTime.
        verify(terminated(digits(4, 2500), tag(" ")), |y| *y >= 1970),
    )
        .parse(text)?;
    let (rest, (h, m, s, _)) = (
        digits(2, 23),
        preceded(tag(":"), digits(2, 59)),
        preceded(tag(":"), digits(2, 60)),
        tag(" GMT"),
    )
        .parse(rest)?;
    match day_number(year, month as u64 + 1, day) {
        Some(days) => Ok((rest, days * 86_400 + h * 3600 + m * 60 + s)),
        None => Err(nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Verify))),
    }
}

/// Days since 1970-01-01; `None` for a day that the month does not have.
fn day_number(year: u64, month: u64, day: u64) -> Option<u64> {
    // Days from 0000-03-01, with the year beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day.checked_sub(1)?;
    let number = days.checked_sub(719_468)?;
    (civil(number as i64) == (year as i64, month as u32, day as u32)).then_some(number)
}

impl fmt::Display for SipDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let days = secs / 86_400;
        let (year, month, day) = civil(days as i64);
        let name = DAYS.get((days % 7) as usize).unwrap_or(&"Thu");
        let month = MONTHS.get(month as usize - 1).unwrap_or(&"Jan");
        let (h, m, s) = (secs / 3600 % 24, secs / 60 % 60, secs % 60);
        write!(f, "{name}, {day:02} {month} {year:04} {h:02}:{m:02}:{s:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_rfc_reads_and_prints_back() {
        let text = "Sat, 13 Nov 2010 23:29:00 GMT";
        assert_eq!(SipDate::parse(text).map(|d| d.to_string()).as_deref(), Ok(text));
        assert_eq!(SipDate(UnixTime(0)).to_string(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn other_zones_and_days_that_no_month_has_are_refused() {
        for bad in [
            "",
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Sat, 31 Feb 2010 00:00:00 GMT",
            "Sat, 00 Feb 2010 00:00:00 GMT",
            "Sat, 13 Nov 1910 23:29:00 GMT",
            "Sat, 13 Nov 2010 24:29:00 GMT",
            "Sat, 13 Nov 2010 23:29:00 GMT ",
        ] {
            assert!(SipDate::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_second_prints_to_itself(seconds in 0u64..16_000_000_000) {
            let date = SipDate(UnixTime(seconds * 1_000_000_000));
            prop_assert_eq!(SipDate::parse(&date.to_string()), Ok(date));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,40}") {
            let _ = SipDate::parse(&text);
        }
    }
}
