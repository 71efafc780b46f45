//! `users.*` and `usergroups.*`: who is who.

use serde_json::{Value, json};

use super::Answer;
use super::arguments::Arguments;
use super::chat::next_page;
use super::conversations::page;
use crate::slack::SlackWorkspace;

impl SlackWorkspace {
    pub(super) fn user_info(&self, arguments: &Arguments) -> Answer {
        let id = arguments.required("user", "user_not_found")?;
        let state = self.state();
        let user = state.users.get(id).ok_or("user_not_found")?;
        Ok(json!({"user": user.wire(self.config(), state.scopes.contains("users:read.email"))}))
    }

    pub(super) fn list_users(&self, arguments: &Arguments) -> Answer {
        let state = self.state();
        let with_email = state.scopes.contains("users:read.email");
        let users = state
            .users
            .values()
            .map(|user| user.wire(self.config(), with_email))
            .collect();
        let (page, cursor) = page(users, arguments)?;
        Ok(json!({"members": page, "response_metadata": next_page(cursor)}))
    }

    /// Deactivated accounts are not found.
    pub(super) fn lookup_by_email(&self, arguments: &Arguments) -> Answer {
        let email = arguments
            .required("email", "users_not_found")?
            .to_lowercase();
        let state = self.state();
        let mut active = state.users.values().filter(|user| !user.deleted);
        let user = active
            .find(|user| user.email.as_deref() == Some(&email))
            .ok_or("users_not_found")?;
        Ok(json!({"user": user.wire(self.config(), true)}))
    }

    pub(super) fn list_usergroups(&self, arguments: &Arguments) -> Value {
        let state = self.state();
        let groups = state
            .groups
            .values()
            .filter(|group| !group.disabled || arguments.flag("include_disabled"));
        let with_users = arguments.flag("include_users");
        json!({"usergroups": groups.map(|group| group.wire(self.config(), with_users)).collect::<Vec<_>>()})
    }

    pub(super) fn list_usergroup_users(&self, arguments: &Arguments) -> Answer {
        let id = arguments.required("usergroup", "no_such_subteam")?;
        let state = self.state();
        let group = state
            .groups
            .get(id)
            .filter(|group| !group.disabled || arguments.flag("include_disabled"));
        Ok(json!({"users": group.ok_or("no_such_subteam")?.users}))
    }
}
