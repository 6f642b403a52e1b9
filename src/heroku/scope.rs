//! What the scope of an OAuth token allows, as far as restarts go.

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenScope {
    /// Far more than restarts.
    Global,
    /// Restart dynos.
    Write,
    /// Not restart dynos.
    TooSmall,
}

impl TokenScope {
    /// Reads the `Oauth-Scope` header.
    pub(crate) fn of(scope: &str) -> Self {
        let has = |wanted: &str| scope.split([' ', ',']).any(|word| word == wanted);
        if has("global") {
            Self::Global
        } else if has("write") || has("write-protected") {
            Self::Write
        } else {
            Self::TooSmall
        }
    }
}
