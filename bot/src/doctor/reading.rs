//! Reads a tenant: what people set up, not the fleet. Every part is read by itself, so that one missing right hides one
//! part only.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use connectors::{
    CheckCredentials, ConnectorError, CredentialCheck, OktaReader, Source, error::ErrorKind,
    okta::OktaClient, scep, slack::SlackClient,
};
use futures_util::future::join_all;
use url::Url;

use super::{
    checks::may_be_asked,
    tenant::{MdmTenant, OktaTenant, Probe, ProbeAnswer, Read, SlackTenant, Tally, Tenant, Unread},
};
use crate::{
    app::{MdmClient, Vendors},
    clock::SharedClock,
    domain::{EventClass, GroupId, MdmKind, playbook::Playbook},
    settings::{Mode, Settings},
    store::{Store, StoredProbe},
};

/// A SCEP server is asked again after this long.
const PROBE_HOLDS: TimeDelta = TimeDelta::hours(1);
/// Okta keeps its log so long.
const LOG_KEPT: TimeDelta = TimeDelta::days(90);

/// Reads a tenant for [`super::examine`].
pub struct Reader {
    /// Okta and the MDMs.
    pub vendors: Vendors,
    /// Slack, where the settings name it; or why there is no client.
    pub slack: Option<Result<Arc<SlackClient>, String>>,
    /// The record; `None`: there is none yet.
    pub store: Option<Store>,
    /// Settings.
    pub settings: Arc<Settings>,
    /// Playbooks, for the groups that they name.
    pub playbooks: Arc<Vec<Playbook>>,
    /// Our own clock.
    pub clock: SharedClock,
}

impl Reader {
    /// Reads everything, each vendor beside the others.
    pub async fn read(&self) -> anyhow::Result<Tenant> {
        // Many answers are waited for at once; they need not lie on the stack.
        let (okta, challenge_app) = Box::pin(self.okta()).await?;
        let pairs = self.vendors.mdms.iter().zip(&self.settings.mdm);
        let mdms = pairs.map(|(client, mdm)| self.mdm(client, mdm, challenge_app.as_deref()));
        let (mdms, slack) = tokio::join!(join_all(mdms), self.slack());
        let probes = self.probes(&mdms, &okta.host).await?;
        Ok(Tenant {
            now: self.clock.now(),
            repairs: self.settings.safety.mode == Mode::Approve,
            probes,
            slack,
            approvers: self.approvers(),
            beliefs: self.beliefs().await?,
            okta,
            mdms,
        })
    }

    async fn okta(&self) -> anyhow::Result<(OktaTenant, Option<String>)> {
        let okta: &OktaClient = &self.vendors.okta;
        let settings = &self.settings.okta;
        let organization = okta.organization().await;
        let ahead = self.ahead(okta);
        // Without the org nothing else is to be had, and each try would take its time.
        let rights = match &organization {
            Ok(_) => okta.check_credentials().await,
            Err(_) => Vec::new(),
        };
        let told = rights.iter().any(|right| !right.ok && !right.optional);
        let stop = match &organization {
            Ok(_) => None,
            Err(_) => Some(Unread {
                why: "Okta was not reached, see okta.org".into(),
                told: true,
            }),
        };
        let app = settings.sign_in_app.clone();
        let group = settings.fastpass_group.as_deref().map(GroupId::from);
        let since = okta.now().unwrap_or_else(|| self.clock.now()) - LOG_KEPT;
        let reached = stop.is_none();
        let (policies, authorities, changes, sign_in_app, fastpass_group, challenge_app) = tokio::join!(
            part(reached, &stop, told, okta.policies()),
            part(reached, &stop, told, okta.authorities()),
            part(reached, &stop, told, okta.org_changes(since)),
            part(reached && app.is_some(), &stop, told, async {
                okta.sign_in_app(app.as_deref().unwrap_or_default()).await
            }),
            part(reached && group.is_some(), &stop, told, async {
                match &group {
                    Some(group) => okta.fastpass_group(group).await,
                    None => Ok(None),
                }
            }),
            part(reached, &stop, told, okta.challenge_app()),
        );
        let coverage = match &self.store {
            Some(store) => store.log_coverage().await?,
            None => BTreeMap::new(),
        };
        let covered = |class| coverage.get(&class).copied().unwrap_or_default();
        let url: Url = settings.org_url.parse()?;
        Ok((
            OktaTenant {
                host: url.host_str().unwrap_or_default().to_owned(),
                expected: settings.org_id.clone(),
                organization: organization.map_err(|error| unread(&error, false)),
                rights,
                ahead,
                policies,
                authorities,
                changes,
                issued: covered(EventClass::CertificateIssued),
                bound: covered(EventClass::CertificateBound),
                sign_in_app: app.map(|app| (app, sign_in_app)),
                fastpass_group: group.map(|group| (group, fastpass_group)),
            },
            challenge_app.ok().flatten(),
        ))
    }

    async fn mdm(
        &self,
        client: &MdmClient,
        settings: &crate::settings::Mdm,
        challenge_app: Option<&str>,
    ) -> MdmTenant {
        let reader = &client.reader;
        let rights = client.check.check_credentials().await;
        let ahead = self.ahead(reader.as_ref());
        let told = rights.iter().any(|right| !right.ok && !right.optional);
        // Without a token no further call can work.
        let reached = rights.first().is_none_or(|right| right.ok);
        let stop = (!reached).then(|| Unread {
            why: format!("not reached, see {}.rights", client.name),
            told: true,
        });
        let setup = part(reached, &stop, told, client.setup.setup()).await;
        let mut groups = BTreeMap::new();
        let targets = &client.targets;
        let wanted = [
            &targets.hold_group,
            &targets.target_group,
            &targets.machine_group,
        ];
        for group in wanted.into_iter().flatten() {
            let read = part(reached, &stop, told, reader.check_group(group)).await;
            groups.insert(group.clone(), read);
        }
        let is_intune = reader.kind() == MdmKind::Intune;
        let cleanup_script = match &targets.cleanup_script {
            Some(script) if is_intune => {
                Some(part(reached, &stop, told, client.setup.has_script(script)).await)
            }
            _ => None,
        };
        let own_secret = match is_intune {
            true => Some(part(reached, &stop, told, client.setup.app_secret(None)).await),
            false => None,
        };
        let challenge_secret = match challenge_app {
            Some(_) if is_intune => {
                Some(part(reached, &stop, told, client.setup.app_secret(challenge_app)).await)
            }
            _ => None,
        };
        MdmTenant {
            name: client.name.to_string(),
            kind: reader.kind(),
            platforms: reader.platforms().to_vec(),
            shows: reader.shows(),
            rights,
            ahead,
            setup,
            attestation: self.settings.attestation_of(settings),
            targets: targets.clone(),
            groups,
            cleanup_script,
            own_secret,
            challenge_secret,
        }
    }

    async fn slack(&self) -> Option<SlackTenant> {
        let settings = self.settings.slack.as_ref()?;
        let client = match self.slack.as_ref()? {
            Ok(client) => client,
            Err(why) => {
                return Some(SlackTenant {
                    rights: vec![CredentialCheck {
                        what: "use the bot token".into(),
                        ok: false,
                        saw: why.clone(),
                        hint: "set bot_token, and app_token or signing_secret, in [slack]".into(),
                        optional: false,
                    }],
                    channel: None,
                    approvers: BTreeMap::new(),
                });
            }
        };
        let rights = client.check_credentials().await;
        let works = rights.first().is_some_and(|right| right.ok);
        let mut approvers = BTreeMap::new();
        let mut channel = None;
        if works {
            channel = Some(client.check_channel(&settings.channel).await);
            let members: BTreeSet<String> = self.approvers().into_values().flatten().collect();
            for member in members {
                let check: Option<CredentialCheck> = match member.split_once(':') {
                    Some(("usergroup", id)) => Some(client.check_usergroup(id).await),
                    Some(("user", id)) => Some(client.check_person(id).await),
                    // A person of this machine needs no account in Slack.
                    _ => None,
                };
                if let Some(check) = check {
                    approvers.insert(member, check);
                }
            }
        }
        Some(SlackTenant {
            rights,
            channel,
            approvers,
        })
    }

    /// Groups that playbooks of this deployment name, `oncall` always among them.
    fn approvers(&self) -> BTreeMap<String, Vec<String>> {
        let approvals = &self.settings.approvals;
        let named = self
            .playbooks
            .iter()
            .flat_map(|playbook| playbook.approval.groups.iter().map(String::as_str));
        let groups: BTreeSet<&str> = named
            .chain(approvals.groups.keys().map(String::as_str))
            .chain(["oncall"])
            .collect();
        groups
            .into_iter()
            .map(|group| {
                let members = approvals.group(group).unwrap_or_default();
                (group.to_owned(), members.to_vec())
            })
            .collect()
    }

    /// What each SCEP server of the org answers; asked at most hourly, where there is a record.
    async fn probes(
        &self,
        mdms: &[MdmTenant],
        org_host: &str,
    ) -> anyhow::Result<BTreeMap<String, Probe>> {
        let now = self.clock.now();
        let mut known: BTreeMap<String, Probe> = BTreeMap::new();
        if let Some(store) = &self.store {
            for stored in store.probes().await? {
                if let Ok(answer) = serde_json::from_value(stored.answer)
                    && now - stored.asked_at < PROBE_HOLDS
                {
                    let at = stored.asked_at;
                    known.insert(stored.url, Probe { at, answer });
                }
            }
        }
        let mut probes = BTreeMap::new();
        for mdm in mdms {
            for url in scep_urls(mdm, org_host) {
                if probes.contains_key(url.as_str()) {
                    continue;
                }
                let probe = match known.remove(url.as_str()) {
                    Some(probe) => probe,
                    None => self.ask(&url, now).await?,
                };
                probes.insert(url.to_string(), probe);
            }
        }
        Ok(probes)
    }

    async fn ask(&self, url: &Url, at: DateTime<Utc>) -> anyhow::Result<Probe> {
        let answer = match scep::ask(url).await {
            Ok(server) => ProbeAnswer::Works(server),
            Err(error) => match error.kind {
                ErrorKind::Transient { .. } | ErrorKind::RateLimited { .. } => {
                    ProbeAnswer::Unanswered(error.kind.to_string())
                }
                kind => ProbeAnswer::NoScepServer(kind.to_string()),
            },
        };
        // A record that only others may write is no reason to fail.
        if let Some(store) = &self.store {
            let stored = StoredProbe {
                url: url.to_string(),
                asked_at: at,
                answer: serde_json::to_value(&answer)?,
            };
            if let Err(error) = store.save_probe(&stored).await {
                tracing::debug!(%error, "the answer of a SCEP server is not remembered");
            }
        }
        Ok(Probe { at, answer })
    }

    async fn beliefs(&self) -> anyhow::Result<BTreeMap<crate::domain::Assumption, Tally>> {
        let Some(store) = &self.store else {
            return Ok(BTreeMap::new());
        };
        let stored = store.beliefs().await?.into_iter();
        Ok(stored.map(|one| (one.belief, Tally::from(one))).collect())
    }

    /// How far a vendor's clock is ahead of ours, as its last answer told.
    fn ahead(&self, source: &dyn Source) -> Option<TimeDelta> {
        Some(source.now()? - self.clock.now())
    }
}

/// SCEP URLs of an MDM that may be asked from here.
fn scep_urls(mdm: &MdmTenant, org_host: &str) -> Vec<Url> {
    let configured = mdm.attestation.scep_url.as_deref();
    let shown = mdm
        .setup
        .iter()
        .flat_map(|setup| &setup.profiles)
        .filter_map(|profile| profile.scep.url.as_deref());
    let mut urls: Vec<Url> = shown
        .chain(configured)
        .filter_map(|url| url.parse().ok())
        .filter(|url| may_be_asked(url, org_host, configured))
        .collect();
    urls.dedup();
    urls
}

/// One part of a vendor. `told`: a missing right is told by the check of the credential.
async fn part<T>(
    wanted: bool,
    stop: &Option<Unread>,
    told: bool,
    read: impl Future<Output = connectors::Result<T>>,
) -> Read<T> {
    if let Some(stop) = stop {
        return Err(stop.clone());
    }
    if !wanted {
        return Err(Unread {
            why: "not asked".into(),
            told: true,
        });
    }
    read.await.map_err(|error| unread(&error, told))
}

fn unread(error: &ConnectorError, told: bool) -> Unread {
    let refused = matches!(
        error.kind,
        ErrorKind::Forbidden { .. } | ErrorKind::Unauthorized { .. }
    );
    Unread {
        why: error.to_string(),
        told: told && refused,
    }
}
