//! The key that signs the audit's seals: an Ed25519 seed of 64 hex digits, made at the first start.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    settings::{Environment, Problem, Problems, SecretRef, Settings, place_of_file},
    store::{AuditSeal, Store},
};

/// Length of a seed, in bytes.
const SEED: usize = 32;

/// Signs seals and knows its own signatures.
pub struct AuditKey(Ed25519KeyPair);

impl AuditKey {
    /// Reads the key that `[audit] key` names.
    pub fn read(settings: &Settings, environment: &Environment) -> Result<Self, Problems> {
        let folder = settings.file.parent().unwrap_or(Path::new("."));
        let text = settings.audit.key.read(environment, folder);
        text.and_then(|text| Self::parse(&text)).map_err(|error| {
            problem(
                settings,
                error,
                "bring back the key that the first `unstuck serve` made; every machine needs the same",
            )
        })
    }

    /// Reads the key, or makes it where nothing was sealed yet and the settings name a file that is not there.
    pub async fn read_or_make(
        settings: &Settings,
        environment: &Environment,
        store: &Store,
    ) -> anyhow::Result<Self> {
        if let SecretRef::File(path) = &settings.audit.key {
            let path = settings.path(path);
            // Sealed already: another key than the first one would make the record look forged.
            if !path.exists() && store.last_audit_seal().await?.is_none() {
                make(&path).map_err(|error| {
                    let message = format!("cannot make the key {}: {error}", path.display());
                    problem(
                        settings,
                        message,
                        "name a file in a folder that the service may write to",
                    )
                })?;
            }
        }
        Ok(Self::read(settings, environment)?)
    }

    fn parse(text: &SecretString) -> Result<Self, String> {
        let mut seed = Zeroizing::new([0; SEED]);
        // The error of the decoder would show a digit of the key.
        if hex::decode_to_slice(text.expose_secret(), seed.as_mut_slice()).is_err() {
            return Err("the key of the audit must be 64 hex digits".to_owned());
        }
        Self::of_seed(&seed)
    }

    fn of_seed(seed: &[u8; SEED]) -> Result<Self, String> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|error| format!("the key of the audit is refused: {error}"))
    }

    /// Signature of a text, hex.
    pub fn sign(&self, text: &str) -> String {
        hex::encode(self.0.sign(text.as_bytes()))
    }

    /// Whether this key signed a seal.
    pub fn has_signed(&self, seal: &AuditSeal) -> bool {
        let text = AuditSeal::signed_text(seal.last_seq, &seal.head);
        let public = UnparsedPublicKey::new(&ED25519, self.0.public_key());
        hex::decode(&seal.signature)
            .is_ok_and(|signature| public.verify(text.as_bytes(), &signature).is_ok())
    }

    /// The public half, hex; whoever checks an export needs it.
    pub fn public(&self) -> String {
        hex::encode(self.0.public_key())
    }

    #[cfg(test)]
    pub(super) fn of_byte(byte: u8) -> Self {
        Self::of_seed(&[byte; SEED]).expect("any seed is a key")
    }
}

/// Writes a new key that only we can read. Another process that is faster keeps its own.
fn make(path: &Path) -> Result<(), String> {
    let mut seed = Zeroizing::new([0; SEED]);
    SystemRandom::new()
        .fill(seed.as_mut_slice())
        .map_err(|error| format!("there is no randomness: {error}"))?;
    let text = Zeroizing::new(format!("{}\n", hex::encode(seed.as_slice())));
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Ok(mut file) => file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn problem(settings: &Settings, message: String, hint: &str) -> Problems {
    Problems(vec![Problem {
        place: place_of_file(&settings.file, "audit"),
        message: format!("[audit] key: {message}"),
        hint: hint.into(),
    }])
}
