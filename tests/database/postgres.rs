//! A private PostgreSQL on loopback, where its programs are installed. It ends with the process of the tests.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// Set by `.ci/run`: a machine without PostgreSQL is an error then.
const REQUIRED: &str = "DATABASE_TESTS_REQUIRED";

/// The user of the server, and the password.
pub(crate) const PASSWORD: &str = "password-of-the-tests";

/// A server of its own. It ends when this is dropped, and when the process ends.
pub(crate) struct Server {
    port: u16,
    _shell: Child,
    end: Option<ChildStdin>,
}

/// A database of its own in the server that all tests share.
pub(crate) struct Database {
    pub(crate) url: String,
    client: OnceCell<Client>,
}

impl Database {
    /// `None` on a machine without PostgreSQL: then the test is left out.
    pub(crate) async fn create() -> Option<Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let server =
            tokio::task::spawn_blocking(|| SERVER.get_or_init(|| Server::start(None))).await.expect("no panic");
        let server = server.as_ref()?;
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.connect("postgres").await.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("created");
        Some(Self { url: server.url(&name), client: OnceCell::new() })
    }

    /// A connection of the test itself.
    pub(crate) async fn client(&self) -> &Client {
        self.client.get_or_init(async || client(&self.url).await.expect("the database is there")).await
    }

    /// A connection of its own.
    pub(crate) async fn connect(url: &str) -> Client {
        client(url).await.expect("the database is there")
    }

    pub(crate) fn name(&self) -> &str {
        self.url.rsplit_once('/').expect("the URL has a database").1
    }

    /// One number.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.try_number(query).await.expect("the tables are there")
    }

    /// The same, unless the tables are not there yet.
    pub(crate) async fn try_number(&self, query: &str) -> Option<i64> {
        self.client().await.query_one(query, &[]).await.ok()?.get(0)
    }
}

impl Server {
    /// Starts one on this port, or on a free one. `None` on a machine without PostgreSQL.
    pub(crate) fn start(port: Option<u16>) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and there is no PostgreSQL");
            let told = "tests of the database are LEFT OUT: PostgreSQL is not installed (Debian: apt-get install postgresql)\n";
            // Not captured, unlike what is printed.
            std::io::stderr().write_all(told.as_bytes()).ok();
            return None;
        };
        let port = port.unwrap_or_else(free_port);
        let mut command = as_ordinary_user();
        let mut shell = command
            .args(["sh", "-c", SCRIPT])
            .arg(programs)
            .args([port.to_string().as_str(), PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .spawn()
            .expect("there is a shell");
        let end = shell.stdin.take();
        let server = Self { port, _shell: shell, end };
        server.wait();
        Some(server)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) async fn connect(&self, database: &str) -> Client {
        client(&self.url(database)).await.expect("the server is there")
    }

    fn wait(&self) {
        for _ in 0..600 {
            let url = self.url("postgres");
            let connected = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async { client(&url).await.is_ok() })
            });
            if connected.join().expect("no panic") {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL did not start within a minute");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
    }
}

/// Sets a server up in a directory of its own, and ends it when the standard input ends.
const SCRIPT: &str = r#"
set -e
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
echo "$2" > "$directory/password"
"$0/initdb" -D "$directory/data" -A scram-sha-256 --pwfile "$directory/password" -U postgres --no-sync -E UTF8
if command -v openssl; then
    openssl req -new -x509 -days 2 -nodes -subj /CN=database.test -newkey rsa:2048 \
        -out "$directory/data/server.crt" -keyout "$directory/data/server.key"
    chmod 600 "$directory/data/server.key"
    echo "ssl = on" >> "$directory/data/postgresql.conf"
fi
echo "fsync = off" >> "$directory/data/postgresql.conf"
"$0/postgres" -D "$directory/data" -p "$1" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c max_connections=1000 -c shared_buffers=16MB &
server=$!
cat > /dev/null
kill -INT $server
wait $server || true
"#;

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|programs| programs.join("initdb").exists()).max()
}

/// PostgreSQL refuses to run as root.
pub(crate) fn as_ordinary_user() -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = Command::new(if is_root { "setpriv" } else { "env" });
    if is_root {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

async fn client(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
