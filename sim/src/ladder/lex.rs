//! Lines of words with their columns. `#` begins a comment; `"..."` is one word, with `\r`, `\n`,
//! `\"` and `\\`; a comma is a word of its own.
use std::fmt;

/// Where and why a ladder cannot be understood. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub column: usize,
    pub quoted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: usize,
    /// Blanks before the first word.
    pub indent: usize,
    pub words: Vec<Word>,
}

pub fn lines(text: &str) -> Result<Vec<Line>, Error> {
    let mut out = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        let line = one(at + 1, raw)?;
        if !line.words.is_empty() {
            out.push(line);
        }
    }
    Ok(out)
}

fn one(number: usize, raw: &str) -> Result<Line, Error> {
    let mut words: Vec<Word> = Vec::new();
    let mut chars = raw.chars().enumerate().peekable();
    while let Some((at, c)) = chars.next() {
        let column = at + 1;
        match c {
            '#' => break,
            '\t' => {
                let message = "a tab; indent with blanks".to_owned();
                return Err(Error { line: number, column, message });
            }
            c if c.is_whitespace() => {}
            ',' => words.push(Word { text: ",".to_owned(), column, quoted: false }),
            '"' => {
                let mut text = String::new();
                let mut closed = false;
                while let Some((_, c)) = chars.next() {
                    match c {
                        '"' => {
                            closed = true;
                            break;
                        }
                        '\\' => match chars.next().map(|(_, c)| c) {
                            Some('r') => text.push('\r'),
                            Some('n') => text.push('\n'),
                            Some(other) => text.push(other),
                            None => {}
                        },
                        c => text.push(c),
                    }
                }
                if !closed {
                    let message = "this text never ends: a closing \" is missing".to_owned();
                    return Err(Error { line: number, column, message });
                }
                words.push(Word { text, column, quoted: true });
            }
            c => {
                let mut text = String::from(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| !c.is_whitespace() && *c != ',') {
                    text.push(c);
                }
                words.push(Word { text, column, quoted: false });
            }
        }
    }
    let indent = words.first().map_or(0, |w| w.column - 1);
    Ok(Line { number, indent, words })
}

/// The words of one line, taken from the left.
pub struct Cursor<'a> {
    line: &'a Line,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(line: &'a Line) -> Self {
        Cursor { line, at: 0 }
    }
    pub fn peek(&self) -> Option<&'a Word> {
        self.line.words.get(self.at)
    }
    pub fn word(&mut self) -> Option<&'a Word> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }
    /// Takes the word when it is this one.
    pub fn take(&mut self, text: &str) -> bool {
        let hit = self.peek().is_some_and(|w| w.text == text && !w.quoted);
        self.at += usize::from(hit);
        hit
    }
    /// Takes the word when it satisfies `test`.
    pub fn take_if(&mut self, test: impl Fn(&str) -> bool) -> Option<&'a str> {
        let word = self.peek().filter(|w| !w.quoted && test(&w.text))?;
        self.at += 1;
        Some(&word.text)
    }
    /// The next word, or an error that says what is wanted.
    pub fn want(&mut self, what: &str) -> Result<&'a Word, Error> {
        self.peek().ok_or_else(|| self.error(format!("{what} is missing")))?;
        self.word().ok_or_else(|| self.error(what.to_owned()))
    }
    pub fn expect(&mut self, text: &str) -> Result<(), Error> {
        if self.take(text) { Ok(()) } else { Err(self.error(format!("`{text}` belongs here"))) }
    }
    /// An error at the next word, or behind the last one.
    pub fn error(&self, message: String) -> Error {
        let behind = self.line.words.last().map_or(1, |w| w.column + w.text.chars().count());
        let column = self.peek().map_or(behind, |w| w.column);
        Error { line: self.line.number, column, message }
    }
    /// An error at the word taken last.
    pub fn error_before(&self, message: String) -> Error {
        let column = self.at.checked_sub(1).and_then(|at| self.line.words.get(at));
        Error { line: self.line.number, column: column.map_or(1, |w| w.column), message }
    }
    pub fn end(&self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(w) => Err(self.error(format!("`{}` has no meaning here", w.text))),
        }
    }
}
