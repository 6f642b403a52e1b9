//! What is restarted because of a log drain, from the first line to the new process.

use super::{R14, attach};
use crate::service::{Service, seconds, shop};

#[tokio::test(start_paused = true)]
async fn leaking_dynos_are_restarted_one_by_one_while_the_others_serve() {
    let (heroku, shop) = shop(4).await;
    let shop = shop.runtime_metrics();
    let service = Service::start(&heroku).await;
    attach(&shop, &service).await;
    shop.traffic(1.0);
    shop.leak("web", 60.0);
    shop.reset_fewest_up();
    heroku.until(|_| shop.restarts().len() == 4 && shop.up("web") == 4).await;
    shop.leak("web", 0.0);
    shop.traffic(0.0);
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    let mut restarts = shop.restarts();
    restarts.sort();
    assert_eq!(
        (restarts, shop.fewest_up("web")),
        (["web.1", "web.2", "web.3", "web.4"].map(str::to_owned).to_vec(), 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_keeps_leaking_is_given_up_on_and_costs_few_calls() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "2 in 6h")]).await;
    attach(&shop, &service).await;
    shop.leak("web", 40.0);
    heroku.until(|_| shop.restarts().len() == 4).await;
    let (calls, logged) = (heroku.calls().len(), service.log.count("INFO"));
    tokio::time::sleep(seconds(3600)).await;
    assert!(heroku.calls().len() <= calls + 6 * 60, "{} calls", heroku.calls().len() - calls);
    service.stop().await;
    assert_eq!(shop.restarts().len(), 4);
    assert!(logged < 100);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_whose_requests_time_out_is_restarted_if_errors_include_h12() {
    let (heroku, shop) = shop(3).await;
    let service = Service::with(&heroku, &[("ERRORS", "R14,R15,H12")]).await;
    attach(&shop, &service).await;
    shop.dyno("web.2").hang();
    shop.traffic(2.0);
    service.passes(1).await;
    shop.traffic(0.0);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_above_the_memory_limit_is_restarted_before_heroku_reports_r14() {
    for limit in ["90%", "480MB"] {
        let (heroku, shop) = shop(3).await;
        let shop = shop.runtime_metrics();
        let service = Service::with(&heroku, &[("MEMORY_LIMIT", limit)]).await;
        attach(&shop, &service).await;
        // From 256 MB, so it is above 480 MB after 15 minutes and above the 512 MB of the quota after 17.
        shop.leak("web", 15.0);
        heroku.until(|_| shop.restarts().len() == 3).await;
        assert!(!shop.log().iter().any(|line| line.contains("Error R14")), "{limit}");
        assert!(service.log.count("is in trouble: it uses 4") >= 3, "{limit}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn reports_from_before_the_dyno_started_are_ignored() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(30));
    let service = Service::with(&heroku, &[("MIN_AGE", "0s")]).await;
    attach(&shop, &service).await;
    for ago in [50, 35, 10] {
        shop.platform_line("web.1", R14, seconds(ago));
    }
    service.passes(1).await;
    assert_eq!(
        service.log.count("web.1 of shop: left alone: the trouble was 50s ago, but this process started only 30s ago"),
        1
    );
    for ago in [20, 4, 1] {
        shop.platform_line("web.1", R14, seconds(ago));
        shop.drained().await;
    }
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn late_reports_of_the_old_instance_do_not_cause_another_restart() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.late_r14(seconds(12));
    let service = Service::with(&heroku, &[("MIN_AGE", "0s"), ("TOLERANCE", "1 in 2m")]).await;
    attach(&shop, &service).await;
    shop.leak("web", 60.0);
    service.passes(2).await;
    let restarts = shop.restarts().len();
    shop.leak("web", 0.0);
    tokio::time::sleep(seconds(300)).await;
    assert!(service.log.count("but this process started only") >= 1, "{}", service.log.lines("pass over").join("\n"));
    service.stop().await;
    assert_eq!(shop.restarts().len(), restarts);
}

#[tokio::test(start_paused = true)]
async fn a_report_from_the_old_process_during_its_shutdown_does_not_cause_another_restart() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("MIN_AGE", "0s"), ("TOLERANCE", "1 in 2m")]).await;
    attach(&shop, &service).await;
    shop.platform_line("web.1", R14, seconds(0));
    service.passes(1).await;
    shop.platform_line("web.1", R14, seconds(2));
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_young_dyno_that_stays_in_trouble_is_restarted_when_it_is_old_enough() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(60));
    let service = Service::start(&heroku).await;
    attach(&shop, &service).await;
    let begin = tokio::time::Instant::now();
    while shop.restarts().is_empty() {
        shop.platform_line("web.1", R14, seconds(0));
        tokio::time::sleep(seconds(20)).await;
        assert!(begin.elapsed() < seconds(400), "{:?}", service.log.lines("pass over"));
    }
    service.stop().await;
}
