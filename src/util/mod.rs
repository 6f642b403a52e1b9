//! Small tools that know nothing of alerts or restarts.

pub mod dedup;
pub mod log_throttle;
pub mod query;
pub mod text;
