//! Paths as people write them into the settings of a sender: with a trailing slash, a double one, or `%5F` for `_`.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use tower::ServiceExt;

/// The URI as it was sent, of a request whose path was rewritten. A signature covers the path as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct SentUri(pub(crate) Uri);

/// Routes that also take a path that is spelt differently. A request with the usual path costs nothing more.
pub(super) fn with_lenient_paths(routes: Router, no_such_path: Router) -> Router {
    let by_usual_path = routes.clone().fallback_service(no_such_path);
    routes.fallback(async move |mut request: Request| {
        if let Some(usual) = usual_uri(request.uri()) {
            let sent = std::mem::replace(request.uri_mut(), usual);
            request.extensions_mut().insert(SentUri(sent));
        }
        by_usual_path.oneshot(request).await
    })
}

/// The URI with the path in its usual spelling; `None` if it has that spelling already.
fn usual_uri(uri: &Uri) -> Option<Uri> {
    let decoded = percent_encoding::percent_decode_str(uri.path()).decode_utf8().ok()?;
    let parts: Vec<_> = decoded.split('/').filter(|part| !part.is_empty()).collect();
    let path = format!("/{}", parts.join("/"));
    if path == uri.path() {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path_and_query: PathAndQuery = format!("{path}{query}").parse().ok()?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).ok()
}
