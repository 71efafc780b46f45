//! `Link` headers (RFC 8288), as far as paging needs them.

use reqwest::header::{HeaderMap, LINK};

/// The target of `rel="next"`, byte for byte.
pub(super) fn next_link(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(next_in)
}

fn next_in(mut value: &str) -> Option<String> {
    loop {
        let (target, rest) = value.split_once('<')?.1.split_once('>')?;
        // A comma inside a target is no separator, hence the search for the next `<` only.
        let (parameters, more) = match rest.find(",") {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, ""),
        };
        if parameters.split(';').any(is_next) {
            return Some(target.to_owned());
        }
        value = more;
    }
}

fn is_next(parameter: &str) -> bool {
    parameter
        .trim()
        .split_once('=')
        .is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split(' ')
                    .any(|relation| relation.eq_ignore_ascii_case("next"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, value.parse().expect("a header value"));
        }
        assert_eq!(next_link(&headers).as_deref(), expected, "{values:?}");
    }

    #[test]
    fn next_is_found_in_separate_lines_and_in_one() {
        let own = "<https://a/x?limit=2>; rel=\"self\"";
        let next = "<https://a/x?after=b,c+d&limit=2>; rel=\"next\"";
        let target = Some("https://a/x?after=b,c+d&limit=2");
        check(&[own, next], target);
        check(&[&format!("{own}, {next}")], target);
        check(
            &["<https://a/y>; title=\"t\"; rel=next"],
            Some("https://a/y"),
        );
        check(&[own], None);
        check(&["nonsense"], None);
        check(&["<unclosed; rel=\"next\""], None);
    }
}
