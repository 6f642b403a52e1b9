//! Heroku's error codes.

use std::fmt;

/// An error code, such as `R14`. All codes are described at <https://devcenter.heroku.com/articles/error-codes>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    letter: u8,
    number: u8,
}

impl Code {
    /// `None` unless the text is a capital letter and two digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match *text {
            [letter @ b'A'..=b'Z', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                Some(Self { letter, number: (tens - b'0') * 10 + (ones - b'0') })
            }
            _ => None,
        }
    }

    /// The source of the error: `R` is a dyno, `H` the router, `L` logplex.
    #[must_use]
    pub fn letter(self) -> char {
        char::from(self.letter)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.letter(), self.number)
    }
}
