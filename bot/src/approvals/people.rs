//! Who somebody is at the moment of their click: their account in Slack, their groups, their user in Okta.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use connectors::{
    OktaReader,
    slack::{Chat, ChatError, ChatUser, Standing},
};

use crate::{domain::approval::Identity, settings::Settings};

/// How long the members of a user group are believed for decisions of low and medium risk.
const GROUP_AGE: Duration = Duration::from_secs(60);

/// Looks people up.
pub struct People {
    chat: Arc<dyn Chat>,
    okta: Arc<dyn OktaReader>,
    settings: Arc<Settings>,
    usergroups: Mutex<HashMap<String, (Instant, Vec<String>)>>,
}

/// Groups of somebody; `unread` says that a user group could not be read, so that there may be more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) names: BTreeSet<String>,
    pub(super) unread: bool,
}

/// Why somebody has no say at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoSay {
    /// Guest, bot, deactivated, from elsewhere or unknown.
    NotAMember(&'static str),
    /// The account could not be read.
    Unread,
}

impl People {
    /// Nothing is looked up yet.
    pub fn new(chat: Arc<dyn Chat>, okta: Arc<dyn OktaReader>, settings: Arc<Settings>) -> Self {
        Self {
            chat,
            okta,
            settings,
            usergroups: Mutex::default(),
        }
    }

    /// The account of somebody who clicked, if they are a full member.
    pub(super) async fn member(&self, user: &str) -> Result<ChatUser, NoSay> {
        let account = match self.chat.user(user).await {
            Ok(Some(account)) => account,
            Ok(None) => return Err(NoSay::NotAMember("not known in this workspace")),
            Err(error) => {
                tracing::warn!(%error, "cannot read the account of somebody who clicked");
                return Err(NoSay::Unread);
            }
        };
        match account.standing {
            Standing::Member => Ok(account),
            Standing::Deactivated => Err(NoSay::NotAMember("deactivated")),
            Standing::Guest => Err(NoSay::NotAMember("a guest")),
            Standing::Bot => Err(NoSay::NotAMember("a bot")),
            Standing::Stranger => Err(NoSay::NotAMember("from another workspace")),
        }
    }

    /// The groups of the settings that somebody is in. `fresh`: members are read now, whatever is remembered.
    pub(super) async fn groups(&self, user: &str, fresh: bool) -> Groups {
        let approvals = &self.settings.approvals;
        let mut groups = Groups::default();
        let names = approvals.groups.keys().map(String::as_str);
        let oncall = (!approvals.groups.contains_key("oncall")).then_some("oncall");
        for name in names.chain(oncall) {
            for member in approvals.group(name).unwrap_or_default() {
                let is_in = match member.split_once(':') {
                    Some(("user", id)) => id == user,
                    Some(("usergroup", id)) => match self.members(id, fresh).await {
                        Ok(members) => members.iter().any(|member| member == user),
                        Err(error) => {
                            tracing::warn!(%error, usergroup = id, "cannot read a user group of approvers");
                            groups.unread = true;
                            false
                        }
                    },
                    _ => false,
                };
                if is_in {
                    groups.names.insert(name.to_owned());
                    break;
                }
            }
        }
        groups
    }

    async fn members(&self, usergroup: &str, fresh: bool) -> Result<Vec<String>, ChatError> {
        let known = self.lock().get(usergroup).cloned();
        if let Some((_, members)) =
            known.filter(|(read_at, _)| !fresh && read_at.elapsed() < GROUP_AGE)
        {
            return Ok(members);
        }
        let members = self.chat.usergroup_members(usergroup).await?;
        self.lock()
            .insert(usergroup.to_owned(), (Instant::now(), members.clone()));
        Ok(members)
    }

    /// Who that is in Okta. Whoever is nobody there owns nothing; a failed look-up is no answer.
    pub(super) async fn identity(&self, account: &ChatUser) -> Identity {
        let Some(email) = &account.email else {
            return Identity::LookUpFailed("Slack shows no e-mail address of the account".into());
        };
        match self.okta.user(email).await {
            Ok(Some(user)) => Identity::User(user.id),
            Ok(None) => Identity::None,
            Err(error) => Identity::LookUpFailed(error.to_string()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Vec<String>)>> {
        self.usergroups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
