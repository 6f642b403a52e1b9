//! The rules about names: which field means what. They come from what monitoring services document about their webhooks;
//! each word is there because some sender uses it. To add a sender, add its words to a row, here or in `states`.
//!
//! Names match as a whole, without regard to case and punctuation: `startsAt` is `starts_at`.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::HeaderMap;

use super::word::{Word, WordHash};
use crate::util::dry_run;

/// What a field means. Each kind has its row in [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FieldKind {
    Active,
    Alerts,
    AlertType,
    App,
    ByDyno,
    Challenge,
    Clear,
    ConfirmUrl,
    Context,
    Delivery,
    Deploy,
    Dyno,
    Error,
    EventName,
    EventUpdate,
    EventValue,
    Events,
    Heartbeat,
    Host,
    Ignored,
    LeftOut,
    Maintenance,
    /// The name of a state or of an event.
    Name,
    NoAlert,
    /// The alert as its first sender sent it.
    Original,
    /// Nothing in particular. A text may still be a log line.
    Other,
    Resolved,
    Rule,
    Sequence,
    Severity,
    Source,
    State,
    Tags,
    Test,
    Text,
    Time,
    Title,
    Trigger,
    Type,
    Version,
    Wrapper,
}

/// The names of fields: the last part of a path. `*_status` stands for `alert_status`, `current_status` and so on, with each
/// of [`QUALIFIERS`].
const NAMES: &[(FieldKind, &str)] = &[
    // The state of an alert, in one word. As an object, it contains the alert.
    (FieldKind::State, "status state event action health *_status *_state *_event *_action *_phase event_type"),
    (FieldKind::State, "trigger_type message_type notification_type action_group action_group_name transition"),
    (
        FieldKind::State,
        "alert_action_group alert_action_group_name kibana_alert_status state_change conclusion entity_state",
    ),
    // What Nagios and Checkmk call them in the environment of a script.
    (FieldKind::State, "nagios_notificationtype nagios_servicestate nagios_hoststate"),
    (FieldKind::State, "notify_notificationtype notify_servicestate notify_hoststate"),
    (FieldKind::State, "alert_transition lifecycle monitor_condition new_state_value check_state_name state_name"),
    (FieldKind::State, "status_name current_milestone current_alert_phase alert_type_friendly_name webhook_event"),
    (FieldKind::State, "issue_event_type_name"),
    // The kind of an event, or a name that a person gave.
    (FieldKind::EventName, "event_name"),
    // What kind of message it is, which may be that of a recovery.
    (FieldKind::Type, "type hub_mode log_entry"),
    // What triggered the alert: an event, or a rule by its name.
    (FieldKind::Trigger, "trigger"),
    // How bad it is. Some senders say here that all is well.
    (FieldKind::Severity, "level severity impact"),
    // An object with the status as a number. None is there in a test.
    (FieldKind::Heartbeat, "heartbeat"),
    // The alert has recovered, unless the value is empty or false.
    (FieldKind::Clear, "clear"),
    // The alert has recovered if this is true.
    (
        FieldKind::Resolved,
        "resolved is_resolved recovered is_recovered back_to_normal is_up healthy is_healthy passing",
    ),
    // The alert has recovered if this is false.
    (FieldKind::Active, "firing is_firing is_active is_open is_down"),
    // The state as a number, as Zabbix gives it, and whether a person has only added something.
    (FieldKind::EventValue, "event_value trigger_value"),
    (FieldKind::EventUpdate, "event_update_status"),
    (FieldKind::Version, "version"),
    // The state as a number or a word.
    (FieldKind::AlertType, "alert_type"),
    // A headline, which may begin with a state.
    (FieldKind::Title, "title subject *_title"),
    // A text for people, which may begin with a state. It may be a log line, too, or an object or a list with such texts.
    (FieldKind::Text, "text content message msg summary fallback body blocks description"),
    (FieldKind::Rule, "alert_name rule_name event_definition_type"),
    (FieldKind::Test, "triggered_by_user_test is_test test ssl_check"),
    // What the sender wants to be answered, or a person to open, before it sends alerts.
    (FieldKind::Challenge, "validation_code challenge hub_challenge"),
    (FieldKind::ConfirmUrl, "subscribe_url"),
    // As an object, a deploy.
    (FieldKind::Deploy, "marker deploy"),
    // As an object, work that was planned.
    (FieldKind::Maintenance, "maintenance"),
    // A message with such an object is no alert. It is in each message of Heroku's app webhooks, which Heroku also sends
    // when this service restarts a dyno.
    (FieldKind::NoAlert, "webhook_metadata"),
    // Contains an alert, or a part of one.
    (FieldKind::Wrapper, "payload data attributes alert alert_group incident issue alarm check current after"),
    (FieldKind::Wrapper, "performance detail essentials problem notification snitch webhook_event_data kibana"),
    (FieldKind::Wrapper, "component component_update data_base64 json"),
    (FieldKind::Original, "alert_payload"),
    // The same, but a text in it is what the app has printed.
    (FieldKind::Error, "error exception"),
    // A list of alerts, each with its own state.
    (FieldKind::Alerts, "alerts incidents problems messages attachments embeds"),
    // How many alerts the list does not show.
    (FieldKind::LeftOut, "truncated_alerts"),
    // A list of events that the alert is about.
    (FieldKind::Events, "events recent_hits hits matches rows"),
    (
        FieldKind::Dyno,
        "dyno dynos dyno_name dyno_names dyno_id heroku_dyno heroku_dyno_name affected_dyno affected_dynos",
    ),
    // A dyno, or anything else.
    (FieldKind::Source, "program ident source process proc_id pid ps entity impacted_entities entity_display_name"),
    (FieldKind::Source, "processes process_name entities instances failing_hosts"),
    (FieldKind::Source, "instance container_name targets process_id service_instance_id"),
    // `shop.web.2`, or the name of any host.
    (FieldKind::Host, "host host_name hosts server server_name servers"),
    // An object whose field names are sources.
    (FieldKind::ByDyno, "violations"),
    // `dyno:web.1,app:shop`.
    (FieldKind::Tags, "tags labels scope alert_scope host_tags event_tags dimensions fields facts"),
    (FieldKind::App, "app app_name application heroku_app heroku_app_name source_name"),
    (FieldKind::Time, "t time timestamp date event_time trigger_time trigger_time_end state_change_time"),
    (FieldKind::Time, "fired_date_time alert_date_time received_at recorded_at starts_at started_at fired_at"),
    (FieldKind::Time, "occurred_at triggered_at activated_at down_at"),
    // Identifies a delivery. Numbers do so together.
    (FieldKind::Delivery, "delivery_id message_id"),
    (FieldKind::Sequence, "s sequence max_id"),
    // What else was so at the time, or before. As a list, the lines of the log around the one that the alert is about.
    (FieldKind::Context, "context previous old before"),
    // Not about this alert: searches, groups that are in order.
    (FieldKind::Ignored, "query saved_search search result_groups"),
];

const QUALIFIERS: &str = "alert alarm check current event health host incident issue monitor new notification overall \
     problem service site to trigger";

/// Fields of log lines in JSON that alerts do not have.
pub(super) const OF_LOG_LINES: [&str; 6] = ["controller", "duration", "logger", "lvl", "msg", "pid"];

/// A field whose name ends like this is ignored as a link, unless the name is in the table.
const LINK_ENDINGS: [&str; 3] = ["url", "uri", "link"];

/// Headers that identify a delivery, so that a repeated one is recognised. Only the sender's own: what a router adds
/// differs each time.
const DELIVERY_HEADERS: [&str; 8] = [
    "idempotency-key",
    "request-id",
    "svix-id",
    "webhook-id",
    "x-amz-sns-message-id",
    "x-github-delivery",
    "x-honeycomb-webhook-delivery-id",
    "x-le-nonce",
];

static KINDS: LazyLock<HashMap<Word, FieldKind, WordHash>> = LazyLock::new(|| {
    let mut kinds = HashMap::default();
    for (kind, names) in NAMES {
        let mut add = |parts: &[&str]| kinds.extend(Word::join(parts).map(|name| (name, *kind)));
        for name in names.split_whitespace() {
            match name.strip_prefix('*') {
                Some(last) => QUALIFIERS.split_whitespace().for_each(|qualifier| add(&[qualifier, last])),
                None => add(&[name]),
            }
        }
    }
    kinds
});

impl FieldKind {
    /// The kind of a field with this name.
    pub(super) fn of(name: &str) -> Self {
        let known = |name| Word::of(name).and_then(|name| KINDS.get(&name)).copied();
        // The path of a name may have any beginning: `syslog.procid`.
        let is_name = |kind: &Self| matches!(kind, Self::Dyno | Self::App | Self::Source | Self::Host);
        let of_last = || known(name.rsplit_once(['.', '@'])?.1).filter(is_name);
        known(name).or_else(of_last).unwrap_or_else(|| if is_link(name) { Self::Ignored } else { Self::Other })
    }

    /// The kind of a field with this name inside an object of this kind.
    pub(super) fn of_inner(self, name: &str) -> Self {
        match (self, name) {
            // The type of an error is the class of an exception.
            (Self::ByDyno, _) | (Self::Error, "type") => Self::Other,
            (Self::State, "value" | "current" | "new" | "to" | "label") => Self::State,
            (Self::State, "name") => Self::Name,
            (Self::Trigger, "type") => Self::Type,
            (Self::State, "reachable") => Self::Resolved,
            (Self::Dyno | Self::App | Self::Source | Self::Host, "name") | (Self::Dyno, "value" | "id" | "label") => {
                self
            }
            (Self::Source, "metadata") => self,
            (Self::Heartbeat, "status") => Self::Heartbeat,
            _ => Self::of(name),
        }
    }

    /// The kind of a list or an object that was the text of a field of this kind.
    pub(super) fn opened(self, is_list: bool) -> Self {
        match self {
            Self::Wrapper | Self::Text if is_list => Self::Alerts,
            Self::Wrapper => Self::Text,
            _ => self,
        }
    }

    /// Whether a number means something in such a field.
    pub(super) fn takes_numbers(self) -> bool {
        use FieldKind::{AlertType, EventUpdate, EventValue, Heartbeat, LeftOut, Sequence, Test, Time};
        matches!(self, Time | AlertType | EventUpdate | EventValue | Sequence | LeftOut | Heartbeat | Test)
    }
}

fn is_link(name: &str) -> bool {
    let end = |len| name.get(name.len().saturating_sub(len)..).unwrap_or_default();
    LINK_ENDINGS.iter().any(|ending| end(ending.len()).eq_ignore_ascii_case(ending))
}

/// Whether a header asks for a dry run.
pub(super) fn asks_for_dry_run(headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, value)| {
        matches!(name.as_str(), "dry-run" | "x-dry-run")
            && value.to_str().is_ok_and(|value| dry_run::is_asked_for("dry_run", value))
    })
}

/// What identifies the delivery by its headers.
pub(super) fn deliveries(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let ids = headers.iter().filter(|(name, _)| DELIVERY_HEADERS.contains(&name.as_str()));
    ids.filter_map(|(name, value)| Some(format!("{name}/{}", value.to_str().ok()?)))
}
