//! The words of states, and the fields in which they count.

use serde_json::json;

use super::{ALL, NO_ALERT, RECOVERED, TEST, check_json, decision, json};
use crate::service::{Service, shop};

#[tokio::test(start_paused = true)]
async fn each_word_of_a_recovery_is_known_and_each_word_of_trouble_outweighs_it() {
    let quiet = "resolved recovered recovery closed ok okay normal up end ended cleared clear fixed healthy inactive \
                 success successful passing passed online operational available auto_resolved auto_closed \
                 back_to_normal HOST_IS_UP CRITICAL_TO_OK X_CLOSE_Y fooRecoveredBar problem-resolved alarm.cleared \
                 recovered_from_failure resolved_error resolve recover close succeeded pass good green stable \
                 solved restored check_in_reporting resolved_critical";
    let silent = "silenced paused suppressed disabled maintenance dismissed under_maintenance in_maintenance scheduled_maintenance \
                  unmonitored cancelled canceled deleted insufficient_data";
    let trouble = "firing alerting triggered down critical problem open reopened error failed failing degraded warning \
                   unhealthy offline unreachable no_data OK_TO_CRITICAL resolved_to_triggered dns_resolve_failed \
                   incident.reopened HTTPDown check.failed recovery_failed re_triggered trigger crit opened \
                   failure fail fired started warn re_warn outage unavailable breached violated fatal emergency crashed \
                   dead re_no_data major_outage partial_outage unresolve unresolved";
    // Known to nobody, or not what they seem to be.
    let unknown = "wobbling backup_started scale_up not_resolved could_not_resolve could_not_recover close_to_limit";
    let mut rows = Vec::new();
    for (words, alone, with_recovery) in
        [(quiet, RECOVERED, RECOVERED), (silent, NO_ALERT, RECOVERED), (trouble, ALL, ALL), (unknown, ALL, RECOVERED)]
    {
        for word in words.split_whitespace() {
            rows.push((json!({ "status": word }), alone));
            if word != "backup_started" {
                rows.push((json!({ "state": word, "event": "resolved" }), with_recovery));
            }
        }
    }
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_rule_is_no_state() {
    check_json(&[
        (json!({ "trigger": "Ping", "status": "PROBLEM" }), ALL),
        (json!({ "trigger": "Ping" }), ALL),
        (json!({ "trigger": "Deployment", "status": "PROBLEM" }), ALL),
        (json!({ "trigger": "Disk is down", "status": "OK" }), RECOVERED),
        (json!({ "severity": "critical", "level": "error", "status": "resolved" }), RECOVERED),
        (json!({ "type": "ping", "monitor": { "status": "ok" } }), ALL),
        (json!({ "type": "error", "status": "resolved" }), RECOVERED),
        (json!({ "type": "test" }), TEST),
        (json!({ "type": "test_event" }), TEST),
        (json!({ "type": "test", "status": "firing" }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_word_that_is_not_known_restarts_and_the_log_names_it() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for body in [json!({ "status": "wobbling" }), json!({ "status": "firing", "state": "wavering" }), json!({})] {
        decision(&service, json(&body)).await;
    }
    assert_eq!(service.log.count("an alert says wobbling in its field status"), 1);
    assert_eq!(service.log.count("add only_if=status:wobbling to the URL"), 1);
    assert_eq!(service.log.count("a word that is not known"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_log_shows_an_only_if_that_can_be_pasted_into_the_url() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (body, only_if) in [
        (json!({ "status": "on the blink" }), "only_if=status:on%20the%20blink"),
        (json!({ "Alert State": "défaut/2" }), "only_if=Alert%20State:d%C3%A9faut%2F2"),
    ] {
        assert_eq!(decision(&service, json(&body)).await, "web.1");
        assert_eq!(service.log.count(&format!("add {only_if} to the URL")), 1, "{}", service.log.text());
        assert_eq!(decision(&service, json(&body).asking(only_if)).await, "web.1");
        assert!(decision(&service, json(&json!({})).asking(only_if)).await.starts_with("Ignored"));
    }
    service.stop().await;
}
