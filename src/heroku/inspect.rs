//! The calls that only `dyno-restarter check` makes: what an app and an account are like. As elsewhere, only the fields that
//! are needed are read, and leniently.

use reqwest::Url;
use serde::{Deserialize, Deserializer};

use super::{AppName, Client, Error, ProcessType};
use crate::util::text::printable;

/// Names and words from outside are cut to this length, in characters.
const LONGEST_WORD: usize = 100;

/// The account of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Identifies it among the owners and collaborators of an app.
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) is_suspended: bool,
    /// A bill was not paid.
    pub(crate) is_delinquent: bool,
}

/// An app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct App {
    /// The id of the account that owns it. In a team, that account stands for the team.
    pub(crate) owner: String,
    pub(crate) is_in_team: bool,
    pub(crate) runtime: Runtime,
    /// Its router answers every request with 503.
    pub(crate) is_in_maintenance: bool,
}

/// Where the dynos of an app run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// Cedar, beside the dynos of others.
    Common,
    /// Cedar, in a Private Space.
    PrivateSpace,
    /// The Fir generation, which is always in a Private Space.
    Fir,
}

/// A process type, as the app is scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Formation {
    pub(crate) process_type: ProcessType,
    pub(crate) quantity: u64,
    /// The name of the dyno size, such as `Standard-1X`.
    pub(crate) size: String,
}

/// A feature that can be on or off, such as `preboot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Feature {
    pub(crate) name: String,
    pub(crate) is_enabled: bool,
}

/// An account that has access to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collaborator {
    /// The id of the account.
    pub(crate) account: String,
    /// Its role in the team, such as `admin`.
    pub(crate) role: Option<String>,
    /// What it may do in a team's app, such as `operate`.
    pub(crate) permissions: Vec<String>,
}

impl Client {
    /// `GET /account`. A token needs the scope `identity` or `global`.
    pub(crate) async fn account(&self) -> Result<Account, Error> {
        let record: AccountRecord = self.get(&["account"]).await?;
        let is_set = |time: Option<String>| time.is_some();
        let (is_suspended, is_delinquent) = (is_set(record.suspended_at), is_set(record.delinquent_at));
        Ok(Account { id: record.id, email: self.word(&record.email), is_suspended, is_delinquent })
    }

    /// `GET /apps/{app}`
    pub(crate) async fn app(&self, app: &AppName) -> Result<App, Error> {
        let record: AppRecord = self.get(&["apps", app.as_str()]).await?;
        let runtime = match (record.generation, record.space) {
            (Some(Named { name }), _) if name == "fir" => Runtime::Fir,
            (_, Some(_)) => Runtime::PrivateSpace,
            (_, None) => Runtime::Common,
        };
        Ok(App {
            owner: record.owner.map(|owner| owner.id).unwrap_or_default(),
            is_in_team: record.team.is_some(),
            runtime,
            is_in_maintenance: record.maintenance,
        })
    }

    /// `GET /apps/{app}/formation`
    pub(crate) async fn formation(&self, app: &AppName) -> Result<Vec<Formation>, Error> {
        let records: Vec<FormationRecord> = self.get(&["apps", app.as_str(), "formation"]).await?;
        let formation = |record: FormationRecord| {
            let process_type = ProcessType::parse(&record.r#type)?;
            let size = record.dyno_size.map(|size| size.name).or(record.size).unwrap_or_default();
            Some(Formation { process_type, quantity: record.quantity, size: self.word(&size) })
        };
        Ok(records.into_iter().filter_map(formation).collect())
    }

    /// `GET /apps/{app}/features`
    pub(crate) async fn features(&self, app: &AppName) -> Result<Vec<Feature>, Error> {
        let records: Vec<FeatureRecord> = self.get(&["apps", app.as_str(), "features"]).await?;
        let feature = |record: FeatureRecord| Feature { name: record.name, is_enabled: record.enabled };
        Ok(records.into_iter().map(feature).collect())
    }

    /// `GET /apps/{app}/collaborators`
    pub(crate) async fn collaborators(&self, app: &AppName) -> Result<Vec<Collaborator>, Error> {
        let records: Vec<CollaboratorRecord> = self.get(&["apps", app.as_str(), "collaborators"]).await?;
        let collaborator = |record: CollaboratorRecord| Collaborator {
            account: record.user.id,
            role: record.role.map(|role| self.word(&role)),
            permissions: record.permissions.into_iter().map(Permission::into_name).collect(),
        };
        Ok(records.into_iter().map(collaborator).collect())
    }

    /// The URLs of the log drains: `GET /apps/{app}/log-drains`. They contain keys, ours and those of other services, so they
    /// must not be shown. A drain whose URL is none is left out.
    pub(crate) async fn log_drains(&self, app: &AppName) -> Result<Vec<Url>, Error> {
        let records: Vec<DrainRecord> = self.get(&["apps", app.as_str(), "log-drains"]).await?;
        Ok(records.into_iter().filter_map(|record| Url::parse(&record.url?).ok()).collect())
    }

    fn word(&self, text: &str) -> String {
        printable(&self.clean(text), LONGEST_WORD)
    }
}

impl Permission {
    fn into_name(self) -> String {
        match self {
            Self::Record { name } | Self::Name(name) => name,
        }
    }
}

#[derive(Deserialize)]
struct AccountRecord {
    id: String,
    #[serde(default)]
    email: String,
    suspended_at: Option<String>,
    delinquent_at: Option<String>,
}

#[derive(Deserialize)]
struct AppRecord {
    owner: Option<Identity>,
    /// Null for an app that belongs to a person; so is `space` for one outside a Private Space.
    team: Option<serde::de::IgnoredAny>,
    space: Option<serde::de::IgnoredAny>,
    generation: Option<Named>,
    #[serde(default)]
    maintenance: bool,
}

#[derive(Deserialize)]
struct FormationRecord {
    r#type: String,
    #[serde(default)]
    quantity: u64,
    dyno_size: Option<Named>,
    size: Option<String>,
}

#[derive(Deserialize)]
struct FeatureRecord {
    name: String,
    #[serde(default)]
    enabled: bool,
}

#[derive(Deserialize)]
struct CollaboratorRecord {
    user: Identity,
    role: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    permissions: Vec<Permission>,
}

/// The schema has an object; a plain name is understood, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Permission {
    Record { name: String },
    Name(String),
}

#[derive(Deserialize)]
struct DrainRecord {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(default)]
    id: String,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

/// Null counts as missing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
