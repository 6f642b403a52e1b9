//! What became of an alert, or why it was not acted on.

use crate::http::alert_log::AcceptedAlert;
use crate::http::auth::signature::SignatureError;
use crate::http::params::ParamError;
use crate::restart::{AppName, DryRun, DryRunError};

/// What became of an alert.
#[derive(Debug)]
pub(crate) enum AlertOutcome {
    /// The apps whose dynos are restarted, each with what comes of the alert now.
    Triggered(Vec<AcceptedAlert>),
    /// The alert was delivered before.
    Repeated,
    /// Nothing is restarted, for this reason.
    Ignored(String),
    /// The sender asks whether this is the right address, and expects this field with this value.
    Answered(&'static str, String),
    /// The alert asks what would be restarted for it, and this is the answer.
    DryRun(AppName, Result<DryRun, DryRunError>),
}

/// Why an alert was not acted on. The texts are sent to the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// A log drain has the URL for alerts.
    #[error("This is the URL for alerts; a log drain delivers to /drain")]
    LogDrain,
    /// Neither the URL nor the alert names one of the watched apps.
    #[error(transparent)]
    Params(#[from] ParamError),
    /// The body is not the one that was signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The service is being shut down.
    #[error("The service is being shut down and triggered nothing; send the alert again")]
    Stopping,
}
