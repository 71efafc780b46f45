//! Jamf's readers for [`crate::fuzzing`].

use std::{collections::HashSet, sync::Arc};

use super::{
    computers::{Context, device, has_unknown_scope},
    delivery::{self, CommandIndex},
    profiles::{JamfProfile, OtherProfile, Profiles},
    wire,
};
use crate::{AttestationSettings, fuzzing::page};

fn settings() -> AttestationSettings {
    let issuers = vec!["Organization Intermediate Authority".to_owned()];
    AttestationSettings::new(
        "(?i)managementAttestation",
        issuers,
        vec!["*SCEP*".to_owned()],
    )
    .expect("the pattern is constant and valid")
}

fn scep_profile() -> JamfProfile {
    let profile = r#"{"general": {"id": 12, "name": "Okta SCEP"}, "scope": {"computer_groups": [{"id": 7}]}}"#;
    let profile = serde_json::from_str(profile).expect("a profile");
    JamfProfile::read(profile).expect("an attestation profile")
}

pub(crate) fn computers(bytes: &[u8]) {
    let profiles = Arc::new(Profiles {
        attestation: vec![scep_profile()],
        ..Profiles::default()
    });
    let context = Context {
        now: crate::decode::time("2026-08-02T00:00:00Z"),
        attestation: Arc::new(settings()),
        profiles: Arc::clone(&profiles),
        commands: CommandIndex::default(),
        disabled_push: Some(HashSet::new()),
        in_scope: None,
    };
    for computer in page::<wire::Computer>(bytes) {
        has_unknown_scope(&computer, &profiles);
        device(computer, &context);
    }
}

pub(crate) fn commands(bytes: &[u8]) {
    let commands: Vec<wire::Command> = page(bytes);
    delivery::change(&commands);
    let mut index = CommandIndex::default();
    commands.into_iter().for_each(|command| index.add(command));
    page::<wire::DisabledPush>(bytes);
}

pub(crate) fn profile(bytes: &[u8]) {
    for read in [true, false] {
        let Ok(answer) = serde_json::from_slice::<wire::ProfileAnswer>(bytes) else {
            return;
        };
        let profile = answer.os_x_configuration_profile;
        if read {
            JamfProfile::read(profile);
        } else {
            OtherProfile::read(profile, &settings());
        }
    }
}

/// Records of a page that read, and that do not.
#[cfg(test)]
pub(crate) fn counted(reader: &str, bytes: &[u8]) -> (usize, usize) {
    use crate::fuzzing::counted_page;
    match reader {
        "jamf_computers" => counted_page::<wire::Computer>(bytes),
        _ => counted_page::<wire::Command>(bytes),
    }
}
