use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// An authority's certificate and, in the bundle, a registration authority's beside it; made with `openssl`.
const AUTHORITY: &[u8] = include_bytes!("tests/authority.der");
const BUNDLE: &[u8] = include_bytes!("tests/bundle.p7");
const ONE: &str = "application/x-x509-ca-cert";
const MANY: &str = "application/x-x509-ca-ra-cert; charset=binary";

#[test]
fn a_single_certificate_tells_names_times_and_thumbprints() {
    let read = parse(ONE, AUTHORITY).unwrap().remove(0);
    assert_eq!(
        read.common_name.as_deref(),
        Some("Organization Intermediate Authority")
    );
    assert_eq!(read.units, ["00o1testorg"]);
    assert!(read.issuer.contains("DC=acme"), "{}", read.issuer);
    assert_eq!(
        read.key_id.as_deref(),
        Some("C5108241CB6CA4339D0FA780146B8125055404E6")
    );
    assert_eq!(
        read.serial_number,
        "14D17E8332D244BE541269C89BFE29D9BC274E5F"
    );
    assert_eq!(read.expires_at.to_rfc3339(), "2031-11-25T03:36:25+00:00");
    assert!(read.is_authority);
    assert_eq!(read.sha1, "F5038AC488FE40678D3876285E30E7BBDEE2DF9F");
}

#[test]
fn a_fingerprint_is_compared_by_its_length_and_in_any_spelling() {
    let read = parse(ONE, AUTHORITY).unwrap().remove(0);
    for same in [
        "f5038ac488fe40678d3876285e30e7bbdee2df9f",
        "F5:03:8A:C4:88:FE:40:67:8D:38:76:28:5E:30:E7:BB:DE:E2:DF:9F",
        "F4DB753487B151DD54C4DC1F5ACFD390A36F9721C576F2FB1CEBEBFEBDD177FA",
    ] {
        assert!(read.has_fingerprint(same), "{same}");
    }
    assert!(!read.has_fingerprint(""));
    assert!(!read.has_fingerprint("F5038AC488FE40678D3876285E30E7BBDEE2DF9E"));
}

#[test]
fn a_bundle_holds_the_authority_and_the_registration_authority() {
    let read = parse(MANY, BUNDLE).unwrap();
    let names: Vec<_> = read
        .iter()
        .map(|certificate| {
            (
                certificate.common_name.as_deref().unwrap(),
                certificate.is_authority,
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("Organization Intermediate Authority", true),
            ("Organization Registration Authority", false),
        ]
    );
    assert!(read[0].has_fingerprint("F5038AC488FE40678D3876285E30E7BBDEE2DF9F"));
}

#[test]
fn whatever_is_cut_or_bent_is_an_error_and_never_a_panic() {
    for (kind, whole) in [(ONE, AUTHORITY), (MANY, BUNDLE)] {
        for length in 0..whole.len() {
            assert!(parse(kind, &whole[..length]).is_err(), "{kind} {length}");
        }
        for at in 0..whole.len() {
            let mut bent = whole.to_vec();
            bent[at] ^= 0x55;
            // A changed name or signature still parses; no byte may end the process.
            drop(parse(kind, &bent));
        }
    }
    let mut more = AUTHORITY.to_vec();
    more.push(0);
    assert!(parse(ONE, &more).is_err());
    assert!(parse(MANY, AUTHORITY).is_err());
    assert!(parse(ONE, BUNDLE).is_err());
    assert_eq!(
        parse("text/html", b"<html>"),
        Err(AnswerError::OtherContent("text/html".into()))
    );
}

async fn server() -> (MockServer, Url) {
    crate::http::install_crypto_provider();
    let server = MockServer::start().await;
    let url = format!("{}/pki/ABCD/scep/rac1", server.uri())
        .parse()
        .unwrap();
    (server, url)
}

async fn answers(server: &MockServer, operation: &str, answer: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path("/pki/ABCD/scep/rac1"))
        .and(query_param("operation", operation))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_server_is_asked_for_capabilities_and_certificates_only() {
    let (server, url) = server().await;
    let caps = ResponseTemplate::new(200).set_body_string("POSTPKIOperation\nSHA-256\n\n");
    answers(&server, "GetCACaps", caps).await;
    let certificate = ResponseTemplate::new(200).set_body_raw(AUTHORITY, ONE);
    answers(&server, "GetCACert", certificate).await;
    let told = ask(&url).await.unwrap();
    assert!(told.can("sha-256") && !told.can("Renewal"));
    assert_eq!(told.certificates.len(), 1);
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.len(), 2);
    assert!(
        asked.iter().all(
            |request| request.method == "GET" && request.headers.get("authorization").is_none()
        )
    );
}

#[tokio::test]
async fn a_page_of_another_server_is_no_answer() {
    let (server, url) = server().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>sign in</html>");
    answers(&server, "GetCACaps", page).await;
    let error = ask(&url).await.unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Unreadable { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_configuration_is_not_found() {
    let (_server, url) = server().await;
    assert!(ask(&url).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_challenge_url_and_a_url_with_a_secret_are_never_called() {
    let (server, url) = server().await;
    let challenge = Url::parse(&format!("{url}/challenge")).unwrap();
    let mut with_query = url.clone();
    with_query.set_query(Some("challenge=s3cret"));
    let mut with_user = url.clone();
    with_user.set_username("scep").unwrap();
    for url in [challenge, with_query, with_user] {
        let error = ask(&url).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::NotSent { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret"));
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn allow_list_is_pinned() {
    insta::assert_snapshot!(allow_list(), @"read GET /{server}");
}
