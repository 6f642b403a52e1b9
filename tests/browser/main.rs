//! The page in a real browser: `page.mjs` drives Chromium, in front of the service and a simulated Heroku, in real time.
//!
//! It needs Debian's package `chromium`, and `npm ci` in `tests/browser`. Where these are missing, it says so and passes:
//! `.ci/run` installs them, and sets `BROWSER_TEST=required`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use dyno_restarter::config::Config;
use dyno_restarter::{Listen, Service, bind};
use simulator::Heroku;
use tokio::process::Command;
use tokio::sync::oneshot;

const KEY: &str = "a-key-of-sixteen-characters-or-more";
const CHROMIUM: &str = "/usr/bin/chromium";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");

#[tokio::test]
async fn the_page_works_in_a_browser_with_and_without_scripts_and_axe_finds_nothing() {
    let is_there = Path::new(CHROMIUM).exists() && Path::new(FOLDER).join("node_modules").exists();
    let is_required = std::env::var_os("BROWSER_TEST").is_some_and(|value| value == "required");
    if !is_there && !is_required {
        // Not by a macro, whose output a passing test does not show.
        let left_out = b"Chromium or the packages of tests/browser are not installed: this test is left to .ci/run.\n";
        std::io::stderr().write_all(left_out).expect("standard error can be written");
        return;
    }
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 3).with("worker", 1).runtime_metrics();
    shop.dyno("web.3").crash();
    heroku.create_app("blog").with("web", 1);
    let url = heroku.url();
    let environment: HashMap<&str, &str> = [
        ("RESTART_API_KEY", Heroku::TOKEN),
        ("APP_NAME", "shop,blog"),
        ("RESTART_WEBHOOK_KEY", KEY),
        ("HEROKU_API_URL", &url),
    ]
    .into();
    let config = Config::from_lookup(|name| environment.get(name).map(OsString::from)).expect("a right environment");
    let listener = bind(Listen::At(([127, 0, 0, 1], 0).into())).expect("there is a free port");
    let page = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let (end, ended) = oneshot::channel::<()>();
    let service = Service::new(config).expect("the HTTP client can be set up");
    let running = tokio::spawn(service.run(listener, async {
        ended.await.ok();
    }));
    shop.drain_to(&format!("{}drain?app=shop", page.replace("http://", &format!("http://drain:{KEY}@")))).await;

    let mut browser = Command::new("node");
    let browser = browser.arg("page.mjs").args([&page, KEY, CHROMIUM]).current_dir(FOLDER).kill_on_drop(true);
    let output = browser.stdin(Stdio::null()).output();
    let output = tokio::time::timeout(Duration::from_secs(180), output).await.expect("it ends").expect("node runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
    drop(end);
    running.await.expect("it does not panic").expect("it ends without an error");
}
