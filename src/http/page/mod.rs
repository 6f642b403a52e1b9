//! The page for the person on call, the same as JSON, the metrics, and whether the service is ready.
//!
//! - `query`: the query of its URL;
//! - `html`: the page itself; `overview`: several apps on it; `app`: one app;
//! - `attention`: which dynos come first; `picture`: the last 24 hours; `times`: the times.

mod app;
mod attention;
mod html;
mod overview;
mod picture;
mod query;
mod times;

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, RawQuery, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{info, warn};

use super::auth::{Access, CHALLENGE, Keys};
use super::metrics;
use super::respond::ResponseFormat;
use super::status::StatusSource;
use crate::restart::{AppName, DryRunError, Restarter, Target, Trigger, When};
use crate::util::log_throttle::LogThrottle;
use crate::util::task;
use query::PageQuery;
use times::Offset;

/// A browser tells where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a button answers then.
const SHUTTING_DOWN: &str = "The restarter is being shut down. Try again in a minute.";

struct Page {
    source: StatusSource,
    keys: Keys,
    misdirected: LogThrottle,
    /// One text is made at a time, so that readers of the page do not take all threads.
    rendering: Semaphore,
}

/// The form around the buttons.
#[derive(Debug, Deserialize)]
struct ButtonForm {
    token: String,
    app: String,
    action: String,
    #[serde(default)]
    force: Option<String>,
    #[serde(default)]
    offset: Option<String>,
}

/// The routes of the page. All but `/ready` need a key.
pub(super) fn router(source: StatusSource, keys: Keys) -> Router {
    let page = Arc::new(Page { source, keys, misdirected: LogThrottle::default(), rendering: Semaphore::new(1) });
    Router::new()
        .route("/", get(show).post(act))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route_layer(from_fn_with_state(Arc::clone(&page), with_key))
        .route("/ready", get(ready))
        .with_state(page)
}

/// Asks for a key, and keeps the answer out of every cache and every other site.
async fn with_key(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let mut response = if let Some(key) = page.key(&head) {
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(KeyName(key));
        next.run(request).await
    } else {
        // A browser asks again after a wrong password, too.
        let text = "The user name is any word, and the password is a key of RESTART_WEBHOOK_KEY. \
                    With the name of the restarter for NAME, this prints it:\n\
                    heroku config:get RESTART_WEBHOOK_KEY -a NAME\n";
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, CHALLENGE)], text).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// The name of the key of a request.
#[derive(Clone)]
struct KeyName(Arc<str>);

impl Page {
    /// The name of the key of a request, if it has one and it is right.
    fn key(&self, head: &Parts) -> Option<Arc<str>> {
        match self.keys.check(head) {
            Ok(Access::Key(authorized)) => Some(Arc::clone(authorized.key())),
            Ok(Access::Signature(_)) => None,
            Err(refusal) => {
                if !refusal.is_anonymous {
                    self.keys.log_refusal(&refusal);
                }
                None
            }
        }
    }

    /// The page of all apps, or of `only` this one.
    fn render(&self, only: Option<&AppName>, offset: Offset, notice: &html::Notice) -> Response {
        let token = self.keys.form_token();
        let nonce = format!("{:032x}", fastrand::u128(..));
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let others = only.and_then(|only| self.source.need_a_person_beside(only));
        let shown = html::Shown { status: self.source.status(only), offset, others };
        let body = html::page(&shown, notice, &html::Secrets { token: &token, nonce: &nonce });
        let headers = [(CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (CONTENT_SECURITY_POLICY, policy)];
        (headers, body.into_string()).into_response()
    }

    /// The app of this name, if it is watched.
    fn app(&self, name: &str) -> Option<AppName> {
        self.source.restarter.watched().apps().iter().find(|app| app.as_str() == name).cloned()
    }
}

/// The page.
async fn show(State(page): State<Arc<Page>>, RawQuery(query): RawQuery) -> Response {
    let query = PageQuery::parse(query.as_deref().unwrap_or_default(), page.source.restarter.watched());
    // How the apps are is shown all the same: nobody looks for the mistake in the URL first.
    let refused = query.as_ref().err().map(|error| html::Notice::Refused(error.to_string()));
    let status = if refused.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let PageQuery { app, is_triggered, offset } = query.unwrap_or_default();
    let triggered = app.clone().filter(|_| is_triggered).map(html::Notice::Triggered);
    respond(page, status, app, offset, refused.or(triggered).unwrap_or(html::Notice::None)).await
}

/// The page of all apps, or of `only` this one.
async fn respond(
    page: Arc<Page>,
    status: StatusCode,
    only: Option<AppName>,
    offset: Offset,
    notice: html::Notice,
) -> Response {
    page.source.restarter.refresh().await;
    beside_alerts(page, move |page| (status, page.render(only.as_ref(), offset, &notice)).into_response()).await
}

async fn status(State(page): State<Arc<Page>>, RawQuery(query): RawQuery) -> Response {
    match query::parse_status(query.as_deref().unwrap_or_default(), page.source.restarter.watched()) {
        Ok(app) => {
            page.source.restarter.refresh().await;
            beside_alerts(page, move |page| Json(page.source.status(app.as_ref())).into_response()).await
        }
        Err(error) => ResponseFormat::Json.error(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn metrics(State(page): State<Arc<Page>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let restarter = &page.source.restarter;
    let (counters, ()) = tokio::join!(restarter.counters_of_all(), restarter.refresh());
    let text =
        move |page: &Page| ([(CONTENT_TYPE, content_type)], metrics::text(&page.source, counters)).into_response();
    beside_alerts(page, text).await
}

/// Makes a response on a thread of its own: with thousands of dynos that takes milliseconds, and no alert may wait for it.
async fn beside_alerts(page: Arc<Page>, make: impl FnOnce(&Page) -> Response + Send + 'static) -> Response {
    // The semaphore is never closed.
    let _permit = page.rendering.acquire().await;
    let shared = Arc::clone(&page);
    let making = tokio::task::spawn_blocking(move || make(&shared));
    task::output(making.await).unwrap_or_else(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

/// A button of the page.
async fn act(
    State(page): State<Arc<Page>>,
    headers: HeaderMap,
    Extension(KeyName(sender)): Extension<KeyName>,
    form: Result<Form<ButtonForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return page.no_form(&sender) };
    let offset = form.offset.as_deref().and_then(Offset::parse).unwrap_or_default();
    let is_from_elsewhere = headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    let has_token: bool = form.token.as_bytes().ct_eq(page.keys.form_token().as_bytes()).into();
    if is_from_elsewhere || !has_token {
        let why = "The form is not from this page, or the key has changed since. Try again.";
        return respond(page, StatusCode::FORBIDDEN, None, offset, html::Notice::Refused(why.to_owned())).await;
    }
    let Some(app) = page.app(&form.app) else {
        let why = "This app is not watched here.";
        return respond(page, StatusCode::BAD_REQUEST, None, offset, html::Notice::Refused(why.to_owned())).await;
    };
    let force = form.force.is_some();
    let trigger = Trigger { target: Target::all(When::Now), force, arrived: Instant::now(), sender };
    match form.action.as_str() {
        "restart" => {
            if page.restart(&app, trigger).await {
                // A page that is loaded again must not restart again.
                let location = format!("/?triggered={app}{}", offset.parameter());
                return (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
            }
            let notice = html::Notice::Refused(SHUTTING_DOWN.to_owned());
            respond(page, StatusCode::SERVICE_UNAVAILABLE, Some(app), offset, notice).await
        }
        "dry_run" => {
            let notice = dry_run(&page.source.restarter, &app, trigger).await;
            respond(page, StatusCode::OK, Some(app), offset, notice).await
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

impl Page {
    /// A request that does not come from a button: somebody may have set up a sender with this URL.
    fn no_form(&self, key: &str) -> Response {
        let text = "Alerts go to POST /restart_web_dynos, log drains to POST /drain";
        self.keys.recent().add("not acted on", None, key, &format!("it was sent to the page. {text}"));
        self.misdirected.log("", move |times| {
            warn!(
                count = times.count(),
                "a request with a valid key was sent to the page and not acted on{times}. {text}"
            );
        });
        (StatusCode::NOT_FOUND, format!("Nothing here. {text}")).into_response()
    }

    /// Asks for a restart. Not while the service is being shut down.
    async fn restart(&self, app: &AppName, trigger: Trigger) -> bool {
        let (key, force) = (Arc::clone(&trigger.sender), if trigger.force { " with force" } else { "" });
        let Ok(outlook) = self.source.restarter.ask(app, trigger).await else { return false };
        self.keys.recent().count("triggered", Some(app));
        info!(
            event = "alert",
            %app,
            outcome = "accepted",
            key = &*key,
            "a person asked on the page for a restart of {app}{force} (key {key}): {outlook}"
        );
        true
    }
}

async fn dry_run(restarter: &Restarter, app: &AppName, trigger: Trigger) -> html::Notice {
    let why = match restarter.dry_run(app, trigger).await {
        Ok(dry_run) => return html::Notice::DryRun(Box::new(dry_run)),
        Err(DryRunError::Busy) => "A pass is under way. Try the dry run again when it has ended.",
        Err(DryRunError::TimedOut) => "Heroku did not answer in time. Try the dry run again.",
        Err(DryRunError::Stopping) => SHUTTING_DOWN,
    };
    html::Notice::Refused(why.to_owned())
}

/// Whether a restart could be made now. It names no app.
async fn ready(State(page): State<Arc<Page>>) -> Response {
    match page.source.why_not_ready() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
