//! Replicas that are processes of their own, so that they can be killed.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use dyno_restarter::config::Config;
use dyno_restarter::store::Timing;
use dyno_restarter::{bind, run, shutdown, with_causes};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::in_time;
use crate::service::{KEY, QUICK, seconds};

/// Set for the processes that are replicas.
const ROLE: &str = "DATABASE_TEST_REPLICA";

/// A running process.
pub(crate) struct Process {
    pub(crate) address: String,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// The released program, at its own pace.
    pub(crate) async fn of_program(environment: &HashMap<String, String>) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_dyno-restarter")).env_clear(), environment).await
    }

    /// The same service at the pace of the tests: this executable again, see [`a_replica_of_the_tests`].
    pub(crate) async fn quick(environment: &HashMap<String, String>) -> Self {
        let own = std::env::current_exe().expect("this is a program");
        let mut command = Command::new(own);
        let arguments = ["process::a_replica_of_the_tests", "--exact", "--nocapture"];
        Self::start(command.env_clear().env(ROLE, "1").args(arguments), environment).await
    }

    async fn start(command: &mut Command, environment: &HashMap<String, String>) -> Self {
        command.envs(environment).env("PORT", "127.0.0.1:0").stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let line = in_time("a line of the log", lines.next_line()).await.expect("it is text").expect("it serves");
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.to_owned();
            }
        };
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                *kept.lock().expect("nobody panics") += &(line + "\n");
            }
        });
        Self { address, child, log }
    }

    /// Sends an alert; `None` when the answer does not come.
    pub(crate) async fn alert(&self) -> Option<(u16, String)> {
        let request =
            reqwest::Client::new().post(format!("http://{}/restart_web_dynos", self.address)).bearer_auth(KEY);
        let answer = request.timeout(seconds(40)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// SIGKILL.
    pub(crate) async fn kill(mut self) -> String {
        self.child.kill().await.expect("it is ours");
        self.log()
    }

    /// SIGTERM. Waits for the end.
    pub(crate) async fn terminate(mut self) -> String {
        let kill = format!("kill -TERM {}", self.child.id().expect("it runs"));
        Command::new("sh").args(["-c", &kill]).status().await.expect("there is a shell");
        let status = in_time("the end of a process", self.child.wait()).await.expect("it is ours");
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("nobody panics").clone()
    }
}

/// No test, but the process that [`Process::quick`] starts.
#[test]
fn a_replica_of_the_tests() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let mut config = Config::from_lookup(std::env::var_os).expect("the environment is right");
    if let Some(store) = &mut config.store {
        store.timing = Timing { answer: seconds(4), ..QUICK };
    }
    let log = dyno_restarter::telemetry::init(&config.log);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let ended = runtime.block_on(async {
        let signal = shutdown::signal().expect("signals can be listened for");
        let listener = bind(config.listen).expect("there is a free port");
        tracing::info!("listening on {}", listener.local_addr().expect("it is bound"));
        run(config, listener, async { _ = signal.await }).await
    });
    runtime.shutdown_background();
    if let Err(error) = &ended {
        tracing::error!("{}", with_causes(error));
    }
    log.flush();
    // Without the summary of a test.
    std::process::exit(i32::from(ended.is_err()));
}
