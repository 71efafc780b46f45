//! Everything this connector may ask of Okta. There is no wipe, no delete, no policy, CA or factor write.

use reqwest::Method;

use crate::http::{Effect, Endpoint};

const DEVICES: &str = "the scope okta.devices.read and the role Read-only administrator";
const USERS: &str = "the scope okta.users.read and the role Read-only administrator";
const LOGS: &str = "the scope okta.logs.read and the role Read-only or Report administrator";
pub(super) const POLICIES: &str =
    "the scope okta.policies.read and the role Read-only administrator";
const AUTHENTICATORS: &str =
    "the scope okta.authenticators.read and the role Read-only administrator";
const AUTHORITIES: &str =
    "the scope okta.certificateAuthorities.read, and the org's feature (Early Access)";
const APPS: &str = "the scope okta.apps.read and the role Read-only administrator";
const GROUPS: &str = "the scope okta.groups.read and the role Read-only administrator";
const ROLES: &str = "the scope okta.roles.read and the role Super administrator";
const MEMBERS: &str = "the scope okta.groups.manage and a role that manages the members of this group, \
     which must not be read-only";

/// The allow-list.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    ORGANIZATION,
    TOKEN,
    LIST_DEVICES,
    DEVICE,
    DEVICE_USERS,
    USER,
    USER_DEVICES,
    USER_GROUPS,
    USER_FACTORS,
    LIST_AUTHENTICATORS,
    AUTHENTICATOR_METHODS,
    LIST_POLICIES,
    POLICY_RULES,
    POLICY_MAPPINGS,
    super::simulate::SIMULATE,
    LIST_AUTHORITIES,
    REGISTRATION_AUTHORITIES,
    LOG,
    APP,
    GROUP,
    GROUP_RULES,
    GROUP_APPS,
    GROUP_ROLES,
    ADD_MEMBER,
    REMOVE_MEMBER,
];

pub(super) const ORGANIZATION: Endpoint = Endpoint {
    name: "okta.organization",
    method: Method::GET,
    path: "/.well-known/okta-organization",
    effect: Effect::Read,
    bucket: "public",
    right: "",
};

pub(super) const TOKEN: Endpoint = Endpoint {
    name: "okta.token",
    method: Method::POST,
    path: "/oauth2/v1/token",
    effect: Effect::Token,
    bucket: "token",
    right: "",
};

pub(super) const LIST_DEVICES: Endpoint = Endpoint {
    name: "okta.list_devices",
    method: Method::GET,
    path: "/api/v1/devices",
    effect: Effect::Read,
    bucket: "devices",
    right: DEVICES,
};

pub(super) const DEVICE: Endpoint = Endpoint {
    name: "okta.device",
    method: Method::GET,
    path: "/api/v1/devices/{device}",
    effect: Effect::Read,
    bucket: "devices",
    right: DEVICES,
};

pub(super) const DEVICE_USERS: Endpoint = Endpoint {
    name: "okta.device_users",
    method: Method::GET,
    path: "/api/v1/devices/{device}/users",
    effect: Effect::Read,
    bucket: "devices",
    right: DEVICES,
};

pub(super) const USER: Endpoint = Endpoint {
    name: "okta.user",
    method: Method::GET,
    path: "/api/v1/users/{user}",
    effect: Effect::Read,
    bucket: "user",
    right: USERS,
};

pub(super) const USER_DEVICES: Endpoint = Endpoint {
    name: "okta.user_devices",
    method: Method::GET,
    path: "/api/v1/users/{user}/devices",
    effect: Effect::Read,
    bucket: "user parts",
    right: USERS,
};

pub(super) const USER_GROUPS: Endpoint = Endpoint {
    name: "okta.user_groups",
    method: Method::GET,
    path: "/api/v1/users/{user}/groups",
    effect: Effect::Read,
    bucket: "user parts",
    right: USERS,
};

pub(super) const USER_FACTORS: Endpoint = Endpoint {
    name: "okta.user_factors",
    method: Method::GET,
    path: "/api/v1/users/{user}/factors",
    effect: Effect::Read,
    bucket: "user parts",
    right: USERS,
};

pub(super) const LIST_AUTHENTICATORS: Endpoint = Endpoint {
    name: "okta.list_authenticators",
    method: Method::GET,
    path: "/api/v1/authenticators",
    effect: Effect::Read,
    bucket: "other",
    right: AUTHENTICATORS,
};

pub(super) const AUTHENTICATOR_METHODS: Endpoint = Endpoint {
    name: "okta.authenticator_methods",
    method: Method::GET,
    path: "/api/v1/authenticators/{authenticator}/methods",
    effect: Effect::Read,
    bucket: "other",
    right: AUTHENTICATORS,
};

pub(super) const LIST_POLICIES: Endpoint = Endpoint {
    name: "okta.list_policies",
    method: Method::GET,
    path: "/api/v1/policies",
    effect: Effect::Read,
    bucket: "other",
    right: POLICIES,
};

pub(super) const POLICY_RULES: Endpoint = Endpoint {
    name: "okta.policy_rules",
    method: Method::GET,
    path: "/api/v1/policies/{policy}/rules",
    effect: Effect::Read,
    bucket: "other",
    right: POLICIES,
};

pub(super) const POLICY_MAPPINGS: Endpoint = Endpoint {
    name: "okta.policy_mappings",
    method: Method::GET,
    path: "/api/v1/policies/{policy}/mappings",
    effect: Effect::Read,
    bucket: "other",
    right: POLICIES,
};

/// Early Access.
pub(super) const LIST_AUTHORITIES: Endpoint = Endpoint {
    name: "okta.list_authorities",
    method: Method::GET,
    path: "/pki/api/v2/certificate-authorities",
    effect: Effect::Read,
    bucket: "other",
    right: AUTHORITIES,
};

/// Early Access.
pub(super) const REGISTRATION_AUTHORITIES: Endpoint = Endpoint {
    name: "okta.registration_authorities",
    method: Method::GET,
    path: "/pki/api/v2/certificate-authorities/{authority}/registration-authorities",
    effect: Effect::Read,
    bucket: "other",
    right: AUTHORITIES,
};

pub(super) const LOG: Endpoint = Endpoint {
    name: "okta.log",
    method: Method::GET,
    path: "/api/v1/logs",
    effect: Effect::Read,
    bucket: "logs",
    right: LOGS,
};

pub(super) const APP: Endpoint = Endpoint {
    name: "okta.app",
    method: Method::GET,
    path: "/api/v1/apps/{app}",
    effect: Effect::Read,
    bucket: "app",
    right: APPS,
};

pub(super) const GROUP: Endpoint = Endpoint {
    name: "okta.group",
    method: Method::GET,
    path: "/api/v1/groups/{group}",
    effect: Effect::Read,
    bucket: "groups",
    right: GROUPS,
};

pub(super) const GROUP_RULES: Endpoint = Endpoint {
    name: "okta.group_rules",
    method: Method::GET,
    path: "/api/v1/groups/rules",
    effect: Effect::Read,
    bucket: "groups",
    right: GROUPS,
};

pub(super) const GROUP_APPS: Endpoint = Endpoint {
    name: "okta.group_apps",
    method: Method::GET,
    path: "/api/v1/groups/{group}/apps",
    effect: Effect::Read,
    bucket: "groups",
    right: GROUPS,
};

/// Which role may read it is UNVERIFIED.
pub(super) const GROUP_ROLES: Endpoint = Endpoint {
    name: "okta.group_roles",
    method: Method::GET,
    path: "/api/v1/groups/{group}/roles",
    effect: Effect::Read,
    bucket: "groups",
    right: ROLES,
};

pub(super) const ADD_MEMBER: Endpoint = Endpoint {
    name: "okta.add_member",
    method: Method::PUT,
    path: "/api/v1/groups/{group}/users/{user}",
    effect: Effect::Write,
    bucket: "group members",
    right: MEMBERS,
};

pub(super) const REMOVE_MEMBER: Endpoint = Endpoint {
    name: "okta.remove_member",
    method: Method::DELETE,
    path: "/api/v1/groups/{group}/users/{user}",
    effect: Effect::Write,
    bucket: "group members",
    right: MEMBERS,
};
