//! References to secrets. The secret itself is read only by a command that uses it, straight into a [`SecretString`].

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error};

use super::Environment;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`
    Env(String),
    /// `file:PATH`, relative to the settings file.
    File(PathBuf),
}

impl SecretRef {
    /// Reads `env:NAME` or `file:PATH`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:").filter(|name| !name.is_empty()) {
            return Some(Self::Env(name.into()));
        }
        text.strip_prefix("file:")
            .filter(|path| !path.is_empty())
            .map(|path| Self::File(path.into()))
    }

    /// Reads the secret; the error is a sentence without it.
    pub fn read(&self, environment: &Environment, folder: &Path) -> Result<SecretString, String> {
        let text = match self {
            Self::Env(name) => environment
                .get(name)
                .ok_or_else(|| format!("the environment variable {name} is not set"))?
                .to_owned(),
            Self::File(path) => {
                let path = folder.join(path);
                std::fs::read_to_string(&path).map_err(|error| {
                    format!("cannot read the secret file {}: {error}", path.display())
                })?
            }
        };
        let text = text.trim();
        if text.is_empty() {
            return Err("the secret is empty".into());
        }
        Ok(SecretString::from(text))
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text is not shown: it may be an inline secret.
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("a secret must be `env:NAME` or `file:PATH`"))
    }
}
