//! One HTTP client for all vendors: allow-list, time-outs, retries of what is safe to repeat, pacing, tracing, counting.
//!
//! Reads are tried up to five times within a minute. Writes carry a permit that is asked just before the bytes go out,
//! and are never repeated, but for one case: an answer 400 or 401 about the credential itself says that nothing was
//! done, so the request goes out once more with a new credential and a new look at the permit.

mod answer;
mod auth;
mod call;
mod endpoint;
mod lenient;
mod link;
mod pace;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::sync::Semaphore;
use tracing::Instrument;
use url::Url;

pub use answer::Answer;
pub use auth::{
    Authorize, FetchToken, FixedToken, NoAuth, Refusal, Token, TokenCache, authorization,
};
pub use call::Call;
pub use endpoint::{Effect, Endpoint, print_allow_list};
pub use lenient::{Lenient, lenient};

use crate::{ApiUsage, ConnectorError, SourceClock, WritePermit, error::ErrorKind};
use answer::BodyError;
use pace::Pacer;

const READ_TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
const READ_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Short, because a permit is asked before the connection is made: a lease that was held then may be taken over 2 s
/// after it is lost (design: not used past 4 s, taken over after 6 s).
const WRITE_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A read waits this long for a closed bucket, a write [`WRITE_TIMEOUT`].
const LONGEST_WAIT: Duration = Duration::from_secs(120);
const USER_AGENT: &str = concat!("unstuck/", env!("CARGO_PKG_VERSION"));

/// Makes `ring` the process's TLS provider. Call it first in `main` and in every test binary: without a provider
/// [`HttpClient::new`] panics. A second call changes nothing.
pub fn install_crypto_provider() {
    // An error only says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// How a client talks to one base URL of a vendor.
pub struct HttpConfig {
    /// okta, slack or `[[mdm]].name`.
    pub source: String,
    /// Scheme, host and, behind a proxy, a path.
    pub base_url: Url,
    /// The allow-list.
    pub endpoints: &'static [Endpoint],
    /// The credential.
    pub auth: Arc<dyn Authorize>,
    /// Finds the vendor's own words in an error body; ids and codes, no personal data.
    pub reason: fn(&[u8]) -> Option<String>,
    /// Requests per minute of a bucket; others are not paced until [`HttpConfig::learn_limits`] shows a limit.
    pub pace: Vec<(&'static str, u32)>,
    /// Whether to pace by half of `X-Rate-Limit-Limit`.
    pub learn_limits: bool,
    /// Requests in flight at once.
    pub max_in_flight: usize,
    /// Tries, and what lies between them.
    pub retry: RetryPolicy,
    /// Shared by the clients of one source.
    pub usage: UsageCounter,
    /// Shared by the clients of one host.
    pub clock: SourceClock,
}

impl HttpConfig {
    /// Defaults: no credential, no pace, four requests in flight.
    pub fn new(
        source: impl Into<String>,
        base_url: Url,
        endpoints: &'static [Endpoint],
        speed: f64,
    ) -> Self {
        Self {
            source: source.into(),
            base_url,
            endpoints,
            auth: Arc::new(NoAuth),
            reason: |_| None,
            pace: Vec::new(),
            learn_limits: false,
            max_in_flight: 4,
            retry: RetryPolicy::default(),
            usage: UsageCounter::default(),
            clock: SourceClock::new(speed),
        }
    }
}

/// How reads are repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Tries in all.
    pub tries: usize,
    /// Pause before the second try; doubled each time, with jitter.
    pub first_pause: Duration,
    /// No further try after so long, waits that the vendor asked for not counted.
    pub give_up_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 5,
            first_pause: Duration::from_millis(500),
            give_up_after: Duration::from_secs(60),
        }
    }
}

/// Counts the requests of one source. Clones share one count.
#[derive(Debug, Clone, Default)]
pub struct UsageCounter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    throttled: AtomicU64,
}

impl UsageCounter {
    /// Requests so far.
    pub fn usage(&self) -> ApiUsage {
        ApiUsage {
            requests: self.0.requests.load(Ordering::Relaxed),
            throttled: self.0.throttled.load(Ordering::Relaxed),
        }
    }
}

/// A client for one base URL of one vendor. Clones share everything.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    config: HttpConfig,
    reads: reqwest::Client,
    writes: reqwest::Client,
    pacer: Pacer,
    in_flight: Semaphore,
}

impl HttpClient {
    /// Builds the connection pools.
    ///
    /// # Panics
    /// Without a TLS provider; see [`install_crypto_provider`].
    pub fn new(config: HttpConfig) -> Result<Self, ConnectorError> {
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| {
                ConnectorError::new(
                    format!("{}: build the HTTP client", config.source),
                    ErrorKind::NotSent {
                        reason: describe(&error),
                    },
                )
            })
        };
        let reads = build(builder(&config, READ_CONNECT_TIMEOUT, READ_TIMEOUT))?;
        // Repeating a write is nobody's decision but the executor's, not even below HTTP.
        let writes = build(
            builder(&config, WRITE_CONNECT_TIMEOUT, WRITE_TIMEOUT).retry(reqwest::retry::never()),
        )?;
        Ok(Self(Arc::new(Inner {
            pacer: Pacer::new(&config.pace, config.learn_limits),
            in_flight: Semaphore::new(config.max_in_flight),
            reads,
            writes,
            config,
        })))
    }

    /// okta, slack or `[[mdm]].name`.
    pub fn source(&self) -> &str {
        &self.0.config.source
    }

    /// The base URL.
    pub fn base_url(&self) -> &Url {
        &self.0.config.base_url
    }

    /// The allow-list.
    pub fn endpoints(&self) -> &'static [Endpoint] {
        self.0.config.endpoints
    }

    /// Requests so far, tokens and retries included.
    pub fn usage(&self) -> ApiUsage {
        self.0.config.usage.usage()
    }

    /// The vendor's time.
    pub fn clock(&self) -> &SourceClock {
        &self.0.config.clock
    }

    /// Sends a read, a batch of reads or a download; repeats it while that may help.
    pub async fn read(&self, call: &Call) -> Result<Answer, ConnectorError> {
        if call.endpoint.effect == Effect::Write {
            return Err(self.not_sent(call, "a write needs a permit"));
        }
        let policy = self.0.config.retry;
        let started = Instant::now();
        let waited = AtomicU64::new(0);
        let tried_for = || {
            started
                .elapsed()
                .saturating_sub(Duration::from_millis(waited.load(Ordering::Relaxed)))
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(policy.first_pause)
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(policy.tries.saturating_sub(1))
            .with_jitter();
        (|| async {
            let begun = Instant::now();
            self.wait_for_turn(call, LONGEST_WAIT).await?;
            let stood = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            waited.fetch_add(stood, Ordering::Relaxed);
            self.attempt(call, None).await
        })
        .retry(pauses)
        .when(|error| error.is_transient() && tried_for() < policy.give_up_after)
        .adjust(|error: &ConnectorError, pause| match error.kind {
            // The bucket's gate does the waiting.
            ErrorKind::RateLimited { retry_after } if retry_after > LONGEST_WAIT => None,
            ErrorKind::RateLimited { .. } => pause.map(|_| Duration::ZERO),
            _ => pause,
        })
        .notify(|error, pause| {
            tracing::debug!(
                http.call = call.endpoint.name,
                http.pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "trying again: {error}"
            );
        })
        .await
    }

    /// Sends a read once, without waiting and repeating: for token requests, which carry single-use values.
    pub async fn once(&self, call: &Call) -> Result<Answer, ConnectorError> {
        if call.endpoint.effect == Effect::Write {
            return Err(self.not_sent(call, "a write needs a permit"));
        }
        self.wait_for_turn(call, WRITE_TIMEOUT).await?;
        self.attempt(call, None).await
    }

    /// Sends a write, once.
    pub async fn write(&self, permit: &WritePermit, call: &Call) -> Result<Answer, ConnectorError> {
        if call.endpoint.effect != Effect::Write {
            return Err(self.not_sent(call, "it is no write"));
        }
        self.wait_for_turn(call, WRITE_TIMEOUT).await?;
        self.attempt(call, Some(permit)).await
    }

    async fn wait_for_turn(&self, call: &Call, longest: Duration) -> Result<(), ConnectorError> {
        let bucket = call.endpoint.bucket;
        let closed = self.0.pacer.closed_for(bucket);
        if closed > longest {
            return Err(self.error(
                call,
                ErrorKind::RateLimited {
                    retry_after: closed,
                },
            ));
        }
        self.0.pacer.ready(bucket).await;
        Ok(())
    }

    /// One request, or two where the first was refused for its credential and a new one is at hand.
    async fn attempt(
        &self,
        call: &Call,
        permit: Option<&WritePermit>,
    ) -> Result<Answer, ConnectorError> {
        let _slot = self
            .0
            .in_flight
            .acquire()
            .await
            .map_err(|_closed| self.not_sent(call, "the client is shutting down"))?;
        let span = tracing::debug_span!(
            "http.request",
            source = self.source(),
            http.call = call.endpoint.name,
            http.method = %call.endpoint.method,
            http.path = call.endpoint.path,
            http.status = tracing::field::Empty,
            request.id = tracing::field::Empty,
        );
        async {
            match self.send(call, permit).await? {
                Sent::Answer(answer) => Ok(answer),
                Sent::Refused {
                    again: false,
                    error,
                } => Err(error),
                Sent::Refused { again: true, .. } => match self.send(call, permit).await? {
                    Sent::Answer(answer) => Ok(answer),
                    Sent::Refused { error, .. } => Err(error),
                },
            }
        }
        .instrument(span)
        .await
    }

    async fn send(
        &self,
        call: &Call,
        permit: Option<&WritePermit>,
    ) -> Result<Sent, ConnectorError> {
        let config = &self.0.config;
        let endpoint = call.endpoint;
        let is_write = endpoint.effect == Effect::Write;
        let url = call.url(self.source(), &config.base_url)?;
        endpoint::check(
            config.endpoints,
            endpoint,
            &config.base_url,
            &url,
            call.body.as_deref(),
        )
        .map_err(|reason| self.not_sent(call, reason))?;

        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if call.body.is_none() && endpoint.method != Method::GET {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers.extend(call.headers.clone());
        if !matches!(endpoint.effect, Effect::Download(_)) {
            config
                .auth
                .authorize(&endpoint.method, &url, &mut headers)
                .await
                .map_err(before_sending)?;
        }
        let client = if is_write {
            &self.0.writes
        } else {
            &self.0.reads
        };
        let request = client
            .request(endpoint.method.clone(), url)
            .headers(headers.clone())
            .body(call.body.clone().unwrap_or_default());
        if let Some(permit) = permit
            && !permit.holds()
        {
            return Err(self.not_sent(call, "the lease is not held any more"));
        }
        config.usage.0.requests.fetch_add(1, Ordering::Relaxed);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let kind = ErrorKind::Transient {
                    maybe_sent: is_write && !error.is_connect(),
                    detail: describe(&error),
                };
                return Err(self.error(call, kind));
            }
        };
        let status = response.status();
        let answered = response.headers().clone();
        self.note(call, status, &answered);
        let body = answer::read_body(response).await.map_err(|error| {
            let kind = match error {
                BodyError::Cut(error) => ErrorKind::Transient {
                    maybe_sent: is_write,
                    detail: describe(&error),
                },
                BodyError::TooLarge => ErrorKind::Unreadable {
                    maybe_sent: is_write,
                    detail: format!("more than {} MiB", answer::MAX_BODY / (1024 * 1024)),
                },
            };
            self.error(call, kind)
        })?;
        if status.is_success() {
            return Ok(Sent::Answer(Answer {
                status,
                headers: answered,
                body,
                attempt: call.attempt(self.source()),
                maybe_sent: is_write,
            }));
        }
        let again = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST)
            && config
                .auth
                .refused(&Refusal {
                    status,
                    headers: &answered,
                    body: &body,
                    sent: &headers,
                })
                .await;
        let error = self.status_error(call, status, &answered, &body);
        Ok(Sent::Refused { again, error })
    }

    /// Takes in what every answer tells: time, budget, request id.
    fn note(&self, call: &Call, status: StatusCode, headers: &HeaderMap) {
        let config = &self.0.config;
        let bucket = call.endpoint.bucket;
        let span = tracing::Span::current();
        span.record("http.status", status.as_u16());
        if let Some(id) = answer::request_id(headers) {
            span.record("request.id", id);
        }
        if matches!(call.endpoint.effect, Effect::Download(_)) {
            return;
        }
        if let Some(date) = answer::date(headers) {
            config.clock.observe(date);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            config.usage.0.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(limit) = answer::limit(headers) {
            self.0
                .pacer
                .learn(bucket, u32::try_from(limit).unwrap_or_default());
        }
        if let ErrorKind::RateLimited { retry_after } =
            answer::failure(call, status, headers, String::new())
        {
            self.0.pacer.close(bucket, retry_after);
        } else if answer::remaining(headers) == Some(0)
            && let Some(wait) = answer::until_reset(headers)
        {
            self.0.pacer.close(bucket, wait);
        }
    }

    fn status_error(
        &self,
        call: &Call,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> ConnectorError {
        let words = (self.0.config.reason)(body).unwrap_or_default();
        let detail = if words.is_empty() {
            format!("status {}", status.as_u16())
        } else {
            format!(
                "status {}: {}",
                status.as_u16(),
                answer::shorten(&words, 300)
            )
        };
        ConnectorError {
            attempt: call.attempt(self.source()),
            kind: answer::failure(call, status, headers, detail),
            request_id: answer::request_id(headers),
        }
    }

    fn not_sent(&self, call: &Call, reason: impl Into<String>) -> ConnectorError {
        let reason = reason.into();
        self.error(call, ErrorKind::NotSent { reason })
    }

    fn error(&self, call: &Call, kind: ErrorKind) -> ConnectorError {
        ConnectorError::new(call.attempt(self.source()), kind)
    }
}

enum Sent {
    Answer(Answer),
    Refused { again: bool, error: ConnectorError },
}

fn builder(config: &HttpConfig, connect: Duration, total: Duration) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .gzip(true)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(connect)
        .timeout(total);
    if endpoint::is_loopback(&config.base_url) {
        builder.no_proxy()
    } else {
        builder
    }
}

/// A failed token request says nothing about the request it was for: that one has not left.
fn before_sending(mut error: ConnectorError) -> ConnectorError {
    if let ErrorKind::Transient { maybe_sent, .. } | ErrorKind::Unreadable { maybe_sent, .. } =
        &mut error.kind
    {
        *maybe_sent = false;
    }
    error
}

/// A transport error in words, without the URL, whose query may name people.
fn describe(error: &reqwest::Error) -> String {
    let what = if error.is_connect() && error.is_timeout() {
        "connecting timed out"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "timed out"
    } else {
        "connection failed"
    };
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    match cause {
        Some(cause) => format!("{what}: {}", answer::shorten(&cause.to_string(), 200)),
        None => what.to_owned(),
    }
}
