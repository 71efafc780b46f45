//! Which certificates and profiles are about management attestation: the settings `[attestation]`.

use regex::Regex;

/// `[attestation]`, read and checked.
#[derive(Debug, Clone)]
pub struct AttestationSettings {
    subject: Regex,
    issuers: Vec<String>,
    profiles: Vec<String>,
}

/// A `subject_pattern` that is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("subject_pattern is no regular expression")]
pub struct InvalidSubjectPattern(#[source] regex::Error);

impl AttestationSettings {
    /// `scep_profiles` are names or ids, with `*` and `?`; upper and lower case are the same.
    pub fn new(
        subject_pattern: &str,
        issuers: Vec<String>,
        scep_profiles: Vec<String>,
    ) -> Result<Self, InvalidSubjectPattern> {
        Ok(Self {
            subject: Regex::new(subject_pattern).map_err(InvalidSubjectPattern)?,
            issuers: issuers.iter().map(|issuer| issuer.to_lowercase()).collect(),
            profiles: scep_profiles.iter().map(|p| p.to_lowercase()).collect(),
        })
    }

    /// Whether a certificate is worth keeping: its subject matches, or its issuer does. The issuer judges elsewhere;
    /// here it only saves a certificate whose subject template is broken.
    pub(crate) fn keeps_certificate(&self, subject: &str, issuer: Option<&str>) -> bool {
        self.matches_subject(subject) || issuer.is_some_and(|issuer| self.names_issuer(issuer))
    }

    /// Whether a subject or common name is one that proves management.
    pub fn matches_subject(&self, subject: &str) -> bool {
        self.subject.is_match(subject)
    }

    /// Whether a name holds that of one of our issuers.
    pub(crate) fn names_issuer(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.issuers.iter().any(|known| name.contains(known))
    }

    /// Whether the settings name any issuer at all; else the lack of one proves nothing.
    pub(crate) fn knows_issuers(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Whether a profile of that id and name delivers the attestation certificate. A Device Access certificate never
    /// attests management, so a profile that carries those words counts only where its exact id or name is listed.
    pub(crate) fn names_profile(&self, id: &str, name: &str) -> bool {
        let (id, name) = (id.to_lowercase(), name.to_lowercase());
        let device_access = name.contains("device access");
        self.profiles.iter().any(|pattern| {
            *pattern == id || *pattern == name || (!device_access && matches(pattern, &name))
        })
    }
}

/// Glob match: `*` any text, `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = star else {
                    return false;
                };
                star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> AttestationSettings {
        AttestationSettings::new(
            "(?i)managementAttestation",
            vec!["Organization Intermediate Authority".into()],
            vec![
                "*Okta*SCEP*".into(),
                "12".into(),
                "Okta Device Access SCEP (kept)".into(),
            ],
        )
        .unwrap()
    }

    #[test]
    fn certificate_is_kept_for_its_subject_or_its_issuer() {
        let settings = settings();
        assert!(settings.keeps_certificate("CN=mac MANAGEMENTATTESTATION 1", None));
        assert!(settings.keeps_certificate(
            "CN=$BROKEN",
            Some("CN=Organization Intermediate Authority,OU=00o1")
        ));
        assert!(!settings.keeps_certificate("CN=wifi", None));
        assert!(!settings.keeps_certificate("CN=wifi", Some("CN=Corp CA")));
    }

    #[test]
    fn profiles_are_named_by_glob_or_id_and_device_access_only_exactly() {
        let settings = settings();
        assert!(settings.names_profile("7", "Acme okta scep (user)"));
        assert!(settings.names_profile("12", "anything"));
        assert!(!settings.names_profile("8", "Okta Device Access SCEP"));
        assert!(settings.names_profile("9", "Okta Device Access SCEP (kept)"));
        assert!(!settings.names_profile("120", "Wi-Fi"));
    }

    #[test]
    fn globs_match_whole_names() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*b*", "abcb", true),
            ("*b*b*", "abc", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn broken_pattern_is_refused() {
        assert!(AttestationSettings::new("(", vec![], vec![]).is_err());
    }
}
