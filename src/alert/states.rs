//! The rules about values: which words in which fields say that something is wrong, or that it is not. Each word is there
//! because some sender uses it. `signal` looks them up.

use super::fields::FieldKind::{
    self, Active, AlertType, EventUpdate, EventValue, Heartbeat, Resolved, Rule, Severity, State, Test, Text, Title,
    Type, Version,
};
use super::signal::Signal::{self, News, Nothing, Quiet, Trouble};

/// Why an alert asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inactive {
    /// The trouble has passed.
    #[error("the alert has recovered")]
    Recovered,
    /// A person takes care of the trouble.
    #[error("the alert has been acknowledged")]
    Acknowledged,
    /// The sender tries out its webhook.
    #[error("the alert is a test")]
    Test,
    /// The message is about a deploy.
    #[error("the message is about a deploy")]
    Deploy,
    /// The sender asks whether this is the right address.
    #[error("the message only asks whether this is the right address")]
    Handshake,
    /// The message is about something else, such as a comment.
    #[error("the message is not an alert")]
    NoAlert,
}

use Inactive::{Acknowledged, Deploy, Handshake, NoAlert, Recovered};

/// What a word says in a field of a state, alone or in a compound code. Of several words in a code, the last one counts.
pub(super) const WORDS: &[(Signal, &str)] = &[
    (Quiet(Recovered), "resolved resolve recovered recover recovery closed close cleared clear fixed ended solved"),
    (Quiet(Recovered), "restored mitigated succeeded"),
    (Quiet(NoAlert), "cancelled canceled"),
    (Trouble, "firing alerting triggered trigger down critical problem error failed failing failure degraded outage"),
    (Trouble, "offline unhealthy unreachable opened reopened started"),
    (Trouble, "breached violated crashed exceeded killed anomalous"),
    (News(Acknowledged), "acknowledged acknowledge acknowledgement"),
    (
        News(NoAlert),
        "unacknowledged unacknowledge commented comment assigned assign unassigned reassigned annotated snoozed snooze escalated",
    ),
    (
        News(NoAlert),
        "escalate delegated responder subscriber collaborator recipient mortem muted unmuted cert certificate ssl",
    ),
];

/// What a whole value says in fields of one kind.
pub(super) const VALUES: &[(FieldKind, Signal, &str)] = &[
    (State, Quiet(Recovered), "ok okay normal up end healthy inactive deactivated success successful pass"),
    (State, Quiet(Recovered), "passed passing online operational available good green stable running reachable"),
    (State, Quiet(Recovered), "responding completed finished done autoresolved not_firing not_triggered not_alerting"),
    (State, Quiet(Recovered), "no_longer_firing no_longer_active no_longer_alerting check_in_reporting"),
    (State, Quiet(Recovered), "working alive healed normalized normalised repaired complete finish autoclosed"),
    (State, Quiet(Recovered), "no_problem no_problems no_error no_errors stopped_firing no_data_recovered"),
    (State, Quiet(Inactive::Test), "test testing ping pagey_ping test_notification test_alert test_event test_message"),
    (State, Quiet(Inactive::Test), "webhook_test sample"),
    (State, Quiet(NoAlert), "silenced paused suspended suppressed disabled maintenance under_maintenance"),
    (State, Quiet(NoAlert), "in_maintenance scheduled_maintenance unmonitored dismissed deleted"),
    (State, Quiet(NoAlert), "delete insufficient_data no_alert scheduled postmortem"),
    (State, Trouble, "open reopen fired fail crit fatal emergency warn warning re_warn no_data re_no_data unavailable"),
    (State, Trouble, "unresolve unresolved dead alarm unknown unkn raised ongoing red"),
    (State, News(Acknowledged), "acknowledgment acked ack accepted"),
    (State, News(Deploy), "deployed deploy deployment release"),
    (State, News(NoAlert), "delegate unsnoozed silence unsilence unsilenced ignored archived annotate"),
    (State, News(NoAlert), "note merged downtime_start downtime_end downtime_removed downtime_cancelled"),
    // What else Mackerel reports.
    (State, News(NoAlert), "host_status host_register host_retire monitor_create monitor_update monitor_delete"),
    (State, News(NoAlert), "flapping_start flapping_end flapping_stop flapping_disabled error_activity"),
    // The words of messages about any change. Other fields say what has changed.
    (State, Nothing, "activated active created create updated changed new info"),
    (State, Nothing, "notification log_alert metric_alert occurred"),
    // 1 is down, 2 is up, 3 is about a certificate. The words of a state count too.
    (AlertType, Trouble, "1"),
    (AlertType, Quiet(Recovered), "2"),
    (AlertType, News(NoAlert), "3"),
    // The status of a heartbeat of Uptime Kuma: 2 is pending.
    (Heartbeat, Trouble, "0"),
    (Heartbeat, Quiet(Recovered), "1"),
    (Heartbeat, Quiet(NoAlert), "3"),
    (EventValue, Trouble, "1"),
    (EventValue, Quiet(Recovered), "0"),
    (EventUpdate, News(NoAlert), "1"),
    (Resolved, Quiet(Recovered), "true"),
    (Active, Quiet(Recovered), "false"),
    (Version, News(Inactive::Test), "test"),
    // How bad it is, which an alert that has recovered may still say.
    (Severity, Quiet(Recovered), "ok okay clear cleared resolved recovered recovery"),
    (Severity, Quiet(NoAlert), "maintenance"),
    (Type, News(Handshake), "url_verification subscribe unsubscribe_confirmation"),
    (Type, Quiet(Inactive::Test), "test verification"),
    (Type, Quiet(NoAlert), "schedule_on_call_users"),
    // Verbs, which are the type of no monitor and of no error.
    (Type, Trouble, "unresolve"),
    (Type, News(Acknowledged), "acknowledge acknowledgement acknowledged"),
    (Type, News(NoAlert), "unacknowledge silence unsilence comment"),
    (Type, News(Deploy), "release"),
    // Only a few, for `[test]` may be the name of a stage.
    (Title, Quiet(Recovered), "resolved recovered recovery ok"),
    (Title, Quiet(Inactive::Test), "test_notification test_alert test_message this_is_a_test"),
    (Title, News(Acknowledged), "acknowledged"),
    // Where nothing else is in the brackets, or a colon follows.
    (Text, Quiet(Recovered), "resolved recovered recovery ok up online normal back_to_normal fixed closed cleared"),
    (Text, Quiet(Recovered), "ended solved restored clear success"),
    (Text, News(Acknowledged), "acknowledged acknowledgement"),
    (Text, News(NoAlert), "updated_problem"),
    (Text, Quiet(NoAlert), "maintenance scheduled_maintenance"),
    (Rule, News(Inactive::Test), "test_alert test_notification test_dummy_v1"),
    (Test, News(Inactive::Test), "true 1"),
];

/// What two words of a compound code say together: a thing, and what happened to it.
pub(super) const CHANGES: &[(Signal, &str, &str)] = &[
    (
        News(NoAlert),
        "note notes priority assignee owner ownership tag tags description details severity field fields values \
         title type service workflow bridge conference link attachment message urgency subscription",
        "add added update updated change changed edit edited set remove removed delete deleted posted published \
         replied completed",
    ),
    (News(NoAlert), "note notes communicationchannel statuspage", "created starred updated"),
    (News(NoAlert), "workflow invocation", "started succeeded failed terminated queued sent created"),
    (News(NoAlert), "service team", "created add"),
    (News(NoAlert), "update", "published posted"),
    (News(NoAlert), "status", "published posted"),
    (News(NoAlert), "task action membership follow", "granted revoked created updated completed"),
    (News(NoAlert), "domain links content dns", "expires expiring expired found changed"),
    (News(NoAlert), "ownership", "take taken"),
    (News(Deploy), "deploy deployment release", "started succeeded success finished completed created failed"),
    (News(Deploy), "deploy deployment release", "updated notification application"),
    (News(Handshake), "subscription", "confirmation validation verification"),
    // The status may be that of a monitor or a service. Another field says what it is now.
    (Nothing, "status state health", "change changed updated"),
    (News(NoAlert), "incident", "updated linked"),
];

/// What may precede the word of a state without changing its sense: `check.up`, `HOST_IS_UP`, `service back online`.
pub(super) const SUBJECTS: &str = "incident issue alert alarm monitor check event host site server service state status group item \
                        app is are was has been now back again uptime heartbeat";

/// How bad something is, whatever its state.
pub(super) const SEVERITIES: &str = "critical error problem warning fatal";

/// After one of these words, a recovery is none.
pub(super) const NEGATIONS: &str = "not no never cannot still non";

/// The values of headers that say that an alert asks for nothing.
pub(super) const HEADER_VALUES: &[(&str, &str, Inactive)] = &[
    ("x-rapid7-event", "test", Inactive::Test),
    ("x-github-event", "ping", Inactive::Test),
    ("x-github-event", "deployment deployment_status", Deploy),
    ("x-github-event", "push create delete release star watch fork issue_comment commit_comment", NoAlert),
    ("x-github-event", "pull_request pull_request_review pull_request_review_comment", NoAlert),
    ("sentry-hook-resource", "installation comment seer preprod_artifact", NoAlert),
];
