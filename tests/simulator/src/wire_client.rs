//! A plain HTTP client for tests that look at a whole simulator from outside, as a product would.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Simulator;

/// What a server answered.
pub(crate) struct Reply {
    pub status: u16,
    head: String,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// One request on a connection of its own.
pub(crate) async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("\r\n{body}"));
    let mut line = TcpStream::connect(host).await.expect("a listening server");
    line.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await.expect("an answer");
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Reply {
        status: status.expect("a status"),
        head,
        bytes: answer[end + 4..].to_vec(),
    }
}

/// Everything a caller with the given-out credentials may ask.
pub(crate) struct WireClient<'a> {
    simulator: &'a Simulator,
    jamf: String,
    graph: String,
}

impl<'a> WireClient<'a> {
    pub(crate) async fn new(simulator: &'a Simulator) -> Self {
        let connection = simulator.connection();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let token = |reply: Reply| {
            reply.json()["access_token"]
                .as_str()
                .expect("a token")
                .to_owned()
        };
        let (jamf, intune) = (&connection.jamf, &connection.intune);
        let body = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            jamf.client_id, jamf.client_secret
        );
        let url = format!("{}/api/v1/oauth/token", jamf.url);
        let jamf = token(send("POST", &url, &form, &body).await);
        let body = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fgraph%2F.default",
            intune.client_id, intune.client_secret
        );
        let url = format!(
            "{}/{}/oauth2/v2.0/token",
            intune.login_url, intune.tenant_id
        );
        let graph = token(send("POST", &url, &form, &body).await);
        Self {
            simulator,
            jamf,
            graph,
        }
    }

    /// The token that Graph gave out.
    pub(crate) fn graph_token(&self) -> &str {
        &self.graph
    }

    /// `GET` from the Okta org.
    pub(crate) async fn okta(&self, path: &str) -> Reply {
        let okta = &self.simulator.connection().okta;
        let token = format!("SSWS {}", okta.api_token);
        let url = format!("{}{path}", okta.org_url);
        send("GET", &url, &[("authorization", &token)], "").await
    }

    /// `GET` from Jamf Pro, as JSON.
    pub(crate) async fn jamf(&self, path: &str) -> Reply {
        let token = format!("Bearer {}", self.jamf);
        let url = format!("{}{path}", self.simulator.connection().jamf.url);
        let headers = [("authorization", &*token), ("accept", "application/json")];
        send("GET", &url, &headers, "").await
    }

    /// `GET` from Graph.
    pub(crate) async fn graph(&self, path: &str) -> Reply {
        let token = format!("Bearer {}", self.graph);
        let url = format!("{}{path}", self.simulator.connection().intune.graph_url);
        send("GET", &url, &[("authorization", &token)], "").await
    }

    /// Writes to Jamf Pro or Graph, whichever has this address.
    pub(crate) async fn write(&self, method: &str, url: &str, body: &str) -> Reply {
        let jamf = url.starts_with(&self.simulator.connection().jamf.url);
        let (token, kind) = match jamf {
            true => (&self.jamf, "application/xml"),
            false => (&self.graph, "application/json"),
        };
        let token = format!("Bearer {token}");
        let headers = [("authorization", &*token), ("content-type", kind)];
        send(method, url, &headers, body).await
    }

    /// A call of Slack's Web API.
    pub(crate) async fn slack(&self, method: &str, arguments: &[(&str, &str)]) -> Reply {
        let slack = &self.simulator.connection().slack;
        let token = format!("Bearer {}", slack.bot_token);
        let fields: serde_json::Map<String, Value> = arguments
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let headers = [
            ("authorization", &*token),
            ("content-type", "application/json"),
        ];
        let url = format!("{}/{method}", slack.api_url);
        send("POST", &url, &headers, &json!(fields).to_string()).await
    }
}
