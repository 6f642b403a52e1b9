//! The handle of the whole simulation.

use std::io;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;

use crate::app::App;
use crate::app_state::AppState;
use crate::faults::{Fault, On};
use crate::record::Call;
use crate::server::serve;
use crate::simulation::{Simulation, run_engine};

/// A simulated Heroku. Cheap to clone; clones share the world.
///
/// It lives as long as the runtime that it was started in.
#[derive(Clone)]
pub struct Heroku {
    simulation: Arc<Simulation>,
    port: u16,
}

impl Heroku {
    /// The OAuth token that the API accepts.
    pub const TOKEN: &str = crate::TOKEN;

    /// Serves on a free port of this machine.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub async fn start() -> Heroku {
        Heroku::start_on(0).await.expect("the machine has a free port")
    }

    /// The same, with a clock that is ahead of the system's, or behind it.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub async fn start_ahead(ahead: SignedDuration) -> Heroku {
        Heroku::serve(0, ahead).await.expect("the machine has a free port")
    }

    /// Serves on this port of this machine; 0 is a free one.
    pub async fn start_on(port: u16) -> io::Result<Heroku> {
        Heroku::serve(port, SignedDuration::ZERO).await
    }

    async fn serve(port: u16, ahead: SignedDuration) -> io::Result<Heroku> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let simulation = Arc::new(Simulation::new(ahead));
        tokio::spawn(run_engine(Arc::clone(&simulation)));
        tokio::spawn(serve(listener, Arc::clone(&simulation)));
        Ok(Heroku { simulation, port })
    }

    /// The base URL of the API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Creates a Cedar app that has no dynos yet.
    ///
    /// # Panics
    ///
    /// When there is an app of this name.
    pub fn create_app(&self, name: &str) -> App {
        self.simulation.change(|state| {
            let world = &mut state.world;
            assert!(!world.apps.contains_key(name), "there is an app {name} already");
            let app = AppState::new(&mut world.agenda, name);
            world.apps.insert(name.to_owned(), app);
        });
        self.app(name)
    }

    /// The app of this name.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn app(&self, name: &str) -> App {
        let known = self.simulation.with(|state| state.world.apps.contains_key(name));
        assert!(known, "there is no app {name}");
        App::new(Arc::clone(&self.simulation), name)
    }

    /// The next `times` requests that match get the fault; `usize::MAX` is for ever. Several calls
    /// queue up: the later fault begins when the earlier one has been used up.
    pub fn misbehave(&self, on: On, fault: Fault, times: usize) {
        self.simulation.change(|state| state.faults.add(on, fault, times));
    }

    /// Forgets all faults.
    pub fn behave(&self) {
        self.simulation.change(|state| state.faults.clear());
    }

    /// Every request, in order of arrival, with the status of its answer once it has one.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.simulation.with(|state| state.record.calls.clone())
    }

    /// The simulated wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.simulation.clock.now()
    }

    /// How many calls are left in the account's bucket of 4500; it gains 75 a minute.
    pub fn set_rate_limit_remaining(&self, tokens: u32) {
        self.simulation.change(|state| state.account.set_remaining(state.world.agenda.now, tokens));
    }

    /// The scope of the token, `write` at first. `read` alone does not allow a restart.
    pub fn set_token_scope(&self, scope: &[&str]) {
        let scope = scope.iter().map(|&scope| scope.to_owned()).collect();
        self.simulation.change(|state| state.account.scope = scope);
    }

    /// From now on the token is refused.
    pub fn revoke_token(&self) {
        self.simulation.change(|state| state.account.revoked = true);
    }

    /// The account is suspended. It says so, and is let in as before.
    pub fn suspend_account(&self) {
        self.simulation.change(|state| state.account.trouble = Some("suspended_at"));
    }

    /// A bill of the account was not paid.
    pub fn leave_bill_unpaid(&self) {
        self.simulation.change(|state| state.account.trouble = Some("delinquent_at"));
    }

    /// Accepts other tokens, too, with global scope, as the Heroku CLI needs it.
    pub fn accept_any_token(&self) {
        self.simulation.change(|state| state.account.any_token = true);
    }

    /// Waits until the condition holds. Checks it at each change.
    ///
    /// # Panics
    ///
    /// When the condition does not hold within an hour.
    pub async fn until(&self, what: impl Fn(&Heroku) -> bool) {
        let so = self.simulation.until(|| what(self)).await;
        assert!(so, "the condition did not hold within an hour; the calls so far: {:#?}", self.calls());
    }
}
