//! Ids in the vendors' shapes from one seeded generator, so that equal seeds give equal worlds.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::Id;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SERIAL_ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ0123456789";

/// The source of ids and of every other random choice in a running world.
#[derive(Debug)]
pub(crate) struct Ids {
    pub rng: StdRng,
}

impl Ids {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// An Okta id: three letters that tell the kind, then 17 characters.
    pub(crate) fn okta(&mut self, prefix: &str) -> Id {
        let mut id = String::with_capacity(20);
        id.push_str(prefix);
        self.fill(&mut id, ALPHABET, 20 - prefix.len());
        id.into()
    }

    pub(crate) fn guid(&mut self) -> String {
        self.uuid().to_string()
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    /// Hex digits in upper case.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits);
        self.fill(&mut text, b"0123456789ABCDEF", digits);
        text
    }

    /// A hardware serial number of this length.
    pub(crate) fn serial(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        self.fill(&mut text, SERIAL_ALPHABET, length);
        text
    }

    /// A secret of this length.
    pub(crate) fn secret(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        self.fill(&mut text, ALPHABET, length);
        text
    }

    fn fill(&mut self, text: &mut String, alphabet: &[u8], count: usize) {
        for _ in 0..count {
            let index = self.rng.random_range(0..alphabet.len());
            text.push(char::from(alphabet[index]));
        }
    }
}
