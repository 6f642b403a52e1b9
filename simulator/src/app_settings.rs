//! What an app is set to: who owns it and who may use it, its features, the size of its dynos. The simulation shows these
//! settings and does not act on them, except for the runtime metrics.

use serde_json::{Value, json};

use crate::app::App;
use crate::app_state::{AppState, OWNER, SIZE};
use crate::drain::Drain;
use crate::logs::whole_seconds;

/// An account that owns an app or has access to it, and is not the one of the token.
const ANOTHER_ACCOUNT: &str = "7c1d9e3f-2b4a-4f60-8d15-90ab3c72e648";

pub(crate) struct AppSettings {
    pub(crate) size: String,
    maintenance: bool,
    space: bool,
    team: bool,
    owner: &'static str,
    /// The features that are on, besides the runtime metrics.
    features: Vec<&'static str>,
    collaborators: Vec<Value>,
}

impl Default for AppSettings {
    fn default() -> AppSettings {
        AppSettings {
            size: SIZE.to_owned(),
            maintenance: false,
            space: false,
            team: false,
            owner: OWNER,
            features: Vec::new(),
            collaborators: Vec::new(),
        }
    }
}

impl AppSettings {
    /// Adds its part to the JSON of the app.
    pub(crate) fn add_to(&self, app: &mut Value) {
        let team = json!({ "id": ANOTHER_ACCOUNT, "name": "the-team" });
        let email = if self.owner == OWNER { "owner@example.com" } else { "another@example.com" };
        app["maintenance"] = self.maintenance.into();
        app["owner"] = json!({ "email": email, "id": self.owner });
        app["space"] = if self.space {
            json!({ "id": ANOTHER_ACCOUNT, "name": "the-space", "shield": false })
        } else {
            Value::Null
        };
        app["team"] = if self.team { team.clone() } else { Value::Null };
        app["organization"] = app["team"].clone();
    }
}

impl AppState {
    pub(crate) fn features_json(&self) -> Vec<Value> {
        let created = whole_seconds(self.created_at);
        let feature = |name: &str, enabled: bool| {
            json!({
                "created_at": created,
                "description": format!("The feature {name}."),
                "display_name": name,
                "doc_url": format!("https://devcenter.heroku.com/articles/{name}"),
                "enabled": enabled,
                "feedback_email": null,
                "id": self.id,
                "name": name,
                "state": "general",
                "updated_at": created,
            })
        };
        vec![
            feature("log-runtime-metrics", self.runtime_metrics),
            feature("preboot", self.settings.features.contains(&"preboot")),
        ]
    }

    pub(crate) fn collaborators_json(&self) -> Vec<Value> {
        self.settings.collaborators.clone()
    }
}

impl App {
    /// Its dynos have this size, such as `Eco`; `Standard-1X` at first. That changes what is shown, not the memory.
    pub fn size(self, size: &str) -> App {
        self.set(|settings| size.clone_into(&mut settings.size))
    }

    /// Switches preboot on. That is shown, and restarts are as before.
    pub fn preboot(self) -> App {
        self.set(|settings| settings.features.push("preboot"))
    }

    /// Puts it into maintenance mode.
    pub fn maintenance(self) -> App {
        self.set(|settings| settings.maintenance = true)
    }

    /// It runs in a Private Space.
    pub fn in_space(self) -> App {
        self.set(|settings| settings.space = true)
    }

    /// It belongs to a team.
    pub fn in_team(self) -> App {
        self.set(|settings| {
            settings.team = true;
            settings.owner = ANOTHER_ACCOUNT;
        })
    }

    /// It belongs to another account than the one of the token.
    pub fn owned_by_another(self) -> App {
        self.set(|settings| settings.owner = ANOTHER_ACCOUNT)
    }

    /// The account of the token is a collaborator with this role and these permissions.
    pub fn collaborator(self, role: &str, permissions: &[&str]) -> App {
        let named = |name: &&str| json!({ "name": name, "description": format!("Can {name}.") });
        let permissions: Vec<Value> = permissions.iter().map(named).collect();
        let user = json!({ "email": "owner@example.com", "federated": false, "id": OWNER });
        let collaborator = json!({ "id": OWNER, "permissions": permissions, "role": role, "user": user });
        self.set(|settings| settings.collaborators.push(collaborator))
    }

    /// Lists a log drain with this URL, of any scheme, to which nothing is shipped.
    pub fn list_drain(self, url: &str) -> App {
        self.change(|app, agenda| {
            let drain = Drain::new(agenda, url);
            app.unshipped_drains.push(drain);
        });
        self
    }

    fn set(self, set: impl FnOnce(&mut AppSettings)) -> App {
        self.change(|app, _| set(&mut app.settings));
        self
    }
}
