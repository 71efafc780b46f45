//! `views.*`: modals and the Home tab.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::{Answer, ApiError};
use crate::slack::SlackWorkspace;
use crate::slack::block_limits::{self, Surface};
use crate::slack::model::{SlackChange, View, ViewKind};

/// Largest view in bytes.
const LARGEST_VIEW: usize = 250_000;

/// What is wrong with a view; empty if fine.
pub(super) fn problems(view: &Value) -> Vec<String> {
    match view["type"].as_str() {
        Some("modal") => block_limits::view_problems(view, Surface::Modal),
        Some("home") => block_limits::view_problems(view, Surface::Home),
        _ => vec!["[ERROR] must be one of modal, home [json-pointer:/view/type]".into()],
    }
}

/// Checks a view that the app wants shown as `kind`.
pub(in crate::slack) fn check(view: &Value, kind: ViewKind) -> Result<(), ApiError> {
    if view.to_string().len() > LARGEST_VIEW {
        return Err("view_too_large".into());
    }
    let mut problems = problems(view);
    if problems.is_empty() && view["type"] != json!(kind) {
        problems.push(format!(
            "[ERROR] unexpected view type {} [json-pointer:/view/type]",
            view["type"]
        ));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ApiError::with_messages("invalid_arguments", problems))
    }
}

impl SlackWorkspace {
    pub(super) fn open_view(&self, arguments: &Arguments) -> Answer {
        let (view, trigger) = modal(arguments)?;
        let mut state = self.state();
        let (user, _) = state.redeem_trigger(trigger, self.config().timing.trigger_valid_for)?;
        let view = state.make_view(&user, ViewKind::Modal, view.clone());
        state.modals.remove(&user);
        let view = state.stack_modal(view)?;
        drop(state);
        Ok(self.shown(&view))
    }

    pub(super) fn push_view(&self, arguments: &Arguments) -> Answer {
        let (view, trigger) = modal(arguments)?;
        let mut state = self.state();
        let (user, from_modal) =
            state.redeem_trigger(trigger, self.config().timing.trigger_valid_for)?;
        if !from_modal || state.modals.get(&user).is_none_or(Vec::is_empty) {
            return Err("not_found".into());
        }
        let view = state.make_view(&user, ViewKind::Modal, view.clone());
        let view = state.stack_modal(view)?;
        drop(state);
        Ok(self.shown(&view))
    }

    pub(super) fn update_view(&self, arguments: &Arguments) -> Answer {
        let content = arguments.json("view").ok_or("invalid_arguments")?;
        let mut state = self.state();
        let modals = state.modals.values().flatten().chain(state.homes.values());
        let found = match (arguments.text("view_id"), arguments.text("external_id")) {
            (Some(id), _) => modals.into_iter().find(|view| view.id == id),
            (None, Some(external)) => modals
                .into_iter()
                .find(|view| view.content["external_id"] == external),
            (None, None) => return Err("invalid_arguments".into()),
        };
        let current = found.ok_or("not_found")?;
        check(content, current.kind)?;
        if arguments
            .text("hash")
            .is_some_and(|hash| hash != current.hash)
        {
            return Err("hash_conflict".into());
        }
        let id = current.id.clone();
        let view = state
            .replace_view(&id, content.clone())
            .ok_or("not_found")?;
        drop(state);
        Ok(self.shown(&view))
    }

    pub(super) fn publish_view(&self, arguments: &Arguments) -> Answer {
        let user = arguments.required("user_id", "invalid_arguments")?;
        let content = arguments.json("view").ok_or("invalid_arguments")?;
        check(content, ViewKind::Home)?;
        if !self.config().home_tab_enabled {
            return Err("not_enabled".into());
        }
        let mut state = self.state();
        if !state.users.contains_key(user) {
            return Err("user_not_found".into());
        }
        let current = state
            .homes
            .get(user)
            .map(|view| (view.id.clone(), view.hash.clone()));
        let view = match current {
            Some((_, hash)) if arguments.text("hash").is_some_and(|sent| sent != hash) => {
                return Err("hash_conflict".into());
            }
            Some((id, _)) => state
                .replace_view(&id, content.clone())
                .ok_or("not_found")?,
            None => {
                let view = state.make_view(user, ViewKind::Home, content.clone());
                state.homes.insert(user.to_owned(), view.clone());
                view
            }
        };
        drop(state);
        Ok(self.shown(&view))
    }

    fn shown(&self, view: &View) -> Value {
        self.announce(SlackChange::Views {
            user: view.user.clone(),
        });
        json!({"view": self.view_wire(view)})
    }

    /// The view as answers and submissions carry it.
    pub(in crate::slack) fn view_wire(&self, view: &View) -> Value {
        let mut wire = view.wire(self.config());
        if std::mem::take(&mut self.state().faults.empty_list_once) {
            wire["state"]["values"] = json!([]);
        }
        wire
    }
}

/// The modal and the trigger that both opening and pushing need.
fn modal(arguments: &Arguments) -> Result<(&Value, &str), ApiError> {
    let view = arguments.json("view").ok_or("invalid_arguments")?;
    check(view, ViewKind::Modal)?;
    Ok((view, arguments.required("trigger_id", "invalid_arguments")?))
}
