//! Headlines and texts for people, which may begin with a state.

use serde_json::json;

use super::{ACKNOWLEDGED, ALL, NO_ALERT, RECOVERED, TEST, check, check_json, text};

#[tokio::test(start_paused = true)]
async fn a_headline_says_at_its_end_that_all_is_well_again() {
    for headline in [
        "“nightly” is UP.",
        "✅ Your service shop is up! ✅",
        "✅ Application [shop] is back online",
        "An alert for *shop* has been resolved after passing successfully 5 time(s) in a row",
        "The check “nightly” is UP.",
    ] {
        for field in ["text", "title"] {
            check_json(&[
                (json!({ "attachments": [{ field: headline, "color": "good" }] }), RECOVERED),
                (json!({ field: headline, "status": "down" }), ALL),
            ])
            .await;
        }
    }
    for other in ["✅ shop is not up", "The check “nightly” is DOWN.", "2026-12-01 app[web.1]: Redis is up", "is up"]
    {
        check_json(&[(json!({ "text": other }), ALL), (json!({ "event": { "m": other } }), ALL)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_or_a_transition_is_read_as_a_whole() {
    for trouble in [
        "[OK → CRITICAL] mem",
        "[OK -> CRITICAL] mem",
        "[OK to CRITICAL] mem",
        "(OK => CRITICAL) mem",
        "Resolved: 2, Firing: 1",
        "Resolved: 2 | Firing: 1",
        "Resolved: 2 Firing: 1",
        "[Resolved 1 Firing 2]",
        "RESOLVED: 1\nFIRING: 2",
        "OK: 3, CRITICAL: 1",
        "[RESOLVED (1) / FIRING (2)] x",
    ] {
        for field in ["text", "title"] {
            check_json(&[(json!({ field: trouble }), ALL)]).await;
        }
    }
    for quiet in ["[CRITICAL → OK] mem", "Resolved: 2, Firing: 0", "[RESOLVED:2, FIRING:0] x"] {
        check_json(&[(json!({ "title": quiet }), RECOVERED)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_for_people_counts_by_its_beginning_if_nothing_else_gives_a_state() {
    let mut rows = Vec::new();
    for beginning in
        ["RESOLVED: x", "[Resolved] x", "✅ [Resolved] x", "✅ **Recovered** - x", "Monitor is UP: shop", "[✅ Up] x"]
            .into_iter()
            .chain(["Resolved in 1h 5m: x", ":white_check_mark: *RESOLVED*: x", "<!channel> :tada: [OK] x"])
            .chain(["<https://x.example/1|RESOLVED: x>", "<b>Resolved</b>: x", "<strong>✅ OK</strong> x"])
            .chain(["<p>Recovered</p>", "<@U123> Fixed!"])
    {
        for field in ["text", "content", "message", "title", "subject"] {
            rows.push((json!({ field: beginning }), RECOVERED));
        }
        rows.push((json!({ "attachments": [{ "title": beginning, "color": "good" }] }), RECOVERED));
        let header = json!({ "type": "header", "text": { "type": "plain_text", "text": beginning } });
        rows.push((json!({ "blocks": [header, { "type": "section", "text": { "text": "x" } }] }), RECOVERED));
        rows.push((json!({ "attachments": [{ "content": { "body": [{ "text": beginning }] } }] }), RECOVERED));
        rows.push((json!({ "status": "firing", "title": beginning }), ALL));
        rows.push((json!({ "status": "wobbling", "text": beginning }), ALL));
        rows.push((json!({ "event": { "m": beginning, "text": beginning } }), ALL));
    }
    for other in
        ["DOWN: x", "[Firing] x", "🔥 [Triggered] Resolved: x", "Not resolved: x", "Resolved x", "shop is up: x", "up"]
            .into_iter()
            .chain(["<x>OK</x>", ":a b: c", ": OK", "<b", ":boom: Failing: x", "Updating in 5m: x"])
    {
        for field in ["text", "content", "message", "title"] {
            rows.push((json!({ field: other }), ALL));
        }
    }
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_plain_text_counts_by_its_beginning() {
    check(vec![
        ("a recovery", text("RESOLVED: x"), RECOVERED),
        ("behind an emoji", text("✅ [Resolved] x"), RECOVERED),
        ("trouble", text("DOWN: x"), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn states_count_with_a_subject_in_front_and_only_a_few_in_brackets() {
    let mut rows = Vec::new();
    for word in ["incident.resolved", "ISSUE_CLOSED", "alert-ok", "alarm_ok", "monitor.up", "check.up", "event closed"]
    {
        rows.push((json!({ "event": word }), RECOVERED));
    }
    for title in ["[RESOLVED:1] x", "[TEST] [Recovered] x", " [Recovered on host] x"] {
        rows.push((json!({ "title": title }), RECOVERED));
    }
    rows.push((json!({ "subject": "[Acknowledged] x" }), ACKNOWLEDGED));
    for title in ["[test] x", "[deploy] x", "[closed x", "[up x", "x [RESOLVED]", "RESOLVED x"] {
        rows.push((json!({ "title": title }), ALL));
    }
    rows.push((json!({ "clear": false, "marker": "x", "labels": { "marker": {} } }), ALL));
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn each_word_with_which_a_headline_or_a_text_may_begin_is_known() {
    let titles = "resolved recovered recovery ok".split(' ');
    let mut rows: Vec<_> = titles.map(|word| (json!({ "title": format!("[{word} on x] y") }), RECOVERED)).collect();
    rows.push((json!({ "title": "[Acknowledged on x] y" }), ACKNOWLEDGED));
    for end in [":", "\n", "!", " |", " -", " –", " —"] {
        for word in ["Resolved", "Recovered", "Recovery", "OK", "Up", "Online", "Back to normal", "Fixed", "Back up"]
            .into_iter()
            .chain(["Normal", "Closed", "Cleared", "Ended", "Solved", "Restored"])
        {
            rows.push((json!({ "title": format!("{word}{end} y") }), RECOVERED));
        }
        rows.push((json!({ "text": format!("Acknowledged{end} y") }), ACKNOWLEDGED));
        rows.push((json!({ "text": format!("Updated problem in 5m{end} y") }), NO_ALERT));
    }
    rows.push((json!({ "text": "Resolved-y: x" }), ALL));
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_headline_may_begin_like_a_mail_or_name_its_kind_of_message() {
    check_json(&[
        (json!({ "subject": "** RECOVERY Service Alert: shop/mem is OK **" }), RECOVERED),
        (json!({ "subject": "** ACKNOWLEDGEMENT Service Alert: shop/mem is CRITICAL **" }), ACKNOWLEDGED),
        (json!({ "subject": "** PROBLEM Service Alert: shop/mem is CRITICAL **" }), ALL),
        (json!({ "subject": "FW: Re: [RESOLVED] x" }), RECOVERED),
        (json!({ "title": "(Resolved) x" }), RECOVERED),
        (json!({ "title": "[Incident Resolved] x" }), RECOVERED),
        (json!({ "title": "[SUCCESS] x" }), RECOVERED),
        (json!({ "title": "Maintenance: x" }), NO_ALERT),
        (json!({ "title": "Re: x" }), ALL),
        (json!({ "title": "Maintenance: x", "status": "firing" }), ALL),
        (json!({ "title": "Acknowledged: x", "status": "firing" }), ALL),
        (json!({ "title": "[maintenance-service] R14" }), ALL),
        (json!({ "text": "recovery-service: R14" }), ALL),
        (json!({ "title": "(shop) x" }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_headline_with_more_than_a_recovery_in_it_may_be_firing() {
    let mut rows = Vec::new();
    for text in ["[RESOLVED:1] [FIRING:2] x", "[RESOLVED:1, FIRING:2] x", "Resolved: 0, firing: 3", "Normal: false"] {
        rows.extend(["title", "text"].map(|field| (json!({ field: text }), ALL)));
    }
    let resolved =
        ["[Resolved] [Critical] x", "[RESOLVED:2] [FIRING:0] x", "[OK] [Alarm name] x", "[OK] [DOWN detector] x"];
    for text in resolved.into_iter().chain(["Resolved: no more errors", "OK: 0 errors", "Resolved: 0.5% errors"]) {
        rows.extend(["title", "text"].map(|field| (json!({ field: text }), RECOVERED)));
    }
    rows.push((json!({ "title": "This is a test" }), TEST));
    check_json(&rows).await;
}
