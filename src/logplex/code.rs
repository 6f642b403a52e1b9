//! The codes of Heroku's errors.

use std::fmt;

/// The code of an error, such as `R14`. All are described at <https://devcenter.heroku.com/articles/error-codes>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    letter: u8,
    number: u8,
}

/// A set of codes, cheap to ask: one bit a code, for each letter a word.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Codes([u128; LETTERS]);

const LETTERS: usize = 26;

impl Code {
    /// `None` for what is not a capital letter and two digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match *text {
            [letter @ b'A'..=b'Z', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                Some(Self { letter, number: (tens - b'0') * 10 + (ones - b'0') })
            }
            _ => None,
        }
    }

    /// What kind of error it is: `R` is of a dyno, `H` of the router, `L` of logplex.
    #[must_use]
    pub fn letter(self) -> char {
        char::from(self.letter)
    }

    fn row(self) -> usize {
        usize::from(self.letter - b'A')
    }

    fn bit(self) -> u128 {
        1 << self.number
    }
}

impl Codes {
    /// Whether `code` is one of them.
    #[must_use]
    pub fn contains(&self, code: Code) -> bool {
        self.0[code.row()] & code.bit() != 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Code> {
        let every = (b'A'..=b'Z').flat_map(|letter| (0..100).map(move |number| Code { letter, number }));
        every.filter(|&code| self.contains(code))
    }
}

impl FromIterator<Code> for Codes {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> Self {
        codes.into_iter().fold(Self::default(), |mut set, code| {
            set.0[code.row()] |= code.bit();
            set
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.letter(), self.number)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
