//! Reads single settings, and reports those that are wrong.

use std::ops::RangeInclusive;

use super::{entry::Entry, key::Key, problem::Report, values::Values};

pub(super) struct Reader<'a> {
    pub(super) values: &'a Values,
    pub(super) report: &'a mut Report,
}

impl<'a> Reader<'a> {
    pub(super) fn entry(&self, key: &Key) -> Option<&'a Entry> {
        self.values.get(key)
    }

    /// A setting with one value; `None` if it is not set, or wrong, which is reported.
    pub(super) fn one<T>(
        &mut self,
        key: &Key,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        let parsed = entry.scalar().and_then(|text| parse(&text));
        parsed.map_err(|message| self.report.error(entry.problem(message))).ok()
    }

    /// A setting with one value, `default` if it is not set; `None` if it is wrong, which is
    /// reported.
    pub(super) fn one_or<T>(
        &mut self,
        key: &Key,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.entry(key) {
            Some(_) => self.one(key, parse),
            None => Some(default),
        }
    }

    /// A list of names, without repeats.
    pub(super) fn many<T: PartialEq>(
        &mut self,
        key: &Key,
        parse: impl FnMut(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.many_split(key, |text| text.split(',').map(str::trim).collect(), parse)
    }

    /// A list whose items `split` finds in a text; `None` if it is not set. Items that are wrong
    /// are reported and left out.
    pub(super) fn many_split<T: PartialEq>(
        &mut self,
        key: &Key,
        split: fn(&str) -> Vec<&str>,
        mut parse: impl FnMut(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let entry = self.entry(key)?;
        let items = match entry.list(split) {
            Ok(items) => items,
            Err(message) => {
                self.report.error(entry.problem(message));
                return None;
            }
        };
        let mut list = Vec::with_capacity(items.len());
        for item in &items {
            match parse(item) {
                Ok(parsed) if list.contains(&parsed) => {}
                Ok(parsed) => list.push(parsed),
                Err(message) if items.len() == 1 => self.report.error(entry.problem(message)),
                Err(message) => {
                    let message = format!("{}: {message}", entry.show_item(item));
                    self.report.error(entry.problem(message));
                }
            }
        }
        Some(list)
    }
}

/// Reads a whole number within `allowed`.
pub(super) fn whole(allowed: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> {
    move |text| {
        let (least, most) = (allowed.start(), allowed.end());
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("not a whole number; use {least} to {most}"));
        }
        match text.parse() {
            Ok(number) if allowed.contains(&number) => Ok(number),
            _ => Err(format!("out of range; use {least} to {most}")),
        }
    }
}

/// Reads a value that can be `none`.
pub(super) fn none_or<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text.eq_ignore_ascii_case("none") { Ok(None) } else { parse(text).map(Some) }
}
