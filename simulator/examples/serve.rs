//! Starts a simulated Heroku with an app `shop`, so that you can try the Heroku CLI with it:
//!
//! ```sh
//! cargo run -p simulator --example serve -- 4000
//! HEROKU_HOST=http://localhost:4000 HEROKU_API_KEY=any heroku ps -a shop
//! ```

use simulator::Heroku;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let heroku = Heroku::start_on(port.unwrap_or(4000)).await?;
    heroku.accept_any_token();
    heroku.create_app("shop").with("web", 4).with("worker", 1);
    tokio::signal::ctrl_c().await
}
