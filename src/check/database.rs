//! The database.

use super::Line;
use crate::store::{Postgres, Settings};
use crate::util::text::with_causes;

/// Whether it answers, and what it keeps. Without it the service works from memory, so a fault is to be mended but stops
/// nothing.
pub(super) async fn line(settings: &Settings) -> Line {
    let postgres = match Postgres::new(settings) {
        Ok(postgres) => postgres,
        Err(error) => {
            let cure = "Install the package ca-certificates, or name a file of CA certificates in SSL_CERT_FILE.";
            return Line::bad(format!("the database: TLS cannot be set up: {}", with_causes(&error)), cure);
        }
    };
    match postgres.examine().await {
        Ok(text) => Line::good(format!("the database: {text}")),
        Err(error) => Line::bad(error.to_string(), format!("To fix it: {}.", error.remedy())),
    }
}
