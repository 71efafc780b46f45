//! Real certificates of the simulated authorities, and the PKCS#7 bundle that SCEP sends them in.
//! Keys are fixed, so that equal companies have equal certificates; they protect nothing.

use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};

use super::der::{
    bits, context, element, ia5, null, octets, oid, sequence, set, truth, unsigned, utc_time, utf8,
};

const SHA256_WITH_RSA: [u32; 7] = [1, 2, 840, 113_549, 1, 1, 11];
const RSA_ENCRYPTION: [u32; 7] = [1, 2, 840, 113_549, 1, 1, 1];
const DATA: [u32; 7] = [1, 2, 840, 113_549, 1, 7, 1];
const SIGNED_DATA: [u32; 7] = [1, 2, 840, 113_549, 1, 7, 2];
const DOMAIN_COMPONENT: [u32; 7] = [0, 9, 2342, 19_200_300, 100, 1, 25];
const ORGANIZATIONAL_UNIT: [u32; 4] = [2, 5, 4, 11];
const COMMON_NAME: [u32; 4] = [2, 5, 4, 3];

/// Whose key it is. Each is a 2048-bit RSA key made with `openssl genpkey`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Root,
    /// The attestation CA's own.
    First,
    /// The attestation CA's after its renewal.
    Next,
    DeviceAccess,
    /// The registration authority's.
    Registration,
}

impl Key {
    fn pair(self) -> RsaKeyPair {
        let pkcs8: &[u8] = match self {
            Self::Root => include_bytes!("keys/root.pk8"),
            Self::First => include_bytes!("keys/first.pk8"),
            Self::Next => include_bytes!("keys/next.pk8"),
            Self::DeviceAccess => include_bytes!("keys/device_access.pk8"),
            Self::Registration => include_bytes!("keys/registration.pk8"),
        };
        RsaKeyPair::from_pkcs8(pkcs8).expect("the files hold RSA keys")
    }
}

/// `CN=…, OU={org}, DC={subdomain}, DC=okta, DC=com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub common_name: &'static str,
    pub org: String,
    pub subdomain: &'static str,
}

impl Name {
    /// The most specific part first.
    pub(crate) fn text(&self) -> String {
        let Self {
            common_name,
            org,
            subdomain,
        } = self;
        format!("CN={common_name}, OU={org}, DC={subdomain}, DC=okta, DC=com")
    }

    fn encoded(&self) -> Vec<u8> {
        let part = |kind: &[u32], value| set(&[sequence(&[oid(kind), value])]);
        sequence(&[
            part(&DOMAIN_COMPONENT, ia5("com")),
            part(&DOMAIN_COMPONENT, ia5("okta")),
            part(&DOMAIN_COMPONENT, ia5(self.subdomain)),
            part(&ORGANIZATIONAL_UNIT, utf8(&self.org)),
            part(&COMMON_NAME, utf8(self.common_name)),
        ])
    }
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Content<'a> {
    pub subject: &'a Name,
    pub issuer: &'a Name,
    /// Big-endian.
    pub serial: &'a [u8],
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    pub key: Key,
    pub signed_by: Key,
    /// Key identifiers of the subject and of the issuer.
    pub ski: &'a [u8],
    pub aki: &'a [u8],
    /// False: a registration authority, which may not issue.
    pub authority: bool,
}

/// The certificate in DER.
pub(crate) fn certificate(content: &Content<'_>) -> Vec<u8> {
    let algorithm = sequence(&[oid(&SHA256_WITH_RSA), null()]);
    let public = content.key.pair();
    let to_sign = sequence(&[
        context(0, &unsigned(&[2])),
        unsigned(content.serial),
        algorithm.clone(),
        content.issuer.encoded(),
        sequence(&[utc_time(content.not_before), utc_time(content.not_after)]),
        content.subject.encoded(),
        sequence(&[
            sequence(&[oid(&RSA_ENCRYPTION), null()]),
            bits(0, public.public_key().as_ref()),
        ]),
        context(3, &sequence(&extensions(content))),
    ]);
    let pair = content.signed_by.pair();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        &to_sign,
        &mut signature,
    )
    .expect("the key is large enough for the digest");
    sequence(&[to_sign, algorithm, bits(0, &signature)])
}

fn extensions(content: &Content<'_>) -> Vec<Vec<u8>> {
    let extension = |number, critical: bool, value: Vec<u8>| {
        let mut parts = vec![oid(&[2, 5, 29, number])];
        parts.extend(critical.then(truth));
        parts.push(octets(&value));
        sequence(&parts)
    };
    let (constraints, usage) = match content.authority {
        // Signs certificates and revocation lists, and the answers of SCEP.
        true => (sequence(&[truth()]), bits(1, &[0b1000_0110])),
        // Signs answers and opens requests.
        false => (sequence(&[]), bits(5, &[0b1010_0000])),
    };
    vec![
        extension(19, true, constraints),
        extension(15, true, usage),
        extension(14, false, octets(content.ski)),
        extension(35, false, sequence(&[element(0x80, content.aki)])),
    ]
}

/// A degenerate PKCS#7 message that holds only certificates.
pub(super) fn bundle(certificates: &[&[u8]]) -> Vec<u8> {
    let signed_data = sequence(&[
        unsigned(&[1]),
        set(&[]),
        sequence(&[oid(&DATA)]),
        context(0, &certificates.concat()),
        set(&[]),
    ]);
    sequence(&[oid(&SIGNED_DATA), context(0, &signed_data)])
}
