//! A TOML text as fields with positions — TOML 1.1. Owns: line and column of every complaint, the
//! collection of several complaints at once, unknown keys. Does not know: what the keys mean.
use core::fmt;
use core::ops::Range;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong with a configuration, where it stands (counted from 1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConfigError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Collects complaints while a text is read.
pub struct Reader<'a> {
    text: &'a str,
    errors: Vec<ConfigError>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<'a> Reader<'a> {
    /// Complaints kept of one text; more help nobody.
    const ERRORS_MAX: usize = 100;

    pub const fn new(text: &'a str) -> Self {
        Reader { text, errors: Vec::new() }
    }

    /// The whole document, its syntax errors already noted.
    pub fn document(&mut self) -> Fields<'a> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.blame(&span, error.message().trim().to_owned());
        }
        let span = table.span();
        Fields { name: "", span, table: table.into_inner() }
    }

    pub fn blame(&mut self, span: &Range<usize>, message: impl Into<String>) {
        if self.errors.len() < Self::ERRORS_MAX {
            let (line, column) = self.place(span.start);
            self.errors.push(ConfigError { line, column, message: message.into() });
        }
    }

    pub const fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// In the order of the text.
    pub fn into_errors(mut self) -> Vec<ConfigError> {
        self.errors.sort();
        self.errors.dedup();
        self.errors
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before.get(start..).unwrap_or("").chars().count() + 1)
    }
}

/// One table; what is not taken out by the end is unknown.
pub struct Fields<'a> {
    name: &'static str,
    pub span: Range<usize>,
    table: DeTable<'a>,
}

impl<'a> Fields<'a> {
    pub const fn new(name: &'static str, span: Range<usize>, table: DeTable<'a>) -> Self {
        Fields { name, span, table }
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'a>>> {
        self.table.remove(key)
    }

    /// A table of this name; an empty one where it is absent.
    pub fn table(&mut self, r: &mut Reader<'_>, key: &'static str) -> Option<Fields<'a>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Fields { name: key, span, table }),
            other => {
                r.blame(&span, format!("`{key}` must be a table, not {}", article(&other)));
                None
            }
        }
    }

    /// `[[key]]`: every table of the array.
    pub fn tables(&mut self, r: &mut Reader<'_>, key: &'static str) -> Vec<Fields<'a>> {
        let mut out = Vec::new();
        for item in self.list(r, key) {
            match item.value {
                DeValue::Table(table) => out.push(Fields { name: key, span: item.span, table }),
                other => r.blame(
                    &item.span,
                    format!("`[[{key}]]` must hold tables, not {}", article(&other)),
                ),
            }
        }
        out
    }

    /// An array, or one value standing for an array of one.
    pub fn list(&mut self, r: &mut Reader<'_>, key: &str) -> Vec<At<DeValue<'a>>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items
                .into_iter()
                .map(|item| At { span: item.span(), value: item.into_inner() })
                .collect(),
            DeValue::Boolean(_) => {
                r.blame(&span, format!("`{key}` must be a list"));
                Vec::new()
            }
            value => vec![At { value, span }],
        }
    }

    /// A list of strings, each read by `read`.
    pub fn texts<T>(
        &mut self,
        r: &mut Reader<'_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<At<T>> {
        let mut out = Vec::new();
        for item in self.list(r, key) {
            match item.value.as_str().map(&read) {
                Some(Ok(value)) => out.push(At { value, span: item.span }),
                Some(Err(why)) => r.blame(&item.span, format!("`{key}`: {why}")),
                None => {
                    let what = article(&item.value);
                    r.blame(&item.span, format!("`{key}` must hold strings, not {what}"));
                }
            }
        }
        out
    }

    /// One string, read by `read`.
    pub fn text<T>(
        &mut self,
        r: &mut Reader<'_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<T>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.get_ref().as_str().map(read) {
            Some(Ok(value)) => Some(At { value, span }),
            Some(Err(why)) => {
                r.blame(&span, format!("`{key}`: {why}"));
                None
            }
            None => {
                let what = article(value.get_ref());
                r.blame(&span, format!("`{key}` must be a string, not {what}"));
                None
            }
        }
    }

    pub fn bool(&mut self, r: &mut Reader<'_>, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            let what = article(value.get_ref());
            r.blame(&value.span(), format!("`{key}` must be true or false, not {what}"));
        }
        flag
    }

    /// A whole number of `range`.
    pub fn number(
        &mut self,
        r: &mut Reader<'_>,
        key: &str,
        range: core::ops::RangeInclusive<u64>,
    ) -> Option<At<u64>> {
        let value = self.take(key)?;
        let span = value.span();
        let (low, high) = (range.start(), range.end());
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok())
            .filter(|n| range.contains(n));
        if number.is_none() {
            r.blame(&span, format!("`{key}` must be a whole number from {low} to {high}"));
        }
        number.map(|value| At { value, span })
    }

    /// Every remaining key with its value: a table whose keys are names of the user's own.
    pub fn rest(&mut self) -> Vec<(At<String>, At<DeValue<'a>>)> {
        core::mem::take(&mut self.table)
            .into_iter()
            .map(|(key, value)| {
                let key = At { span: key.span(), value: key.into_inner().into_owned() };
                (key, At { span: value.span(), value: value.into_inner() })
            })
            .collect()
    }

    /// Blames what was not taken. Ends every table.
    pub fn finish(mut self, r: &mut Reader<'_>) {
        let place = match self.name {
            "" => "at the top".to_owned(),
            name => format!("in `{name}`"),
        };
        for (key, _) in self.rest() {
            r.blame(&key.span, format!("unknown key `{}` {place}", key.value));
        }
    }
}

/// What a value of the wrong kind is, for a sentence.
pub fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
