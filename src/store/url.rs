//! `DATABASE_URL`: where the database is, and how the connection is encrypted.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// Where the database is. It contains a password, so it is never shown.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    pub(super) config: Config,
    /// Whether the certificate is verified. Heroku's is self-signed, and libpq does not verify for `sslmode=require` either.
    pub(super) verifies: bool,
    /// Whether it is on this machine, as a pooler of one dyno is.
    pub(super) is_local: bool,
}

impl DatabaseUrl {
    /// Parses the value of `DATABASE_URL`.
    ///
    /// # Errors
    /// A text that follows the name of the variable. It contains nothing of the value.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "postgres" | "postgresql"))
            .ok_or("is not a URL that begins with postgres://")?;
        let mode = url.query_pairs().find(|(name, _)| name == "sslmode").map(|(_, mode)| mode.into_owned());
        let others: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "sslmode").collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(&others);
        }
        let (ssl_mode, verifies) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, false),
            Some("allow" | "prefer") => (SslMode::Prefer, false),
            None if is_this_machine(&url) => (SslMode::Prefer, false),
            // Heroku's URL has no mode, and its databases refuse connections without TLS.
            Some("require") | None => (SslMode::Require, false),
            Some("verify-full") => (SslMode::Require, true),
            Some("verify-ca") => {
                return Err("has sslmode=verify-ca; use verify-full, which checks the name, too".to_owned());
            }
            Some(_) => return Err("has an sslmode that is not disable, prefer, require or verify-full".to_owned()),
        };
        // The error may quote the value.
        let mut config: Config = url.as_str().parse().map_err(|_| "has a parameter that is unknown or invalid")?;
        if config.get_user().is_none() || config.get_hosts().is_empty() {
            return Err("does not name a user and a host".to_owned());
        }
        config.ssl_mode(ssl_mode).application_name(env!("CARGO_PKG_NAME"));
        Ok(Self { config, verifies, is_local: is_this_machine(&url) })
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl")
    }
}
