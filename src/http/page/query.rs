//! The query of the page and of `GET /status`.

use super::times::Offset;
use crate::http::params::{Name, ParamError, parse_app};
use crate::restart::{AppName, Watched};
use crate::util::query::{KEY, strict_parameters};

/// The checked query of the page.
#[derive(Debug, Default)]
pub(super) struct PageQuery {
    /// The only app to show.
    pub(super) app: Option<AppName>,
    /// Whether this app was just asked to be restarted.
    pub(super) is_triggered: bool,
    /// How far the reader's clock is ahead of UTC.
    pub(super) offset: Offset,
}

impl PageQuery {
    pub(super) fn parse(query: &str, watched: &Watched) -> Result<Self, ParamError> {
        let [app, triggered, offset] = values(query, ["app", "triggered", "offset"], "app, offset")?;
        let offset = offset.map_or(Some(Offset::default()), |offset| Offset::parse(&offset));
        let is_triggered = triggered.is_some();
        let app = parse_app(triggered.or(app).as_deref(), watched)?;
        Ok(Self { app, is_triggered, offset: offset.ok_or(ParamError::InvalidOffset)? })
    }
}

/// The app that is asked for with `GET /status`; `None` for all.
pub(super) fn parse_status(query: &str, watched: &Watched) -> Result<Option<AppName>, ParamError> {
    let [app] = values(query, ["app"], "app")?;
    parse_app(app.as_deref(), watched)
}

/// The values of these parameters. Others are refused: a typing error such as `?ap=shop` must not show another app.
fn values<const N: usize>(
    query: &str,
    names: [&'static str; N],
    accepted: &'static str,
) -> Result<[Option<String>; N], ParamError> {
    let mut values = [const { None }; N];
    for (name, value) in strict_parameters(query).filter(|(name, _)| *name != KEY && !name.is_empty()) {
        let at = names.iter().position(|known| *known == name);
        let at = at.ok_or_else(|| ParamError::NotAccepted(Name::new(&name), accepted))?;
        if values[at].replace(value.into_owned()).is_some() {
            return Err(ParamError::Repeated(names[at]));
        }
    }
    Ok(values)
}
