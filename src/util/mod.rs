//! Small tools that know nothing of alerts or restarts.

pub(crate) mod clock;
pub(crate) mod dedup;
pub(crate) mod dry_run;
pub(crate) mod log_throttle;
pub(crate) mod memory;
pub(crate) mod ordered;
pub(crate) mod own_url;
pub(crate) mod query;
pub(crate) mod request_id;
pub(crate) mod rounds;
pub(crate) mod secrets;
pub(crate) mod task;
pub(crate) mod text;
pub(crate) mod tls;
