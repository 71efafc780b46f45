use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use secrecy::SecretString;
use serde_json::{Map, json};
use wiremock::{Request, Respond};

use super::*;
use crate::{CheckCredentials, NoProgress};

const EC_KEY: &str = include_str!("../testdata/ec-pkcs8.pem");
const RSA_KEYS: [&str; 3] = [
    include_str!("../testdata/rsa-pkcs1.pem"),
    include_str!("../testdata/rsa-pkcs8.pem"),
    include_str!("../testdata/rsa.jwk.json"),
];
/// The org's clock, far from ours.
const ORG_TIME: &str = "Fri, 01 Jan 2027 10:00:00 GMT";

fn app(dpop: bool) -> OktaAuth {
    OktaAuth::PrivateKeyJwt {
        client_id: "0oa1".to_owned(),
        private_key: EC_KEY.into(),
        key_id: Some("k1".to_owned()),
        dpop,
    }
}

fn parse(secret: &str) -> std::result::Result<SigningKey, KeyError> {
    SigningKey::parse(&SecretString::from(secret))
}

/// Header, claims, what was signed, signature.
fn split(jwt: &str) -> (Value, Value, String, Vec<u8>) {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let (message, signature) = jwt.rsplit_once('.').expect("three parts");
    let (header, claims) = message.split_once('.').expect("three parts");
    (
        serde_json::from_slice(&decode(header)).expect("JSON"),
        serde_json::from_slice(&decode(claims)).expect("JSON"),
        message.to_owned(),
        decode(signature),
    )
}

fn verify_ec(jwk: &Value, message: &str, signature: &[u8]) -> bool {
    let mut point = vec![4];
    for part in ["x", "y"] {
        let part = jwk[part].as_str().expect("a coordinate");
        point.extend(URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(message.as_bytes(), signature)
        .is_ok()
}

#[test]
fn rsa_keys_sign_from_every_form_and_tampering_is_seen() {
    for text in RSA_KEYS {
        let key = parse(text).expect("readable");
        let jwt = key
            .sign(Map::new(), &json!({"sub": "0oa1"}))
            .expect("signed");
        let (header, _, message, signature) = split(&jwt);
        assert_eq!(header["alg"], "RS256");
        let SigningKey::Rsa(pair) = &key else {
            panic!("an RSA key")
        };
        let public =
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        assert!(public.verify(message.as_bytes(), &signature).is_ok());
        let other = message.replace('.', "x");
        assert!(public.verify(other.as_bytes(), &signature).is_err());
    }
}

#[test]
fn unusable_keys_say_what_to_do_and_nothing_of_the_key() {
    let sec1 = include_str!("../testdata/ec-sec1.pem");
    assert_eq!(parse(sec1).expect_err("SEC1"), KeyError::Sec1);
    let encrypted = EC_KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(
        parse(&encrypted).expect_err("encrypted"),
        KeyError::Encrypted
    );
    assert_eq!(parse("hunter2").expect_err("nonsense"), KeyError::Unknown);
    let octets = r#"{"kty":"oct","k":"c2VjcmV0"}"#;
    assert_eq!(parse(octets).expect_err("symmetric"), KeyError::Unsuitable);
}

#[test]
fn pem_with_written_out_line_breaks_is_read() {
    let one_line = EC_KEY.trim().replace('\n', "\\n");
    assert!(matches!(parse(&one_line), Ok(SigningKey::Ec(_))));
}

/// An org that checks what it is sent, and demands a nonce of its own choice.
struct Org {
    dpop: bool,
    granted: &'static [&'static str],
    /// Every `jti` seen.
    jtis: Mutex<HashMap<String, ()>>,
    assertion_key: UnparsedPublicKey<Vec<u8>>,
    issuer: String,
}

impl Org {
    async fn start(dpop: bool, granted: &'static [&'static str]) -> MockServer {
        let server = MockServer::start().await;
        let Ok(SigningKey::Ec(pair)) = parse(EC_KEY) else {
            panic!("an EC key")
        };
        let public = pair.public_key().as_ref().to_vec();
        let org = Self {
            dpop,
            granted,
            jtis: Mutex::default(),
            assertion_key: UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
            issuer: server.uri(),
        };
        Mock::given(any()).respond_with(org).mount(&server).await;
        server
    }

    fn reply(status: u16, body: Value) -> ResponseTemplate {
        ResponseTemplate::new(status)
            .set_body_json(body)
            .insert_header("date", ORG_TIME)
    }

    fn refuse(error: &str, description: &str) -> ResponseTemplate {
        let status = if error == "invalid_client" { 401 } else { 400 };
        Self::reply(
            status,
            json!({"error": error, "error_description": description}),
        )
    }

    fn is_fresh(&self, claims: &Value) -> bool {
        let jti = claims["jti"].as_str().expect("jti").to_owned();
        let mut jtis = self.jtis.lock().expect("not poisoned");
        jtis.insert(jti, ()).is_none()
    }

    fn proof(&self, request: &Request, token: Option<&str>) -> Option<Value> {
        let proof = request.headers.get("dpop")?.to_str().ok()?;
        let (header, claims, message, signature) = split(proof);
        assert_eq!(header["typ"], "dpop+jwt");
        assert_eq!(header["jwk"].get("d"), None, "public part only");
        assert!(verify_ec(&header["jwk"], &message, &signature));
        assert!(self.is_fresh(&claims), "a proof is used once");
        assert_eq!(claims["htm"], request.method.as_str());
        let target = format!("{}{}", self.issuer, request.url.path());
        assert_eq!(claims["htu"], target, "without the query");
        let now = DateTime::parse_from_rfc2822(ORG_TIME).expect("a date");
        let age = now.timestamp() - claims["iat"].as_i64().expect("iat");
        assert!(age.abs() <= 5, "the proof is dated in the org's time");
        let hash = token.map(|t| URL_SAFE_NO_PAD.encode(digest(&SHA256, t.as_bytes())));
        assert_eq!(claims["ath"].as_str(), hash.as_deref());
        Some(claims)
    }

    fn token(&self, request: &Request) -> ResponseTemplate {
        let form: HashMap<String, String> = url::form_urlencoded::parse(&request.body)
            .into_owned()
            .collect();
        let (header, claims, message, signature) = split(&form["client_assertion"]);
        assert_eq!(header["kid"], "k1");
        assert!(
            self.assertion_key
                .verify(message.as_bytes(), &signature)
                .is_ok()
        );
        assert_eq!(claims["aud"], format!("{}/oauth2/v1/token", self.issuer));
        if !self.is_fresh(&claims) {
            return Self::refuse("invalid_client", "The client assertion was already used.");
        }
        if self.dpop {
            let Some(proof) = self.proof(request, None) else {
                let missing = "The DPoP proof JWT header is missing.";
                return Self::refuse("invalid_dpop_proof", missing);
            };
            if proof["nonce"] != "n1" {
                return Self::refuse("use_dpop_nonce", "nonce").insert_header("dpop-nonce", "n1");
            }
        }
        let asked = form["scope"].split(' ');
        if asked
            .into_iter()
            .any(|scope| !self.granted.contains(&scope))
        {
            return Self::refuse("consent_required", "You are not allowed");
        }
        Self::reply(
            200,
            json!({"token_type": if self.dpop { "DPoP" } else { "Bearer" }, "expires_in": 3600,
                "access_token": "at-secret", "scope": form["scope"]}),
        )
    }
}

impl Respond for Org {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        match request.url.path() {
            "/oauth2/v1/token" => self.token(request),
            "/.well-known/okta-organization" => {
                Self::reply(200, json!({"id": "00o1", "pipeline": "idx"}))
            }
            _ => {
                let sent = request.headers.get("authorization");
                let sent = sent.and_then(|value| value.to_str().ok());
                if !self.dpop {
                    assert_eq!(sent, Some("Bearer at-secret"));
                    return Self::reply(200, json!([]));
                }
                assert_eq!(sent, Some("DPoP at-secret"));
                let proof = self.proof(request, Some("at-secret")).expect("a proof");
                // Okta asks for none today; its own SDK is ready for the day it does.
                if proof["nonce"] != "api-1" {
                    return Self::refuse("use_dpop_nonce", "nonce")
                        .insert_header("dpop-nonce", "api-1");
                }
                Self::reply(200, json!([]))
            }
        }
    }
}

const ALL: &[&str] = &[
    "okta.devices.read",
    "okta.users.read",
    "okta.logs.read",
    "okta.policies.read",
    "okta.authenticators.read",
    "okta.groups.manage",
    "okta.certificateAuthorities.read",
];

#[tokio::test]
async fn service_app_signs_in_once_in_the_orgs_time() {
    let server = Org::start(false, ALL).await;
    let client = client_with(&server, app(false));
    client.devices(&NoProgress).await.expect("read");
    client.devices(&NoProgress).await.expect("read");
    // The time, one token, two lists.
    assert_eq!(requests(&server).await.len(), 4);
    assert_eq!(client.usage().requests, 4, "tokens are counted too");
}

#[tokio::test]
async fn dpop_answers_both_nonces_with_fresh_proofs_and_a_new_assertion() {
    let server = Org::start(true, ALL).await;
    let client = client_with(&server, app(true));
    client.devices(&NoProgress).await.expect("read");
    // The time, a token refused for its nonce, a token, a list refused for its nonce, the list.
    assert_eq!(requests(&server).await.len(), 5);
    client.devices(&NoProgress).await.expect("read");
    assert_eq!(requests(&server).await.len(), 6, "nonces are kept");
}

#[tokio::test]
async fn app_that_wants_dpop_is_told_so() {
    let server = Org::start(true, ALL).await;
    let client = client_with(&server, app(false));
    let checks = client.check_credentials().await;
    let refused = checks.iter().find(|check| !check.ok).expect("one fails");
    assert!(refused.hint.contains("dpop = true"), "{refused:?}");
}

#[tokio::test]
async fn scopes_that_are_not_granted_are_left_out_and_named() {
    const SOME: &[&str] = &["okta.devices.read", "okta.logs.read"];
    let server = Org::start(false, SOME).await;
    let client = client_with(&server, app(false));
    client.devices(&NoProgress).await.expect("read with less");
    let checks = client.check_credentials().await;
    let missing: Vec<_> = checks
        .iter()
        .filter(|check| check.hint.contains("grants"))
        .map(|check| (&*check.what, check.optional))
        .collect();
    assert_eq!(
        missing,
        [
            ("get a token with the scope okta.users.read", false),
            ("get a token with the scope okta.policies.read", false),
            ("get a token with the scope okta.authenticators.read", false),
            ("get a token with the scope okta.groups.manage", true),
        ]
    );
}

#[tokio::test]
async fn scope_of_early_access_is_done_without_at_the_price_of_one_request() {
    let server = Org::start(false, &ALL[..6]).await;
    let client = client_with(&server, app(false));
    client.devices(&NoProgress).await.expect("read");
    // The time, a token refused for the one scope, a token, the list.
    assert_eq!(requests(&server).await.len(), 4);
}

#[tokio::test]
async fn app_without_any_scope_cannot_sign_in() {
    let server = Org::start(false, &[]).await;
    let client = client_with(&server, app(false));
    let error = client.devices(&NoProgress).await.expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::Rejected { .. }), "{error}");
}

/// Refuses the first assertion for its time, as a server does whose clock was set meanwhile.
struct Stepped(Mutex<u32>);

impl Respond for Stepped {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let reply = |status, body: Value, date: &str| {
            ResponseTemplate::new(status)
                .set_body_json(body)
                .insert_header("date", date)
        };
        match request.url.path() {
            "/.well-known/okta-organization" => {
                reply(200, json!({"id": "00o1"}), "Fri, 01 Jan 2027 08:00:00 GMT")
            }
            "/oauth2/v1/token" => {
                *self.0.lock().expect("not poisoned") += 1;
                let form: HashMap<String, String> = url::form_urlencoded::parse(&request.body)
                    .into_owned()
                    .collect();
                let (_, claims, _, _) = split(&form["client_assertion"]);
                let now = DateTime::parse_from_rfc2822(ORG_TIME).expect("a date");
                if claims["exp"].as_i64().expect("exp") < now.timestamp() {
                    let body = json!({"error": "invalid_client",
                        "error_description": "The client_assertion token is expired."});
                    return reply(401, body, ORG_TIME);
                }
                let body = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "t"});
                reply(200, body, ORG_TIME)
            }
            _ => reply(200, json!([]), ORG_TIME),
        }
    }
}

#[tokio::test]
async fn assertion_refused_for_its_time_is_made_anew_once() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(Stepped(Mutex::default()))
        .mount(&server)
        .await;
    let client = client_with(&server, app(false));
    client.devices(&NoProgress).await.expect("read");
    let tokens = requests(&server).await;
    let tokens = tokens.iter().filter(|r| r.url.path().ends_with("/token"));
    assert_eq!(tokens.count(), 2);
    let now = client.now().expect("known");
    let org = DateTime::parse_from_rfc2822(ORG_TIME).expect("a date");
    assert!(now - org.to_utc() < TimeDelta::minutes(1));
}
