//! A chat's webhook that can fail, stall and recover.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What the receiver does with a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    Take,
    /// Answers with this status.
    Fail(u16),
    /// Answers 429 and asks to wait this many seconds.
    Limit(u64),
    /// Never answers.
    Stall,
}

/// A running receiver.
pub(crate) struct Receiver {
    /// Its secret URL.
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    taken: Mutex<Vec<String>>,
    attempts: Mutex<Vec<Instant>>,
    grew: Notify,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Behaviour::Take),
            taken: Mutex::default(),
            attempts: Mutex::default(),
            grew: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let url = format!("http://{}/services/secret-path", listener.local_addr().expect("it is bound"));
        let router = Router::new()
            .route("/services/secret-path", post(receive))
            .route("/api/webhooks/1/secret-path", get(describe))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// From now on.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().expect("nobody panics") = behaviour;
    }

    /// The texts of the messages that were taken, without the link to the page.
    pub(crate) fn messages(&self) -> Vec<String> {
        let cut = |text: &String| text.split("\nMore: ").next().expect("there is a first part").to_owned();
        self.whole_messages().iter().map(cut).collect()
    }

    /// The texts of the messages that were taken.
    pub(crate) fn whole_messages(&self) -> Vec<String> {
        self.shared.taken.lock().expect("nobody panics").clone()
    }

    /// When messages came, taken or not.
    pub(crate) fn attempts(&self) -> Vec<Instant> {
        self.shared.attempts.lock().expect("nobody panics").clone()
    }

    /// Waits for this message; the first one is 0.
    pub(crate) async fn message(&self, number: usize) -> String {
        self.until(|receiver| receiver.messages().len() > number).await;
        self.messages()[number].clone()
    }

    /// Waits until `wanted` holds.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !wanted(self) {
                self.shared.grew.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(3 * 60 * 60), waiting).await.expect("within three hours");
    }
}

/// What Discord tells of a webhook.
async fn describe(State(shared): State<Arc<Shared>>) -> Response {
    match *shared.behaviour.lock().expect("nobody panics") {
        Behaviour::Fail(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        _ => "{}".into_response(),
    }
}

async fn receive(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let behaviour = *shared.behaviour.lock().expect("nobody panics");
    shared.attempts.lock().expect("nobody panics").push(Instant::now());
    shared.grew.notify_one();
    match behaviour {
        Behaviour::Take => {
            let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            let text = body["text"].as_str().expect("a text").to_owned();
            if text.is_empty() {
                return (StatusCode::BAD_REQUEST, "no_text").into_response();
            }
            shared.taken.lock().expect("nobody panics").push(text);
            shared.grew.notify_one();
            StatusCode::OK.into_response()
        }
        Behaviour::Fail(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Behaviour::Limit(wait) => (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, wait.to_string())]).into_response(),
        Behaviour::Stall => std::future::pending().await,
    }
}
