//! A small workspace and org in memory, and a store in a temporary file, for the tests of chat, approvals and sign-in.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::{
    ApiUsage, ConnectorError, LogCursor, LogPage, LogScope, OktaReader, Organization, Progress,
    Result as OktaResult, Source, UserAccount,
    error::ErrorKind,
    slack::{
        BotIdentity, Chat, ChatChannel, ChatError, ChatErrorKind, ChatMessage, ChatResult,
        ChatUser, Click, EventSink, Incoming, Posted, Standing,
    },
};
use serde_json::Value;

use super::{Deps, Listener, SenderPass};
use crate::{
    approvals::{InboxPass, ReplyPaths},
    clock::Clock,
    domain::*,
    ids::IdSource,
    node::Node,
    pass::Pass,
    settings::{Environment, Settings},
    store::{NewProposal, OpenMode, ProposalRecord, Store, Together},
};

/// Something that was said in Slack.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) channel: String,
    pub(crate) ts: String,
    pub(crate) thread: Option<String>,
    pub(crate) key: String,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Value>,
    pub(crate) edits: u32,
}

#[derive(Default)]
pub(crate) struct FakeChat {
    pub(crate) accounts: Mutex<HashMap<String, ChatUser>>,
    pub(crate) usergroups: Mutex<HashMap<String, Vec<String>>>,
    pub(crate) said: Mutex<Vec<Said>>,
    /// Answers by response URL and ephemeral posts: to whom, what.
    pub(crate) answers: Mutex<Vec<(String, String)>>,
    pub(crate) views: Mutex<Vec<Value>>,
    /// What the next calls of a method answer instead; `true`: the call takes effect all the same.
    pub(crate) faults: Mutex<Vec<(&'static str, ChatErrorKind, bool)>>,
}

impl FakeChat {
    fn fault(&self, method: &'static str) -> Option<(ChatError, bool)> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(name, ..)| *name == method)?;
        let (_, kind, effective) = faults.remove(at);
        Some((ChatError { method, kind }, effective))
    }

    fn plain_fault(&self, method: &'static str) -> ChatResult<()> {
        self.fault(method).map_or(Ok(()), |(error, _)| Err(error))
    }

    pub(crate) fn fail(&self, method: &'static str, kind: ChatErrorKind, effective: bool) {
        self.faults.lock().unwrap().push((method, kind, effective));
    }

    pub(crate) fn account(&self, id: &str, email: &str, standing: Standing) {
        let account = ChatUser {
            id: id.into(),
            standing,
            email: Some(email.into()),
        };
        self.accounts.lock().unwrap().insert(id.into(), account);
    }

    /// Messages of a channel as people see them.
    pub(crate) fn in_channel(&self, channel: &str) -> Vec<Said> {
        self.said
            .lock()
            .unwrap()
            .iter()
            .filter(|said| said.channel == channel)
            .cloned()
            .collect()
    }

    pub(crate) fn card(&self) -> Said {
        self.in_channel("C1")
            .into_iter()
            .find(|said| said.key.starts_with("card:"))
            .expect("a card was posted")
    }

    /// The value of a button on the card.
    pub(crate) fn value_of(&self, action: &str) -> Option<String> {
        let card = self.card();
        let mut elements = card
            .blocks
            .iter()
            .filter_map(|block| block["elements"].as_array())
            .flatten();
        elements
            .find(|element| element["action_id"] == action)
            .and_then(|element| element["value"].as_str())
            .map(str::to_owned)
    }
}

impl Source for FakeChat {
    fn name(&self) -> &str {
        "slack"
    }
    fn usage(&self) -> ApiUsage {
        ApiUsage::default()
    }
    fn now(&self) -> Option<DateTime<Utc>> {
        None
    }
}

#[async_trait]
impl Chat for FakeChat {
    async fn post(&self, channel: &str, message: &ChatMessage) -> ChatResult<Posted> {
        let fault = self.fault("chat.postMessage");
        if let Some((error, false)) = fault {
            return Err(error);
        }
        let mut said = self.said.lock().unwrap();
        let ts = format!("{}.000100", said.len() + 1);
        said.push(Said {
            channel: channel.into(),
            ts: ts.clone(),
            thread: message.thread.clone(),
            key: message.key.clone(),
            text: message.text.clone(),
            blocks: message.blocks.clone(),
            edits: 0,
        });
        match fault {
            Some((error, _)) => Err(error),
            None => Ok(Posted {
                channel: channel.into(),
                ts,
            }),
        }
    }

    async fn update(&self, at: &Posted, message: &ChatMessage) -> ChatResult<()> {
        self.plain_fault("chat.update")?;
        let mut said = self.said.lock().unwrap();
        let Some(there) = said
            .iter_mut()
            .find(|said| said.channel == at.channel && said.ts == at.ts)
        else {
            return Err(ChatError::permanent("chat.update", "message_not_found"));
        };
        there.text = message.text.clone();
        there.blocks = message.blocks.clone();
        there.edits += 1;
        Ok(())
    }

    async fn open_im(&self, user: &str) -> ChatResult<String> {
        Ok(format!("D-{user}"))
    }

    async fn respond(&self, response_url: &str, text: &str) -> ChatResult<()> {
        self.plain_fault("response_url")?;
        self.answers
            .lock()
            .unwrap()
            .push((response_url.into(), text.into()));
        Ok(())
    }

    async fn post_ephemeral(&self, _: &str, user: &str, text: &str) -> ChatResult<()> {
        self.plain_fault("chat.postEphemeral")?;
        self.answers
            .lock()
            .unwrap()
            .push((user.into(), text.into()));
        Ok(())
    }

    async fn open_view(&self, _: &str, view: &Value) -> ChatResult<()> {
        self.plain_fault("views.open")?;
        self.views.lock().unwrap().push(view.clone());
        Ok(())
    }

    async fn user(&self, id: &str) -> ChatResult<Option<ChatUser>> {
        self.plain_fault("users.info")?;
        Ok(self.accounts.lock().unwrap().get(id).cloned())
    }

    async fn user_by_email(&self, email: &str) -> ChatResult<Option<ChatUser>> {
        let accounts = self.accounts.lock().unwrap();
        Ok(accounts
            .values()
            .find(|account| account.email.as_deref() == Some(email))
            .cloned())
    }

    async fn usergroup_members(&self, id: &str) -> ChatResult<Vec<String>> {
        self.plain_fault("usergroups.users.list")?;
        Ok(self
            .usergroups
            .lock()
            .unwrap()
            .get(id)
            .cloned()
            .unwrap_or_default())
    }

    async fn find_posted(
        &self,
        channel: &str,
        thread: Option<&str>,
        _: DateTime<Utc>,
        key: &str,
    ) -> ChatResult<Option<Posted>> {
        self.plain_fault("conversations.history")?;
        let found = self
            .in_channel(channel)
            .into_iter()
            .find(|said| said.key == key && said.thread.as_deref() == thread);
        Ok(found.map(|said| Posted {
            channel: said.channel,
            ts: said.ts,
        }))
    }

    async fn auth_test(&self) -> ChatResult<BotIdentity> {
        Ok(BotIdentity {
            team: "T1".into(),
            team_name: "Acme".into(),
            user: "U0BOT".into(),
        })
    }

    async fn channel(&self, id: &str) -> ChatResult<ChatChannel> {
        Ok(ChatChannel {
            id: id.into(),
            name: "fleet-repairs".into(),
            is_private: false,
            is_archived: false,
            is_member: true,
        })
    }
}

/// An org that knows users by e-mail and id, and nothing else.
#[derive(Default)]
pub(crate) struct FakeOkta {
    pub(crate) users: Mutex<HashMap<String, UserAccount>>,
    pub(crate) is_down: Mutex<bool>,
}

fn not_here<T>() -> OktaResult<T> {
    Err(ConnectorError::new(
        "okta: fake",
        ErrorKind::Unsupported { what: "only users" },
    ))
}

impl Source for FakeOkta {
    fn name(&self) -> &str {
        "okta"
    }
    fn usage(&self) -> ApiUsage {
        ApiUsage::default()
    }
    fn now(&self) -> Option<DateTime<Utc>> {
        None
    }
}

#[async_trait]
impl OktaReader for FakeOkta {
    async fn user(&self, id_or_login: &str) -> OktaResult<Option<UserAccount>> {
        if *self.is_down.lock().unwrap() {
            let kind = ErrorKind::Transient {
                detail: "HTTP 503".into(),
                maybe_sent: false,
            };
            return Err(ConnectorError::new("okta: GET /api/v1/users/{id}", kind));
        }
        let users = self.users.lock().unwrap();
        Ok(users
            .values()
            .find(|user| user.login == id_or_login || user.id.as_str() == id_or_login)
            .cloned())
    }
    async fn organization(&self) -> OktaResult<Organization> {
        not_here()
    }
    async fn devices(&self, _: &dyn Progress) -> OktaResult<Vec<OktaDevice>> {
        not_here()
    }
    async fn device(&self, _: &DeviceId) -> OktaResult<Option<OktaDevice>> {
        not_here()
    }
    async fn device_users(&self, _: &DeviceId) -> OktaResult<DeviceConfirmation> {
        not_here()
    }
    async fn user_devices(&self, _: &UserId) -> OktaResult<Vec<DeviceId>> {
        not_here()
    }
    async fn user_groups(&self, _: &UserId) -> OktaResult<Vec<GroupId>> {
        not_here()
    }
    async fn fastpass_enrolled(&self, _: &UserId) -> OktaResult<bool> {
        not_here()
    }
    async fn policies(&self) -> OktaResult<PolicyFacts> {
        not_here()
    }
    async fn simulate_access(
        &self,
        _: &str,
        _: &[GroupId],
        _: connectors::SimulatedDevice,
    ) -> OktaResult<Option<String>> {
        not_here()
    }
    async fn poll_log(&self, _: LogScope, _: &LogCursor) -> OktaResult<LogPage> {
        not_here()
    }
    async fn user_log(&self, _: &UserId, _: DateTime<Utc>) -> OktaResult<Vec<LogFact>> {
        not_here()
    }
}

/// A clock that stands still until it is moved.
pub(crate) struct StillClock(Mutex<DateTime<Utc>>);

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
    async fn sleep_until(&self, _: DateTime<Utc>) {}
    fn speed(&self) -> f64 {
        1.0
    }
}

/// Ids in the order of asking.
#[derive(Default)]
struct CountedIds(AtomicU64);

impl IdSource for CountedIds {
    fn unique(&self) -> String {
        format!("id-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
    fn proposal(&self) -> ProposalId {
        ProposalId::from(format!("P-{:06}", self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Everything around the code under test. Ann and Bob are on call through a user group, Carl is nobody, Olga owns
/// the first computer, Zoe is an operator.
pub(crate) struct Office {
    pub(crate) chat: Arc<FakeChat>,
    pub(crate) okta: Arc<FakeOkta>,
    pub(crate) clock: Arc<StillClock>,
    pub(crate) store: Store,
    pub(crate) deps: Deps,
    pub(crate) listener: Listener,
    pub(crate) inbox: InboxPass,
    pub(crate) sender: SenderPass,
    clicks: AtomicU64,
    _folder: tempfile::TempDir,
}

pub(crate) fn morning() -> DateTime<Utc> {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

const SETTINGS: &str = r#"
[okta]
org_url = "https://acme.okta.com"
api_token = "env:OKTA_API_TOKEN"
sign_in_app = "0oaApp"

[slack]
bot_token = "env:SLACK_BOT_TOKEN"
app_token = "env:SLACK_APP_TOKEN"
channel = "C1"

[approvals]
approvers = ["usergroup:S1", "cli:ann", "cli:bob"]
hours = "Mon-Fri 08:00-18:00"

[approvals.groups]
operators = ["user:UZOE"]

[safety]
mode = "approve"
"#;

impl Office {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("unstuck.toml");
        std::fs::write(&file, SETTINGS).unwrap();
        let settings: Settings = crate::settings::load(&file, &Environment::default()).unwrap();
        let store = Store::open(
            &format!("sqlite://{}", folder.path().join("t.db").display()),
            OpenMode::ReadWrite,
        )
        .await
        .unwrap();
        store.migrate().await.unwrap();
        let chat = Arc::new(FakeChat::default());
        let okta = Arc::new(FakeOkta::default());
        for (account, name) in [
            ("UANN", "ann"),
            ("UBOB", "bob"),
            ("UCARL", "carl"),
            ("UOLGA", "olga"),
            ("UZOE", "zoe"),
        ] {
            let email = format!("{name}@acme.com");
            chat.account(account, &email, Standing::Member);
            let user = UserAccount {
                id: format!("00u{name}").into(),
                login: email.clone(),
                email: Some(email),
                name: None,
                status: UserStatus::Active,
                last_login: None,
            };
            okta.users.lock().unwrap().insert(account.into(), user);
        }
        let oncall = ["UANN", "UBOB", "UOLGA"].map(String::from).to_vec();
        chat.usergroups.lock().unwrap().insert("S1".into(), oncall);
        let clock = Arc::new(StillClock(Mutex::new(morning())));
        let deps = Deps {
            node: Node::new(store.clone(), "node-1"),
            store: store.clone(),
            clock: Arc::clone(&clock) as _,
            chat: Arc::clone(&chat) as _,
            okta: Arc::clone(&okta) as _,
            settings: Arc::new(settings),
            ids: Arc::new(CountedIds::default()),
            wake: Arc::new(|| {}),
        };
        let replies = Arc::new(ReplyPaths::default());
        Self {
            listener: Listener::new(deps.clone(), Arc::clone(&replies)),
            inbox: InboxPass::new(deps.clone(), replies),
            sender: SenderPass::new(deps.clone()).unwrap(),
            chat,
            okta,
            clock,
            store,
            deps,
            clicks: AtomicU64::new(0),
            _folder: folder,
        }
    }

    pub(crate) fn pass_time(&self, span: TimeDelta) -> DateTime<Utc> {
        let mut now = self.clock.0.lock().unwrap();
        *now += span;
        *now
    }

    /// Stores a proposal and posts its card.
    pub(crate) async fn propose(&self, plan: Plan) -> ProposalRecord {
        let now = self.clock.now();
        let id = ProposalId::from("P-7F3K2Q");
        let new = NewProposal {
            id: id.clone(),
            digest: digest::digest(&plan),
            plan_text: digest::canonical(&plan),
            plan,
            evidence: serde_json::json!({ "noun": "Mac", "fact": "certificate expired", "checked_at": now }),
            batch_number: 1,
            batch_count: 1,
            created_at: now,
            expires_at: now + TimeDelta::hours(24),
        };
        let letters = [super::messages::card(&id, now)];
        assert!(
            self.store
                .insert_proposal(
                    &new,
                    Together {
                        messages: &letters,
                        audit: &[]
                    }
                )
                .await
                .unwrap()
        );
        self.send().await;
        self.store.proposal(&id).await.unwrap().unwrap()
    }

    /// Lets the sender work until nothing is due, moving the clock as it asks.
    pub(crate) async fn send(&self) {
        for _ in 0..50 {
            match self.sender.run(self.clock.now()).await.unwrap() {
                Some(due) if due - self.clock.now() <= TimeDelta::seconds(60) => {
                    self.pass_time((due - self.clock.now()).max(TimeDelta::milliseconds(1)));
                }
                _ => return,
            }
        }
        panic!("the sender does not come to rest");
    }

    /// Somebody presses a button; the click is judged and what follows is sent.
    pub(crate) async fn press(&self, user: &str, action: &str, value: &str) {
        let click = self.click(user, action, value);
        self.deliver(click).await;
    }

    pub(crate) fn click(&self, user: &str, action: &str, value: &str) -> Click {
        let number = self.clicks.fetch_add(1, Ordering::Relaxed);
        Click {
            dedupe_key: format!("slack:{number}"),
            user: user.into(),
            team: Some("T1".into()),
            channel: Some("C1".into()),
            message_ts: None,
            action: action.into(),
            block: None,
            value: value.into(),
            trigger_id: format!("t{number}"),
            response_url: Some(format!("to:{user}")),
        }
    }

    pub(crate) async fn deliver(&self, click: Click) {
        let answer = self.listener.take(Incoming::Click(click)).await;
        assert_eq!(answer, connectors::slack::Answer::Taken);
        self.judge().await;
    }

    pub(crate) async fn judge(&self) {
        self.inbox.run(self.clock.now()).await.unwrap();
        self.send().await;
    }

    /// The last thing that somebody was told in private.
    pub(crate) fn told(&self, user: &str) -> Option<String> {
        let answers = self.chat.answers.lock().unwrap();
        answers
            .iter()
            .rfind(|(to, _)| to == user || *to == format!("to:{user}"))
            .map(|(_, text)| text.clone())
    }

    pub(crate) async fn state(&self) -> ProposalState {
        self.store
            .proposal(&"P-7F3K2Q".into())
            .await
            .unwrap()
            .unwrap()
            .state
    }
}

/// A plan for so many Macs; Olga uses the first.
pub(crate) fn plan(computers: usize) -> Plan {
    let repairs = (0..computers).map(|index| {
        let user: UserId = if index == 0 {
            "00uolga".into()
        } else {
            format!("00u{index:03}").into()
        };
        let device: DeviceId = format!("guo{index:03}").into();
        let login = if index == 0 {
            "olga@acme.com".to_owned()
        } else {
            format!("user{index}@acme.com")
        };
        PlannedRepair {
            hardware: HardwareKey::from(format!("mdm:jamf:{index}")),
            device_name: format!("MBP-{:04}", 114 + index),
            serial_number: Some(format!("C02X{index:04}")),
            mdm: Some("jamf".into()),
            mdm_kind: Some(MdmKind::Jamf),
            mdm_device_id: Some(format!("{index}").into()),
            management_id: None,
            subjects: vec![PlannedSubject {
                device_id: device.clone(),
                user_id: user.clone(),
                login: login.clone(),
                email: Some(login.clone()),
                name: None,
            }],
            preconditions: Preconditions {
                management_status: vec![ManagementStatus::NotManaged],
                device_status: vec![OktaDeviceStatus::Active],
                mdm_serial: None,
                profile: Some("42".into()),
                profile_state: Some("installed".into()),
                certificate: None,
                certificate_store: None,
            },
            rung: Some(Rung {
                name: "jamf-hold-group".into(),
                because: "the profile is installed and its certificate is bad".into(),
                removes: true,
            }),
            steps: vec![
                step(
                    "push.1",
                    VendorCall::SetDeviceGroup {
                        mdm: "jamf".into(),
                        group: "7".into(),
                        device: format!("{index}").into(),
                        management_id: None,
                        present: true,
                        hold: true,
                    },
                ),
                step(
                    "push.2",
                    VendorCall::SetDeviceGroup {
                        mdm: "jamf".into(),
                        group: "7".into(),
                        device: format!("{index}").into(),
                        management_id: None,
                        present: false,
                        hold: true,
                    },
                ),
                step(
                    "ask_user.1",
                    VendorCall::DirectMessage {
                        user: user.clone(),
                        device: device.clone(),
                        purpose: MessagePurpose::RequestFastpassSignIn,
                    },
                ),
            ],
            affected: vec![Affected {
                device_id: device,
                user_id: user,
                login,
                managed: false,
            }],
        }
    });
    Plan {
        playbook: "redeliver-scep-profile".into(),
        playbook_version: "00".into(),
        title: "Re-push the SCEP profile".into(),
        risk: Risk::Low,
        cause: Cause::CertExpired,
        repairs: repairs.collect(),
        rollout: Rollout {
            waves: vec![
                WaveSize::Count(1),
                WaveSize::Count(5),
                WaveSize::Percent(20),
                WaveSize::Percent(100),
            ],
            gate: Hop::CertPresent,
            gate_within_seconds: 48 * 3_600,
            pause_seconds: 900,
            stop_when_failed: WaveSize::Percent(20),
        },
        approval: ApprovalRule {
            required: 1,
            groups: vec!["oncall".into()],
            expires_seconds: 24 * 3_600,
            valid_for_seconds: 7 * 86_400,
            self_approval: false,
        },
        verify: VerifyRule {
            hops: vec![
                Hop::ProfileDelivered,
                Hop::CertPresent,
                Hop::CertBound,
                Hop::Managed,
            ],
            within_seconds: 10 * 86_400,
        },
    }
}

fn step(id: &str, call: VendorCall) -> MicroStep {
    MicroStep {
        id: id.into(),
        step: id.split('.').next().unwrap().into(),
        action: "mdm.redeliver_profile".into(),
        condition: None,
        kind: MicroStepKind::Call(call),
        on_error: OnError::Fail,
    }
}
