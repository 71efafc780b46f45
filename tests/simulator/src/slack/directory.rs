//! Accounts, user groups and channels, as an administrator changes them.

use std::collections::BTreeSet;

use super::model::{Channel, ChannelKind, NewUser, SlackChange, User, UserGroup};
use super::{SlackWorkspace, lock};

impl SlackWorkspace {
    /// Creates an account and gives its id, which depends on the seed and the e-mail address.
    pub fn add_user(&self, new: NewUser) -> String {
        let mut state = self.state();
        let key = new.email.clone().unwrap_or_else(|| new.name.clone());
        let id = new
            .id
            .unwrap_or_else(|| state.id_of("U", &key.to_lowercase()));
        state.users.insert(
            id.clone(),
            User {
                id: id.clone(),
                name: new.name,
                real_name: new.real_name,
                email: new.email.map(|email| email.to_lowercase()),
                deleted: false,
                is_bot: new.is_bot,
                is_restricted: new.is_restricted,
            },
        );
        drop(state);
        self.announce(SlackChange::Directory);
        id
    }

    /// Creates a full member's account whose handle is the local part of the address.
    pub fn add_person(&self, email: &str, real_name: &str) -> String {
        let name = email.split('@').next().unwrap_or(email);
        self.add_user(NewUser {
            name: name.to_owned(),
            real_name: real_name.to_owned(),
            email: Some(email.to_owned()),
            ..NewUser::default()
        })
    }

    /// Changes an account, for example to make it a guest; `false` if there is none.
    pub fn change_user(&self, id: &str, change: impl FnOnce(&mut User)) -> bool {
        let found = self.state().users.get_mut(id).map(change).is_some();
        self.announce(SlackChange::Directory);
        found
    }

    /// Deactivates an account; it also leaves its groups and channels.
    pub fn deactivate_user(&self, id: &str) -> bool {
        let mut state = self.state();
        for group in state.groups.values_mut() {
            group.users.remove(id);
        }
        for channel in state
            .channels
            .values_mut()
            .filter(|channel| !is_im(channel))
        {
            channel.members.remove(id);
        }
        let found = state
            .users
            .get_mut(id)
            .map(|user| user.deleted = true)
            .is_some();
        drop(state);
        self.announce(SlackChange::Directory);
        found
    }

    /// Creates a user group and gives its id.
    pub fn add_usergroup<'a>(
        &self,
        handle: &str,
        name: &str,
        users: impl IntoIterator<Item = &'a str>,
    ) -> String {
        let mut state = self.state();
        let id = state.id_of("S", handle);
        let group = UserGroup {
            id: id.clone(),
            name: name.to_owned(),
            handle: handle.to_owned(),
            users: users.into_iter().map(str::to_owned).collect(),
            disabled: false,
        };
        state.groups.insert(id.clone(), group);
        drop(state);
        self.announce(SlackChange::Directory);
        id
    }

    /// Changes a user group; `false` if there is none.
    pub fn change_usergroup(&self, id: &str, change: impl FnOnce(&mut UserGroup)) -> bool {
        let found = self.state().groups.get_mut(id).map(change).is_some();
        self.announce(SlackChange::Directory);
        found
    }

    /// Adds a member to a user group; `false` if there is no such group.
    pub fn add_to_group(&self, group: &str, user: &str) -> bool {
        self.change_usergroup(group, |group| {
            group.users.insert(user.to_owned());
        })
    }

    /// Takes a member out of a user group; `false` if it was none.
    pub fn remove_from_group(&self, group: &str, user: &str) -> bool {
        let mut removed = false;
        self.change_usergroup(group, |group| removed = group.users.remove(user));
        removed
    }

    /// Creates a channel and gives its id. The bot is a member only if listed.
    pub fn add_channel<'a>(
        &self,
        name: &str,
        private: bool,
        members: impl IntoIterator<Item = &'a str>,
    ) -> String {
        let created = self.config().clock.now().timestamp();
        let mut state = self.state();
        let id = state.id_of("C", name);
        let channel = Channel {
            id: id.clone(),
            name: name.to_owned(),
            kind: if private {
                ChannelKind::Private
            } else {
                ChannelKind::Public
            },
            members: members
                .into_iter()
                .map(str::to_owned)
                .collect::<BTreeSet<_>>(),
            archived: false,
            created,
        };
        state.channels.insert(id.clone(), channel);
        drop(state);
        self.announce(SlackChange::Directory);
        id
    }

    /// Changes a channel, for example its members; `false` if there is none.
    pub fn change_channel(&self, id: &str, change: impl FnOnce(&mut Channel)) -> bool {
        let found = self.state().channels.get_mut(id).map(change).is_some();
        self.announce(SlackChange::Directory);
        found
    }

    /// An account by id.
    pub fn user(&self, id: &str) -> Option<User> {
        self.state().users.get(id).cloned()
    }

    /// An account by e-mail address, deactivated ones included.
    pub fn user_by_email(&self, email: &str) -> Option<User> {
        let email = email.to_lowercase();
        let state = self.state();
        state
            .users
            .values()
            .find(|user| user.email.as_deref() == Some(&email))
            .cloned()
    }

    /// Every account, by id.
    pub fn users(&self) -> Vec<User> {
        self.state().users.values().cloned().collect()
    }

    /// Every user group, by id.
    pub fn usergroups(&self) -> Vec<UserGroup> {
        self.state().groups.values().cloned().collect()
    }

    /// Every conversation, direct ones included, by id.
    pub fn channels(&self) -> Vec<Channel> {
        self.state().channels.values().cloned().collect()
    }

    /// Tells the listener that the bot wrote `text` into a direct conversation.
    pub(super) fn tell_im_listener(&self, channel: &str, text: &str) {
        let email = {
            let state = self.state();
            match state.channels.get(channel).map(|channel| &channel.kind) {
                Some(ChannelKind::Im { user }) => {
                    state.users.get(user).and_then(|user| user.email.clone())
                }
                _ => None,
            }
        };
        // The lock is released first: the listener may come back to this workspace.
        let listener = lock(&self.inner.im_listener).clone();
        if let (Some(email), Some(listener)) = (email, listener) {
            listener(&email, text);
        }
    }
}

fn is_im(channel: &Channel) -> bool {
    matches!(channel.kind, ChannelKind::Im { .. })
}
