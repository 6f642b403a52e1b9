//! The settings of an app: its owner, its collaborators, its features, the size of its dynos. The API shows them. Only
//! the runtime metrics have an effect on the simulation.

use serde_json::{Value, json};

use crate::app::App;
use crate::app_state::{AppState, DEFAULT_SIZE, OWNER};
use crate::drain::Drain;
use crate::logs::seconds_text;

/// The id of an account other than the account of the token.
const ANOTHER_ACCOUNT: &str = "7c1d9e3f-2b4a-4f60-8d15-90ab3c72e648";

pub(crate) struct AppSettings {
    pub(crate) size: String,
    maintenance: bool,
    space: bool,
    team: bool,
    owner: &'static str,
    /// The enabled features, without the runtime metrics.
    features: Vec<&'static str>,
    collaborators: Vec<Value>,
}

impl Default for AppSettings {
    fn default() -> AppSettings {
        AppSettings {
            size: DEFAULT_SIZE.to_owned(),
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
    /// Adds the settings to the JSON of the app.
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
        let created = seconds_text(self.created_at);
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
    /// Sets the size of the dynos that the API shows, such as `Eco`. The default is `Standard-1X`. The memory quota
    /// stays the same.
    pub fn size(self, size: &str) -> App {
        self.set(|settings| size.clone_into(&mut settings.size))
    }

    /// Enables preboot in the list of features. Restarts stay the same.
    pub fn preboot(self) -> App {
        self.set(|settings| settings.features.push("preboot"))
    }

    /// Puts the app into maintenance mode.
    pub fn maintenance(self) -> App {
        self.set(|settings| settings.maintenance = true)
    }

    /// Puts the app into a Private Space.
    pub fn in_space(self) -> App {
        self.set(|settings| settings.space = true)
    }

    /// Makes a team the owner of the app.
    pub fn in_team(self) -> App {
        self.set(|settings| {
            settings.team = true;
            settings.owner = ANOTHER_ACCOUNT;
        })
    }

    /// Makes an account other than the account of the token the owner of the app.
    pub fn owned_by_another(self) -> App {
        self.set(|settings| settings.owner = ANOTHER_ACCOUNT)
    }

    /// Makes the account of the token a collaborator with this role and these permissions.
    pub fn collaborator(self, role: &str, permissions: &[&str]) -> App {
        let permission = |name: &&str| json!({ "name": name, "description": format!("Can {name}.") });
        let permissions: Vec<Value> = permissions.iter().map(permission).collect();
        let user = json!({ "email": "owner@example.com", "federated": false, "id": OWNER });
        let collaborator = json!({ "id": OWNER, "permissions": permissions, "role": role, "user": user });
        self.set(|settings| settings.collaborators.push(collaborator))
    }

    /// Adds a log drain that the API lists. Nothing is shipped to it, so its URL may have any scheme.
    pub fn list_drain(self, url: &str) -> App {
        self.change(|app, queue| {
            let drain = Drain::new(queue, url);
            app.listed_only_drains.push(drain);
        });
        self
    }

    fn set(self, set: impl FnOnce(&mut AppSettings)) -> App {
        self.change(|app, _| set(&mut app.settings));
        self
    }
}
