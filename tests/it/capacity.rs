//! Rule 3, the number of dynos that must run before another one is restarted.

use dyno_restarter::restart::Outcome;
use simulator::Heroku;

use crate::service::{Service, seconds, shop};

#[tokio::test(start_paused = true)]
async fn scaling_away_a_dyno_that_was_down_does_not_lower_the_bar() {
    let (heroku, shop) = shop(5).await;
    shop.dyno("web.5").crash();
    shop.watch();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.4").crash();
    shop.scale("web", 4);
    service.passes(1).await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn on_fir_a_dyno_that_boots_for_ever_by_itself_does_not_fail_a_healthy_restart() {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", 5);
    shop.dyno(&shop.names()[4]).set_state("starting").age(seconds(5));
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    let failed = service.report().dynos.values().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count();
    assert_eq!((failed, service.report().end.as_ref()), (0, None));
    service.stop().await;
    assert_eq!(shop.restarts().len(), 4);
}
