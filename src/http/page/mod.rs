//! The page for the person on call, the same as JSON, the metrics, and whether the service is ready.
//!
//! - `html`: the page itself;
//! - `picture`: the last 24 hours on it;
//! - `times`: the times on it.

mod html;
mod picture;
mod times;

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, Request, State};
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
use super::status::StatusSource;
use crate::restart::{AppName, DryRunError, Restarter, Target, Trigger, When};
use crate::util::log_throttle::LogThrottle;
use crate::util::task;
use times::Offset;

/// A browser tells where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

struct Page {
    source: StatusSource,
    keys: Keys,
    misdirected: LogThrottle<()>,
    /// One text is made at a time, so that readers of the page do not take all threads.
    rendering: Semaphore,
}

/// The parameters of the page's URL.
#[derive(Debug, Default, Deserialize)]
struct PageParams {
    /// The offset of the reader's clock from UTC.
    #[serde(default)]
    offset: Option<String>,
    /// The app that was just asked to be restarted.
    #[serde(default)]
    triggered: Option<String>,
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
                    self.keys.log_refusal(&refusal.problem);
                }
                None
            }
        }
    }

    fn render(&self, offset: Offset, notice: &html::Notice) -> Response {
        let token = self.keys.form_token();
        let nonce = format!("{:032x}", fastrand::u128(..));
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let body = html::page(&self.source.status(), offset, notice, &html::Secrets { token: &token, nonce: &nonce });
        let headers = [(CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (CONTENT_SECURITY_POLICY, policy)];
        (headers, body.into_string()).into_response()
    }

    /// The app of this name, if it is watched.
    fn app(&self, name: &str) -> Option<AppName> {
        self.source.restarter.watched().apps().iter().find(|app| app.as_str() == name).cloned()
    }
}

/// The page.
async fn show(State(page): State<Arc<Page>>, Query(params): Query<PageParams>) -> Response {
    let offset = Offset::parse(params.offset.as_deref());
    let triggered = params.triggered.and_then(|name| page.app(&name));
    let notice = triggered.map_or(html::Notice::None, html::Notice::Triggered);
    beside_alerts(page, move |page| page.render(offset, &notice)).await
}

async fn status(State(page): State<Arc<Page>>) -> Response {
    beside_alerts(page, |page| Json(page.source.status()).into_response()).await
}

async fn metrics(State(page): State<Arc<Page>>) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    beside_alerts(page, move |page| ([(CONTENT_TYPE, content_type)], metrics::text(&page.source)).into_response()).await
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
    let Ok(Form(form)) = form else { return page.no_form() };
    let offset = Offset::parse(form.offset.as_deref());
    let is_from_elsewhere = headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    let has_token: bool = form.token.as_bytes().ct_eq(page.keys.form_token().as_bytes()).into();
    if is_from_elsewhere || !has_token {
        let notice = html::Notice::Refused("The form is not from this page, or the key has changed since. Try again.");
        return (StatusCode::FORBIDDEN, page.render(offset, &notice)).into_response();
    }
    let Some(app) = page.app(&form.app) else {
        let notice = html::Notice::Refused("This app is not watched here.");
        return (StatusCode::BAD_REQUEST, page.render(offset, &notice)).into_response();
    };
    let force = form.force.is_some();
    let trigger = Trigger { target: Target::all(When::Now), force, arrived: Instant::now(), sender };
    match form.action.as_str() {
        "restart" => page.restart(&app, trigger, offset).await,
        "dry_run" => {
            let notice = dry_run(&page.source.restarter, &app, trigger).await;
            page.render(offset, &notice)
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

impl Page {
    /// A request that does not come from a button: somebody may have set up a sender with this URL.
    fn no_form(&self) -> Response {
        let text = "Alerts go to POST /restart_web_dynos, log drains to POST /drain";
        self.keys.recent().add("not acted on", None, "", format!("it was sent to the page. {text}"));
        self.misdirected.log(&(), move |(), times| {
            warn!(
                count = times.count(),
                "a request with a valid key was sent to the page and not acted on{times}. {text}"
            );
        });
        (StatusCode::NOT_FOUND, format!("Nothing here. {text}")).into_response()
    }

    async fn restart(&self, app: &AppName, trigger: Trigger, offset: Offset) -> Response {
        let (key, force) = (Arc::clone(&trigger.sender), if trigger.force { " with force" } else { "" });
        if let Ok(outlook) = self.source.restarter.ask(app, trigger).await {
            self.keys.recent().count("triggered", Some(app));
            info!(
                event = "alert",
                %app,
                outcome = "accepted",
                key = &*key,
                "a person asked on the page for a restart of {app}{force} (key {key}): {outlook}"
            );
            // A page that is loaded again must not restart again.
            let location = format!("/?triggered={app}{}", offset.parameter());
            return (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
        }
        let notice = html::Notice::Refused("The restarter is being shut down. Try again in a minute.");
        (StatusCode::SERVICE_UNAVAILABLE, self.render(offset, &notice)).into_response()
    }
}

async fn dry_run(restarter: &Restarter, app: &AppName, trigger: Trigger) -> html::Notice {
    match restarter.dry_run(app, trigger).await {
        Ok(dry_run) => html::Notice::DryRun(Box::new(dry_run)),
        Err(DryRunError::Busy) => {
            html::Notice::Refused("A pass is under way. Try the dry run again when it has ended.")
        }
        Err(DryRunError::TimedOut) => html::Notice::Refused("Heroku did not answer in time. Try the dry run again."),
        Err(DryRunError::Stopping) => html::Notice::Refused("The restarter is being shut down. Try again in a minute."),
    }
}

/// Whether a restart could be made now. It names no app.
async fn ready(State(page): State<Arc<Page>>) -> Response {
    match page.source.why_not_ready() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
