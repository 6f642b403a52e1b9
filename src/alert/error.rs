//! What can be wrong with a body.

/// Why a body was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is too large to be read.
    #[error("it is too large")]
    TooLarge,
    /// It did not come to its end.
    #[error("it did not come to its end")]
    CutOff,
    /// It is compressed, which nobody does to webhooks.
    #[error("it is compressed")]
    Compressed,
    /// It begins as JSON and is none.
    #[error("it is broken JSON, around line {line}, column {column}")]
    BrokenJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}
