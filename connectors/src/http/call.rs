//! One request before it is sent: endpoint, path values, query, body. Its `Debug` shows the endpoint alone.

use std::fmt;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use url::{Url, form_urlencoded};

use super::Endpoint;
use crate::{ConnectorError, error::ErrorKind};

/// A request to one endpoint.
#[derive(Clone)]
pub struct Call {
    pub(super) endpoint: &'static Endpoint,
    target: Target,
    query: Vec<(&'static str, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

#[derive(Clone)]
enum Target {
    Template(Vec<String>),
    Link(String),
}

impl Call {
    /// A call whose path is the endpoint's template; give one [`Call::param`] per placeholder, in order.
    pub fn new(endpoint: &'static Endpoint) -> Self {
        Self::to(endpoint, Target::Template(Vec::new()))
    }

    /// A call to a link that the vendor gave (next page, prepared file), byte for byte. It must still lead to the
    /// endpoint's path on the client's own host, or, for a download, to a listed host.
    pub fn link(endpoint: &'static Endpoint, link: impl Into<String>) -> Self {
        Self::to(endpoint, Target::Link(link.into()))
    }

    fn to(endpoint: &'static Endpoint, target: Target) -> Self {
        Self {
            endpoint,
            target,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// The value of the next placeholder.
    pub fn param(mut self, value: impl Into<String>) -> Self {
        if let Target::Template(params) = &mut self.target {
            params.push(value.into());
        }
        self
    }

    /// A query parameter.
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// A header that holds no secret.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// A JSON body.
    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("request types have string keys only");
        self.raw("application/json", bytes)
    }

    /// A form body, as token endpoints want it.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.raw("application/x-www-form-urlencoded", form.finish())
    }

    /// A body of another type.
    pub fn raw(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(
            reqwest::header::CONTENT_TYPE,
            HeaderValue::from_static(content_type),
        );
        self.body = Some(body.into());
        self
    }

    /// What an error says was attempted.
    pub(super) fn attempt(&self, source: &str) -> String {
        format!("{source}: {} {}", self.endpoint.method, self.endpoint.path)
    }

    /// The address to send to.
    pub(super) fn url(&self, source: &str, base: &Url) -> Result<Url, ConnectorError> {
        let refuse = |reason: String| {
            ConnectorError::new(self.attempt(source), ErrorKind::NotSent { reason })
        };
        let mut url = match &self.target {
            Target::Link(link) => base
                .join(link)
                .map_err(|error| refuse(format!("the link does not parse: {error}")))?,
            Target::Template(params) => expand(base, self.endpoint.path, params)
                .ok_or_else(|| refuse("path values do not fit the template".to_owned()))?,
        };
        if !self.query.is_empty() {
            let mut pairs = form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(&self.query);
            // `+` for a blank is a form's habit that not every API shares.
            let mut query = pairs.finish().replace('+', "%20");
            if let Some(before) = url.query() {
                query = format!("{before}&{query}");
            }
            url.set_query(Some(&query));
        }
        Ok(url)
    }
}

fn expand(base: &Url, template: &str, params: &[String]) -> Option<Url> {
    let mut params = params.iter();
    let mut url = base.clone();
    url.set_query(None);
    {
        let mut segments = url.path_segments_mut().ok()?;
        segments.pop_if_empty();
        for segment in template.split('/').skip(1) {
            match (segment.split_once('{'), segment.split_once('}')) {
                (Some((head, _)), Some((_, tail))) => {
                    segments.push(&format!("{head}{}{tail}", params.next()?));
                }
                _ => {
                    segments.push(segment);
                }
            }
        }
    }
    params.next().is_none().then_some(url)
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.endpoint.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;
    use crate::http::Effect;

    static MEMBER: Endpoint = Endpoint {
        name: "test.member",
        method: Method::PUT,
        path: "/groups/{group}/users/{user}",
        effect: Effect::Write,
        bucket: "all",
        right: "",
    };

    fn url(call: &Call) -> Result<String, ConnectorError> {
        let base = Url::parse("https://api.example.net/root/").expect("valid");
        call.url("test", &base).map(String::from)
    }

    #[test]
    fn values_are_escaped_into_one_segment_each() {
        let call = Call::new(&MEMBER)
            .param("a/b")
            .param("c?d")
            .query("q", "x +y");
        assert_eq!(
            url(&call).expect("fits"),
            "https://api.example.net/root/groups/a%2Fb/users/c%3Fd?q=x%20%2By"
        );
    }

    #[test]
    fn a_missing_or_surplus_value_is_refused() {
        let base = Call::new(&MEMBER).param("a");
        assert!(url(&base).is_err());
        assert!(url(&base.clone().param("b")).is_ok());
        assert!(url(&base.param("b").param("c")).is_err());
    }

    #[test]
    fn debug_shows_neither_body_nor_query() {
        let call = Call::new(&MEMBER)
            .query("login", "ann")
            .form(&[("secret", "s3")]);
        assert_eq!(format!("{call:?}"), r#"Call("test.member")"#);
    }
}
