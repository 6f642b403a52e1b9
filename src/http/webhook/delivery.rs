//! What tells one delivery of an alert from another, so that one that is repeated counts once.

use axum::http::request::Parts;

use crate::alert::Alert;
use crate::http::auth::Authorized;
use crate::store::{DeliveryId, delivery_id};

/// An ID, the query that it counts together with, and the body that it counts together with.
pub(super) type Id<'a> = (&'a str, &'a str, &'a [u8]);

/// The IDs of a delivery. If one of them was seen before, the delivery is repeated.
///
/// A sender may use one ID for several of its webhooks, so an ID counts together with the query. A mere sequence number
/// may start again with each incident, so it counts together with the body, too.
pub(super) fn ids<'a>(
    alert: &'a Alert,
    authorized: &'a Authorized,
    head: &'a Parts,
    body: &'a [u8],
) -> impl Iterator<Item = Id<'a>> {
    let deliveries = alert.deliveries.iter().map(move |id| {
        let body = if id.starts_with("sequence/") { body } else { &[] };
        (id.as_str(), query(head), body)
    });
    deliveries.chain(nonce_id(authorized))
}

pub(super) fn nonce_id(authorized: &Authorized) -> Option<Id<'_>> {
    // The IDs of alerts begin with a name and a slash, so no nonce equals one of them.
    authorized.nonce().map(|nonce| ("nonce", nonce, &[][..]))
}

/// The same on every replica.
pub(super) fn digest_of((id, query, body): &Id<'_>) -> DeliveryId {
    delivery_id([id.as_bytes(), query.as_bytes(), body])
}

/// The query of a request, without the question mark.
pub(super) fn query(head: &Parts) -> &str {
    head.uri.query().unwrap_or_default()
}
