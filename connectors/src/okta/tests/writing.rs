use serde_json::json;
use wiremock::matchers::header;

use super::*;

async fn add(server: &MockServer, holds: bool) -> Result<()> {
    client(server)
        .set_group_membership(&permit(holds), &"00g1".into(), &"00u1".into(), true)
        .await
}

#[tokio::test]
async fn membership_is_put_and_deleted_with_a_length_of_zero() {
    let server = MockServer::start().await;
    for verb in ["PUT", "DELETE"] {
        Mock::given(method(verb))
            .and(path("/api/v1/groups/00g1/users/00u1"))
            .and(header("content-length", "0"))
            .respond_with(ResponseTemplate::new(204))
            .expect(1)
            .mount(&server)
            .await;
    }
    add(&server, true).await.expect("added");
    client(&server)
        .set_group_membership(&permit(true), &"00g1".into(), &"00u1".into(), false)
        .await
        .expect("removed");
}

#[tokio::test]
async fn nothing_is_written_without_a_holding_permit() {
    let server = failing(204, json!(null)).await;
    let error = add(&server, false).await.expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::NotSent { .. }));
    assert!(requests(&server).await.is_empty());
}

#[tokio::test]
async fn read_only_group_is_forbidden_with_a_hint() {
    let body = json!({"errorCode": "E0000006", "errorSummary": "read only"});
    let server = failing(403, body).await;
    let error = add(&server, true).await.expect_err("forbidden");
    let ErrorKind::Forbidden { hint, .. } = &error.kind else {
        panic!("{error:?}")
    };
    assert!(hint.contains("must not be read-only"), "{hint}");
    assert!(!error.is_unclear());
}

#[tokio::test]
async fn failed_write_is_sent_once_and_unclear() {
    let body = json!({"errorCode": "E0000009", "errorSummary": "Internal Server Error"});
    let server = failing(500, body).await;
    let error = add(&server, true).await.expect_err("failed");
    assert!(error.is_unclear());
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn ids_cannot_bend_the_path() {
    let server = failing(204, json!(null)).await;
    for id in ["..", "00g1/lifecycle/deactivate", ""] {
        let result = client(&server)
            .set_group_membership(&permit(true), &id.into(), &"00u1".into(), true)
            .await;
        if let Err(error) = result {
            assert!(matches!(error.kind, ErrorKind::NotSent { .. }), "{error}");
        }
    }
    for request in requests(&server).await {
        assert_eq!(
            request.url.path(),
            "/api/v1/groups/00g1%2Flifecycle%2Fdeactivate/users/00u1"
        );
    }
}
