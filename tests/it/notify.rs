//! `NOTIFY_URL`: a message for each event that a person should know.

mod contents;
pub(crate) mod receiver;

use simulator::{Fault, On};

use self::receiver::{Behaviour, Receiver};
use crate::drains;
use crate::service::{Service, config, environment, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_restart_is_told_with_its_dynos_its_reason_and_how_long_it_took() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    service.alert_and_pass("").await;
    assert_eq!(
        receiver.message(0).await,
        "shop: Restarted web.1 (up again after 6s) and web.2 (up again after 6s). 1 alert asked for all watched dynos."
    );
    service.stop().await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_does_nothing_is_not_told() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url), ("MIN_AGE", "23h")]).await;
    for query in ["", "dyno=web.99", "dry_run=true"] {
        service.ask(query).await;
    }
    service.passes(1).await;
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    assert_eq!(receiver.messages(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_and_so_is_the_end_of_the_hold() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").never_boots();
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    service.alert_and_pass("").await;
    let told = receiver.message(0).await;
    for part in [
        "shop: web.2 is not up 2m after its restart. Automatic restarts are on hold until it is up. Look at `heroku logs -a \
         shop -d web.2`; an alert with force=true restarts dynos in spite of the hold. Restarted web.1 (",
        "Not restarted: web.3.",
    ] {
        assert!(told.contains(part), "{told}");
    }
    service.alert_and_pass("").await;
    shop.dyno("web.2").comes_up();
    service.alert_and_pass("").await;
    let told = receiver.message(1).await;
    assert!(told.starts_with("shop: Alerts restart dynos again: web.2 is up. Restarted web.3 ("), "{told}");
    service.stop().await;
    assert_eq!(receiver.messages().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_another_alert_the_end_of_a_hold_is_told_within_a_minute_or_when_the_window_has_passed() {
    type HoldEnds = fn(&simulator::App);
    let ends: [(HoldEnds, u64, &str); 3] = [
        (|shop| drop(shop.dyno("web.2").comes_up()), 70, "web.2 is up"),
        (|shop| shop.scale("web", 1), 70, "web.2 was scaled away"),
        (|_| {}, 3600, "web.2 failed longer ago than the window of GIVE_UP_AFTER"),
    ];
    for (end, within, why) in ends {
        let (heroku, shop) = shop(2).await;
        shop.dyno("web.2").never_boots();
        let receiver = Receiver::start().await;
        let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
        service.alert_and_pass("").await;
        end(&shop);
        tokio::time::sleep(seconds(within)).await;
        let told = receiver.messages();
        assert!(told[1].starts_with(&format!("shop: Alerts restart dynos again: {why}.")), "{told:#?}");
        assert_eq!(service.log.count("alerts restart dynos of shop again: web.2"), 1);
        service.stop().await;
        assert_eq!((receiver.messages().len(), shop.restarts().len()), (2, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_dynos_that_are_down_the_last_one_that_comes_up_ends_the_hold() {
    let (heroku, shop) = shop(6).await;
    for name in ["web.1", "web.2"] {
        shop.dyno(name).crashes_on_boot();
    }
    let receiver = Receiver::start().await;
    let changes = [("NOTIFY_URL", receiver.url.as_str()), ("MAX_UNAVAILABLE", "2")];
    let service = Service::with(&heroku, &changes).await;
    service.alert_and_pass("").await;
    shop.dyno("web.2").comes_up();
    tokio::time::sleep(seconds(120)).await;
    assert_eq!(receiver.messages().len(), 1);
    shop.dyno("web.1").comes_up();
    tokio::time::sleep(seconds(70)).await;
    service.stop().await;
    assert!(receiver.messages()[1].starts_with("shop: Alerts restart dynos again: web.1 is up."));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_fails_long_after_its_pass_is_told_without_another_alert() {
    let (heroku, shop) = shop(2).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url), ("MIN_AGE", "1h")]).await;
    service.alert_and_pass("").await;
    shop.dyno("web.1").crash();
    tokio::time::sleep(seconds(610)).await;
    let told = receiver.messages();
    assert!(told[1].starts_with("shop: web.1 crashed within ") && told[1].contains("on hold"), "{told:#?}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn that_a_token_works_again_is_told_without_another_alert_and_only_to_who_knows_that_it_did_not() {
    for (status, messages) in [(401, 2), (503, 0)] {
        let (heroku, _) = shop(1).await;
        let receiver = Receiver::start().await;
        let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
        heroku.misbehave(On::List, Fault::Status(status), 3);
        tokio::time::sleep(seconds(900)).await;
        let told = receiver.messages();
        service.log.until(|log| log.count("the dynos of shop can be listed again") == 1).await;
        service.stop().await;
        assert_eq!(told.len(), messages, "{told:#?}");
        assert!(told.iter().skip(1).all(|told| told == "shop: Heroku accepts the calls of the restarter again."));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_costs_one_look_a_minute() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let before = heroku.calls().len();
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    assert!((9..=10).contains(&(heroku.calls().len() - before)), "{}", heroku.calls().len() - before);
}

#[tokio::test(start_paused = true)]
async fn giving_up_is_told_once_and_so_is_that_alerts_count_again() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let changes = [("NOTIFY_URL", receiver.url.as_str()), ("GIVE_UP_AFTER", "1 in 1h")];
    let service = Service::with(&heroku, &changes).await;
    for _ in 0..11 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60 + 30)).await;
    }
    service.stop().await;
    let told = receiver.messages();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[1].starts_with("shop: Gave up on web.1: 1 restarts within 1h did not help; alerts count again in "));
    assert!(told[1].ends_with("Find the leak, or use a larger dyno size: `heroku ps:type -a shop`."), "{told:#?}");
    assert!(told[2].starts_with("shop: Alerts restart web.1 again: "), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_told_once_with_what_to_do() {
    for (status, remedy) in [(401, "make a new token"), (403, "make it a collaborator"), (404, "check APP_NAME")] {
        let (heroku, _) = shop(1).await;
        let receiver = Receiver::start().await;
        let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
        heroku.misbehave(On::List, Fault::Status(status), 2);
        service.alert_and_pass("").await;
        service.alert_and_pass("").await;
        service.alert_and_pass("").await;
        service.stop().await;
        let told = receiver.messages().join("\n");
        let lines: Vec<_> = told.lines().collect();
        assert!(lines[0].starts_with("shop: Its dynos cannot be restarted. ") && lines[0].contains(remedy), "{told}");
        assert!(
            lines[1].starts_with("shop: Heroku accepts the calls of the restarter again. Restarted web.1 (")
                && lines.len() == 2,
            "{told}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_at_the_start_is_told() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    heroku.misbehave(On::List, Fault::Status(401), 1);
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    let told = receiver.message(0).await;
    assert!(told.starts_with("shop: Its dynos cannot be restarted. Heroku rejected the token: 401"), "{told}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_silent_for_an_hour_is_told_once() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    drains::post(&service, drains::frame(0, "web.1", "State changed from starting to up")).await;
    tokio::time::sleep(seconds(3500)).await;
    drains::post(&service, drains::frame(0, "web.1", "State changed from starting to up")).await;
    tokio::time::sleep(seconds(3500)).await;
    assert_eq!(receiver.messages(), Vec::<String>::new());
    tokio::time::sleep(seconds(2 * 3600)).await;
    let told = receiver.messages();
    assert!(told[0].starts_with("shop: Its log drain has been silent for 1h. "), "{told:#?}");
    service.stop().await;
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_work_left_is_told_before_the_service_ends() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(15));
    let receiver = Receiver::start().await;
    let mut service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    service.alert().await;
    service.terminate();
    service.ended().await.expect("it ends well");
    let told = receiver.messages().join("\n");
    for part in [
        "shop: Restarted web.1 (up again after ",
        "The restarter was shut down before all was done. Alerts that waited are dropped: they asked for all watched dynos.",
        "Not restarted: web.2 and web.3.",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_several_apps_at_once_becomes_one_message() {
    let (heroku, _) = shop(1).await;
    _ = heroku.create_app("blog").with("web", 1);
    let receiver = Receiver::start().await;
    let changes = [("NOTIFY_URL", receiver.url.as_str()), ("APP_NAME", "shop,blog")];
    let service = Service::with(&heroku, &changes).await;
    for query in ["app=shop", "app=blog"] {
        assert_eq!(service.ask(query).await.0, 202);
    }
    service.passes(2).await;
    let told = receiver.message(0).await;
    assert!(
        told.lines().count() == 2 && told.contains("shop: Restarted") && told.contains("blog: Restarted"),
        "{told}"
    );
    service.stop().await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_and_recovers_gets_every_message_in_one() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    receiver.behave(Behaviour::Fail(503));
    service.alert_and_pass("dyno=web.1").await;
    service.alert_and_pass("dyno=web.2").await;
    receiver.until(|receiver| receiver.attempts().len() == 6).await;
    receiver.behave(Behaviour::Take);
    let told = receiver.message(0).await;
    assert!(told.lines().count() == 2 && told.contains("web.1 (") && told.contains("web.2 ("), "{told}");
    let pauses: Vec<u64> = receiver.attempts().windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
    assert_eq!(pauses[..5], [2, 4, 8, 16, 32]);
    service.stop().await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_stalls_delays_no_pass_and_no_answer() {
    let (heroku, shop) = shop(2).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    receiver.behave(Behaviour::Stall);
    service.alert_and_pass("dyno=web.1").await;
    receiver.until(|receiver| receiver.attempts().len() == 1).await;
    service.alert_and_pass("dyno=web.2").await;
    assert_eq!((shop.restarts().len(), service.report().took.as_secs()), (2, 6));
    receiver.behave(Behaviour::Take);
    assert_eq!(receiver.message(0).await.lines().count(), 2);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_a_pause_gets_it_within_limits() {
    for (asked, pause) in [(40, 40), (0, 2), (86_400, 300)] {
        let (heroku, _) = shop(1).await;
        let receiver = Receiver::start().await;
        let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
        receiver.behave(Behaviour::Limit(asked));
        service.alert_and_pass("").await;
        receiver.until(|receiver| receiver.attempts().len() == 1).await;
        receiver.behave(Behaviour::Take);
        receiver.message(0).await;
        let attempts = receiver.attempts();
        assert_eq!((attempts[1] - attempts[0]).as_secs(), pause, "{asked}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_tried_for_15_minutes_and_no_longer() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    receiver.behave(Behaviour::Fail(500));
    service.alert_and_pass("dyno=web.1").await;
    service.log.until(|log| log.count("1 notifications could not be sent for 15 minutes and are dropped") == 1).await;
    let attempts = receiver.attempts().len();
    assert!((8..=20).contains(&attempts), "{attempts}");
    receiver.behave(Behaviour::Take);
    service.alert_and_pass("dyno=web.2").await;
    assert!(receiver.message(0).await.contains("web.2 ("));
    service.stop().await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_rejected_is_dropped_and_no_redirect_is_followed() {
    for status in [302, 400, 404, 410] {
        let (heroku, _) = shop(1).await;
        let receiver = Receiver::start().await;
        let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
        receiver.behave(Behaviour::Fail(status));
        service.alert_and_pass("").await;
        let told = format!("a notification was not sent: the webhook of NOTIFY_URL rejected it with {status}");
        service.log.until(|log| log.count(&told) == 1).await;
        tokio::time::sleep(seconds(3600)).await;
        service.stop().await;
        assert_eq!(receiver.attempts().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_stalls_does_not_delay_the_end_of_the_service() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    receiver.behave(Behaviour::Stall);
    service.alert_and_pass("").await;
    let (began, log) = (tokio::time::Instant::now(), service.log.clone());
    service.stop().await;
    assert_eq!(
        (began.elapsed().as_secs(), log.count("with notifications that were not sent")),
        (2, 1),
        "{}",
        log.text()
    );
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_a_message_is_sent_without_waiting_for_the_rest_of_a_pause() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    receiver.behave(Behaviour::Limit(300));
    service.alert_and_pass("").await;
    receiver.until(|receiver| receiver.attempts().len() == 1).await;
    receiver.behave(Behaviour::Take);
    tokio::time::sleep(seconds(5)).await;
    service.stop().await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_url_is_in_no_log_line_and_in_no_debug_print_whatever_fails() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let gone = "http://127.0.0.1:9/services/secret-path";
    for (url, behaviour) in [
        (receiver.url.as_str(), Behaviour::Fail(500)),
        (&receiver.url, Behaviour::Fail(404)),
        (&receiver.url, Behaviour::Stall),
        (&receiver.url, Behaviour::Take),
        (gone, Behaviour::Take),
    ] {
        let changes = [("NOTIFY_URL", url), ("MIN_AGE", "0s")];
        let service = Service::with(&heroku, &changes).await;
        receiver.behave(behaviour);
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(1200)).await;
        let shown =
            format!("{:?} {}", config(&environment(&heroku, &changes)).expect("it is right"), service.log.text());
        assert!(!shown.contains("secret-path"), "{behaviour:?}: {shown}");
        assert!(shown.contains("notification was"), "{behaviour:?}: {shown}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_heroku_says_cannot_mention_people_or_break_the_line_and_is_cut() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    let body = format!("<!channel>\n\u{202e}no {}", "x".repeat(3000));
    heroku.misbehave(On::List, Fault::Answer { status: 403, headers: Vec::new(), body }, 1);
    service.alert_and_pass("").await;
    let told = receiver.message(0).await;
    assert!(told.contains("403 ‹!channel› no xxx") && told.contains("make it a collaborator"), "{told}");
    assert!(told.lines().count() == 1 && told.chars().count() < 800, "{told}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_about_many_dynos_fits_into_any_chat() {
    let (heroku, _) = shop(60).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url), ("MAX_UNAVAILABLE", "30")]).await;
    service.alert_and_pass("").await;
    let told = receiver.message(0).await;
    assert!(told.contains(" and 40 more. 1 alert asked for all watched dynos.") && told.len() < 1_900, "{told}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn alerts_that_heroku_did_not_answer_for_15_minutes_are_told() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    heroku.misbehave(On::List, Fault::Status(503), usize::MAX);
    service.alert_and_pass("").await;
    let told = receiver.message(0).await;
    assert!(told.starts_with("shop: Heroku's API failed for 15 minutes, and the alerts are not acted on: "), "{told}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_hold_of_a_dyno_that_was_not_seen_up_is_told_whatever_ends_it() {
    type HoldEnds = fn(&simulator::App);
    let ends: [HoldEnds; 3] =
        [|shop| drop(shop.dyno("web.2").comes_up()), |shop| shop.scale("web", 1), simulator::App::deploy];
    let mut told = Vec::new();
    for end in ends {
        let (heroku, shop) = shop(2).await;
        shop.dyno("web.2").never_boots();
        let receiver = Receiver::start().await;
        let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
        service.ask("dyno=web.2").await;
        heroku.until(|_| shop.restarts() == ["web.2"]).await;
        heroku.misbehave(On::List, Fault::Status(401), 1);
        service.passes(1).await;
        assert!(receiver.message(0).await.contains("Automatic restarts are on hold until it is up"));
        end(&shop);
        tokio::time::sleep(seconds(200)).await;
        service.stop().await;
        told.push(receiver.messages().split_off(1));
    }
    assert!(told.iter().all(|told| told[0].contains("Alerts restart dynos again: web.2")), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_told_also_when_the_call_before_failed_for_a_moment() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    heroku.misbehave(On::List, Fault::Status(503), 1);
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    heroku.revoke_token();
    tokio::time::sleep(seconds(3600)).await;
    service.stop().await;
    assert_eq!(receiver.messages().len(), 1);
}
