use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::AsyncReadExt;
use unstuck_domain::{PlanDigest, StepId};
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const ITEM: Endpoint = Endpoint {
    name: "test.item",
    method: Method::GET,
    path: "/items/{id}",
    effect: Effect::Read,
    bucket: "items",
    right: "the right to read items",
};
const CHANGE: Endpoint = Endpoint {
    name: "test.change",
    method: Method::PUT,
    path: "/items/{id}/members/{member}",
    effect: Effect::Write,
    bucket: "items",
    right: "the right to change items",
};
const WIPE: Endpoint = Endpoint {
    name: "test.wipe",
    method: Method::POST,
    path: "/items/{id}/wipe",
    effect: Effect::Write,
    bucket: "items",
    right: "",
};
static READ: Endpoint = ITEM;
static WRITE: Endpoint = CHANGE;
static UNLISTED: Endpoint = WIPE;
static LIST: &[Endpoint] = &[ITEM, CHANGE];

fn config(base: &str) -> HttpConfig {
    install_crypto_provider();
    let base = Url::parse(base).expect("a URL");
    let mut config = HttpConfig::new("test", base, LIST, 1.0);
    config.retry.first_pause = Duration::from_millis(1);
    config
}

fn client(base: &str) -> HttpClient {
    HttpClient::new(config(base)).expect("a client")
}

fn item() -> Call {
    Call::new(&READ).param("7")
}

fn change() -> Call {
    Call::new(&WRITE).param("7").param("8")
}

fn permit(holds: bool) -> WritePermit {
    let fence = Arc::new(move || holds);
    WritePermit::new(PlanDigest::from("d"), StepId::from("s.1"), fence)
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(template)
        .mount(&server)
        .await;
    server
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.expect("recorded").len()
}

#[tokio::test]
async fn read_is_repeated_until_it_works_and_every_request_is_counted() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/items/7"))
        .and(header("user-agent", USER_AGENT))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": 7})))
        .mount(&server)
        .await;
    let client = client(&server.uri());
    let answer = client.read(&item()).await.expect("the third try works");
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(client.usage().requests, 3);
    assert!(client.clock().now().is_some(), "Date was taken in");
}

#[tokio::test]
async fn read_is_given_up_after_five_tries() {
    let server = answering(ResponseTemplate::new(502)).await;
    let error = client(&server.uri()).read(&item()).await.expect_err("down");
    assert!(error.is_transient());
    assert_eq!(requests(&server).await, 5);
}

#[tokio::test]
async fn throttled_read_waits_for_its_bucket_and_is_counted() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(429).insert_header("retry-after", "0"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let client = client(&server.uri());
    client.read(&item()).await.expect("the second try works");
    let expected = ApiUsage {
        requests: 2,
        throttled: 1,
    };
    assert_eq!(client.usage(), expected);
}

#[tokio::test]
async fn a_wait_longer_than_a_pass_may_take_is_handed_to_the_caller() {
    let server = answering(ResponseTemplate::new(429).insert_header("retry-after", "3600")).await;
    let client = client(&server.uri());
    for _ in 0..2 {
        let error = client.read(&item()).await.expect_err("throttled");
        assert!(matches!(
            error.kind,
            ErrorKind::RateLimited { retry_after } if retry_after > Duration::from_secs(3500)
        ));
    }
    assert_eq!(
        requests(&server).await,
        1,
        "the closed bucket sends nothing"
    );
}

async fn failure_of(status: u16) -> (ConnectorError, ConnectorError, usize) {
    let template = ResponseTemplate::new(status).insert_header("x-request-id", "r-1");
    let server = answering(template).await;
    let mut config = config(&server.uri());
    config.retry.tries = 1;
    let client = HttpClient::new(config).expect("a client");
    let read = client.read(&item()).await.expect_err("read fails");
    // A client of its own: the read may have closed the bucket.
    let client = self::client(&server.uri());
    let write = client.write(&permit(true), &change()).await;
    (
        read,
        write.expect_err("write fails"),
        requests(&server).await,
    )
}

#[tokio::test]
async fn each_status_becomes_what_callers_do_about_it() {
    let mut table = String::new();
    for status in [302, 400, 401, 403, 404, 409, 410, 423, 429, 500, 501, 503] {
        let (read, write, sent) = failure_of(status).await;
        assert_eq!(
            sent, 2,
            "{status}: no write is repeated, no redirect followed"
        );
        assert_eq!(write.request_id.as_deref(), Some("r-1"));
        table += &format!(
            "{status} read: {:?} | write unclear: {}\n",
            read.kind,
            write.is_unclear()
        );
    }
    insta::assert_snapshot!(table, @r#"
    302 read: Rejected { reason: "status 302" } | write unclear: false
    400 read: Rejected { reason: "status 400" } | write unclear: false
    401 read: Unauthorized { detail: "status 401" } | write unclear: false
    403 read: Forbidden { detail: "status 403", hint: "it needs the right to read items" } | write unclear: false
    404 read: NotFound | write unclear: false
    409 read: Rejected { reason: "status 409" } | write unclear: false
    410 read: NotFound | write unclear: false
    423 read: Transient { detail: "status 423", maybe_sent: false } | write unclear: false
    429 read: RateLimited { retry_after: 2s } | write unclear: false
    500 read: Transient { detail: "status 500", maybe_sent: false } | write unclear: true
    501 read: Rejected { reason: "status 501" } | write unclear: false
    503 read: Transient { detail: "status 503", maybe_sent: false } | write unclear: true
    "#);
}

#[tokio::test]
async fn write_sends_an_explicit_length_of_zero_and_answers() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path("/items/7/members/8"))
        .and(header("content-length", "0"))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    client(&server.uri())
        .write(&permit(true), &change())
        .await
        .expect("done");
}

#[tokio::test]
async fn write_without_a_holding_permit_sends_nothing() {
    let server = answering(ResponseTemplate::new(204)).await;
    let client = client(&server.uri());
    let error = client
        .write(&permit(false), &change())
        .await
        .expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::NotSent { .. }));
    let error = client.read(&change()).await.expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::NotSent { .. }));
    assert_eq!(requests(&server).await, 0);
    assert_eq!(client.usage().requests, 0);
}

/// Loses the lease while the credential is being fetched.
struct LosesLease(Arc<AtomicBool>);

#[async_trait]
impl Authorize for LosesLease {
    async fn authorize(
        &self,
        _: &Method,
        _: &Url,
        _: &mut HeaderMap,
    ) -> Result<(), ConnectorError> {
        self.0.store(false, Ordering::SeqCst);
        Ok(())
    }

    async fn refused(&self, _: &Refusal<'_>) -> bool {
        false
    }
}

#[tokio::test]
async fn permit_is_asked_after_everything_else_that_takes_time() {
    let server = answering(ResponseTemplate::new(204)).await;
    let held = Arc::new(AtomicBool::new(true));
    let mut config = config(&server.uri());
    config.auth = Arc::new(LosesLease(held.clone()));
    let fence = Arc::new(move || held.load(Ordering::SeqCst));
    let permit = WritePermit::new(PlanDigest::from("d"), StepId::from("s.1"), fence);
    let client = HttpClient::new(config).expect("a client");
    let error = client
        .write(&permit, &change())
        .await
        .expect_err("lease lost");
    assert!(matches!(error.kind, ErrorKind::NotSent { .. }));
    assert_eq!(requests(&server).await, 0);
}

#[tokio::test]
async fn cut_write_is_unclear_and_sent_once_but_a_refused_connection_is_not() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    let server = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            // Takes the request and hangs up.
            let _ = socket.read(&mut [0; 1024]).await;
        }
    });
    let client = client(&format!("http://{address}"));
    let cut = client.write(&permit(true), &change()).await;
    assert!(cut.expect_err("cut").is_unclear());
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
    server.abort();
    let _ = server.await;

    let refused = client.write(&permit(true), &change()).await;
    let refused = refused.expect_err("nobody listens");
    assert!(refused.is_transient() && !refused.is_unclear(), "{refused}");
}

#[tokio::test]
async fn calls_off_the_list_and_links_elsewhere_are_refused_before_they_are_sent() {
    let server = answering(ResponseTemplate::new(200)).await;
    let elsewhere = answering(ResponseTemplate::new(200)).await;
    let client = client(&server.uri());
    let wipe = Call::new(&UNLISTED).param("7");
    let error = client.write(&permit(true), &wipe).await.expect_err("wipe");
    assert!(matches!(error.kind, ErrorKind::NotSent { .. }));
    for link in [
        format!("{}/items/7", elsewhere.uri()),
        format!("{}/items/7/wipe", server.uri()),
        "//evil.example/items/7".to_owned(),
        "/items/7/../8/wipe".to_owned(),
    ] {
        let error = client
            .read(&Call::link(&READ, link.clone()))
            .await
            .expect_err("refused");
        assert!(matches!(error.kind, ErrorKind::NotSent { .. }), "{link}");
    }
    assert_eq!(requests(&server).await, 0);
    assert_eq!(requests(&elsewhere).await, 0);
}

/// Gives numbered tokens.
#[derive(Default)]
struct Numbered(AtomicUsize);

#[async_trait]
impl FetchToken for Numbered {
    async fn fetch(&self) -> Result<Token, ConnectorError> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Token {
            scheme: "Bearer",
            value: SecretString::from(format!("t{number}")),
            lifetime: Duration::from_secs(3600),
        })
    }
}

#[tokio::test]
async fn refused_token_is_renewed_once() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer t1"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let mut config = config(&server.uri());
    config.auth = Arc::new(TokenCache::new(Numbered::default()));
    let client = HttpClient::new(config).expect("a client");
    client
        .write(&permit(true), &change())
        .await
        .expect("the new token works, and 401 said that nothing was done");
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn token_refused_twice_is_unauthorized() {
    let server = answering(ResponseTemplate::new(401)).await;
    let mut config = config(&server.uri());
    config.auth = Arc::new(TokenCache::new(Numbered::default()));
    let client = HttpClient::new(config).expect("a client");
    let error = client.read(&item()).await.expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::Unauthorized { .. }));
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn callers_who_come_together_share_one_renewal() {
    let cache = TokenCache::new(Numbered::default());
    let (a, b, c) = tokio::join!(cache.token(), cache.token(), cache.token());
    for token in [a, b, c] {
        let header = authorization("Bearer", &token.expect("a token").value);
        assert_eq!(header.expect("a header"), "Bearer t0");
    }
    assert_eq!(cache.source().0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_does_not_parse_tells_the_place_and_not_the_value() {
    let template = ResponseTemplate::new(200).set_body_string(r#"{"id": "ann@acme.com"}"#);
    let server = answering(template).await;
    #[derive(Debug, serde::Deserialize)]
    struct Item {
        #[expect(dead_code, reason = "only its type matters")]
        id: u32,
    }
    let answer = client(&server.uri()).read(&item()).await.expect("answers");
    let error = answer.json::<Item>().await.expect_err("id is no number");
    assert!(matches!(error.kind, ErrorKind::Unreadable { .. }));
    assert!(!format!("{error} {error:?}").contains("ann@"), "{error}");
}
