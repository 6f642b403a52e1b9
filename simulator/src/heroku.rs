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
use crate::simulation::{Simulation, run_event_loop};

/// A simulated Heroku. Cloning it is cheap, and all clones are the same Heroku.
///
/// The simulation runs until its tokio runtime ends.
#[derive(Clone)]
pub struct Heroku {
    simulation: Arc<Simulation>,
    port: u16,
}

impl Heroku {
    /// The OAuth token that the API accepts.
    pub const TOKEN: &str = crate::TOKEN;

    /// Starts a server on a free port of this machine.
    ///
    /// # Panics
    ///
    /// Panics if there is no free port.
    pub async fn start() -> Heroku {
        Heroku::start_on(0).await.expect("the machine has a free port")
    }

    /// Starts a server on a free port. Its clock differs from the system's clock by this offset.
    ///
    /// # Panics
    ///
    /// Panics if there is no free port.
    pub async fn start_with_clock_offset(offset: SignedDuration) -> Heroku {
        Heroku::serve(0, offset).await.expect("the machine has a free port")
    }

    /// Starts a server on this port of this machine. Port 0 stands for any free port.
    pub async fn start_on(port: u16) -> io::Result<Heroku> {
        Heroku::serve(port, SignedDuration::ZERO).await
    }

    async fn serve(port: u16, clock_offset: SignedDuration) -> io::Result<Heroku> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let simulation = Arc::new(Simulation::new(clock_offset));
        tokio::spawn(run_event_loop(Arc::clone(&simulation)));
        tokio::spawn(serve(listener, Arc::clone(&simulation)));
        Ok(Heroku { simulation, port })
    }

    /// Returns the base URL of the API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Creates a Cedar app that has no dynos yet.
    ///
    /// # Panics
    ///
    /// Panics if an app of this name exists.
    pub fn create_app(&self, name: &str) -> App {
        self.simulation.change(|state| {
            let platform = &mut state.platform;
            assert!(!platform.apps.contains_key(name), "an app {name} exists already");
            let app = AppState::new(&mut platform.queue, name);
            platform.apps.insert(name.to_owned(), app);
        });
        self.app(name)
    }

    /// Returns the app of this name.
    ///
    /// # Panics
    ///
    /// Panics if no app has this name.
    pub fn app(&self, name: &str) -> App {
        let exists = self.simulation.with(|state| state.platform.apps.contains_key(name));
        assert!(exists, "there is no app {name}");
        App::new(Arc::clone(&self.simulation), name)
    }

    /// Injects the fault into the next `times` matching requests. `usize::MAX` means all requests until
    /// [`Heroku::behave`]. If two faults match a request, the one that was added first is used until its `times` are
    /// used up.
    pub fn misbehave(&self, on: On, fault: Fault, times: usize) {
        self.simulation.change(|state| state.faults.add(on, fault, times));
    }

    /// Removes all faults.
    pub fn behave(&self) {
        self.simulation.change(|state| state.faults.clear());
    }

    /// Returns all requests so far, in the order of their arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.simulation.with(|state| state.record.calls.clone())
    }

    /// Returns the current time of the simulated clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.simulation.clock.now()
    }

    /// Sets how many calls the rate limit still allows. The number grows by 75 a minute, up to 4500.
    pub fn set_rate_limit_remaining(&self, tokens: u32) {
        self.simulation.change(|state| state.account.set_remaining(state.platform.queue.now, tokens));
    }

    /// Sets the scope of the token. The default is `write`. `read` alone does not allow a restart.
    pub fn set_token_scope(&self, scope: &[&str]) {
        let scope = scope.iter().map(|&scope| scope.to_owned()).collect();
        self.simulation.change(|state| state.account.scope = scope);
    }

    /// Revokes the token. From now on, requests with this token get 401.
    pub fn revoke_token(&self) {
        self.simulation.change(|state| state.account.revoked = true);
    }

    /// Sets `suspended_at` of the account. Requests are accepted as before.
    pub fn suspend_account(&self) {
        self.simulation.change(|state| state.account.restricted_by = Some("suspended_at"));
    }

    /// Sets `delinquent_at` of the account, as Heroku does when a bill was not paid. Requests are accepted as before.
    pub fn make_account_delinquent(&self) {
        self.simulation.change(|state| state.account.restricted_by = Some("delinquent_at"));
    }

    /// Accepts every token. A token other than [`Heroku::TOKEN`] has the scope `global`, which the Heroku CLI needs.
    pub fn accept_any_token(&self) {
        self.simulation.change(|state| state.account.any_token = true);
    }

    /// Waits until the condition is true. Checks it after each change.
    ///
    /// # Panics
    ///
    /// Panics if the condition is not true within an hour.
    pub async fn until(&self, condition: impl Fn(&Heroku) -> bool) {
        let is_true = self.simulation.wait_until(|| condition(self)).await;
        assert!(is_true, "the condition was not true within an hour; the calls so far: {:#?}", self.calls());
    }
}
