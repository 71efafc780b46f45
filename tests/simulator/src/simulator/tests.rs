use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::fleet::ScriptedDevice;
use crate::world::{Mdm, Persona};
use crate::{Fault, SignInOutcome};

fn start() -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(1_793_610_000, 0).unwrap()
}

async fn company(persona: Persona) -> Simulator {
    let machine = ScriptedDevice::new("fastpass_no_signin_since_cert", Mdm::Jamf)
        .owner("ann@acme.example")
        .persona(persona);
    let config = SimulatorConfig {
        devices: 3,
        seed: 5,
        ports: Ports::Ephemeral,
        clock: SimClock::manual(start()),
        fleet: FleetOptions::scripted(vec![machine]),
    };
    Simulator::start(config).await.unwrap()
}

/// Everything the server sends until it closes.
async fn raw(simulator: &Simulator, path: &str) -> Vec<u8> {
    let okta = &simulator.connection().okta;
    let address = okta.org_url.trim_start_matches("http://");
    let mut line = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: SSWS {}\r\nconnection: close\r\n\r\n",
        okta.api_token
    );
    line.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A cut connection may end in an error or in silence; both mean no answer.
    let _ = line.read_to_end(&mut answer).await;
    answer
}

async fn slack_post(simulator: &Simulator, method: &str, body: &serde_json::Value) -> String {
    let slack = &simulator.connection().slack;
    let address = slack
        .api_url
        .trim_start_matches("http://")
        .trim_end_matches("/api");
    let body = body.to_string();
    let request = format!(
        "POST /api/{method} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        slack.bot_token,
        body.len()
    );
    let mut line = TcpStream::connect(address).await.unwrap();
    line.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_direct_message_makes_its_reader_sign_in() {
    let simulator = company(Persona::PROMPT).await;
    let truth = simulator.truth().last().unwrap().clone();
    let (user, device) = (truth.user_id.unwrap(), truth.device_id.unwrap());
    let reader = simulator.slack().user_by_email("ann@acme.example").unwrap();
    let message = serde_json::json!({"channel": reader.id, "text": "please sign in"});
    let answer = slack_post(&simulator, "chat.postMessage", &message).await;
    assert!(answer.contains("\"ok\":true"), "{answer}");
    simulator.advance(chrono::Duration::minutes(20)).await;
    assert!(!simulator.world().is_managed(&user, &device));
    simulator.advance(chrono::Duration::minutes(10)).await;
    assert!(simulator.world().is_managed(&user, &device));
    simulator.stop().await;
}

#[tokio::test]
async fn who_never_answers_stays_as_they_are_until_they_sign_in() {
    let simulator = company(Persona::Never).await;
    let truth = simulator.truth().last().unwrap().clone();
    let (user, device) = (truth.user_id.unwrap(), truth.device_id.unwrap());
    simulator.world().person_asked("ann@acme.example");
    simulator.advance(chrono::Duration::days(7)).await;
    assert!(!simulator.world().is_managed(&user, &device));
    let outcome = simulator
        .world()
        .sign_in_with_fastpass("ann@acme.example", &device);
    assert_eq!(outcome, SignInOutcome::Managed);
    simulator.stop().await;
}

#[tokio::test]
async fn a_cut_connection_and_a_cut_body_reach_the_client() {
    let simulator = company(Persona::Never).await;
    let path = "/api/v1/devices?limit=2";
    simulator
        .faults()
        .inject(Server::Okta, "GET", "/api/v1/devices", 1, Fault::Cut);
    assert_eq!(raw(&simulator, path).await, b"");
    simulator
        .faults()
        .inject(Server::Okta, "GET", "/api/v1/devices", 1, Fault::Truncated);
    let short = String::from_utf8(raw(&simulator, path).await).unwrap();
    let (head, body) = short.split_once("\r\n\r\n").unwrap();
    let announced: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    assert!(body.len() < announced, "{} of {announced}", body.len());
    assert!(raw(&simulator, path).await.starts_with(b"HTTP/1.1 200"));
    simulator.stop().await;
}

#[tokio::test]
async fn stopping_frees_the_ports() {
    let simulator = company(Persona::Never).await;
    let address = simulator
        .connection()
        .okta
        .org_url
        .trim_start_matches("http://")
        .to_owned();
    simulator
        .faults()
        .inject(Server::Okta, "", "/", 1, Fault::TimeoutBefore);
    let waiting = raw(&simulator, "/api/v1/devices");
    tokio::select! {
        _ = waiting => panic!("the answer was not withheld"),
        () = async { while simulator.faults().pending() > 0 { tokio::task::yield_now().await } } => {}
    }
    simulator.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
