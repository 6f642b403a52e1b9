//! Why a body is not understood.

/// The body is not understood. The alert counts all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParseError {
    /// The body has too many bytes.
    #[error("it is too large")]
    TooLarge,
    /// The body ended before its announced length.
    #[error("it was cut off")]
    CutOff,
    /// The body is compressed in a way that is not supported, or the compressed data are broken.
    #[error("it is compressed in a way that cannot be read")]
    Compressed,
    /// The body begins like JSON, but is invalid.
    #[error("it is broken JSON, around line {line}, column {column}")]
    BrokenJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}
