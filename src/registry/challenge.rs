//! What a registry asks for with 401: the header `WWW-Authenticate` ([RFC 9110, 11.6.1][rfc]), and
//! the token service that it names ([token authentication][tokens]). Pure.
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
//! [tokens]: https://distribution.github.io/distribution/spec/auth/token/

use serde::Deserialize;

/// How a registry wants to be told who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// By a token of this service.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
    /// By a user's name and password.
    Basic,
}

impl Challenge {
    /// The first challenge in these headers that weir can answer; a token before a password.
    pub(super) fn of<'h>(headers: impl IntoIterator<Item = &'h str>) -> Option<Challenge> {
        let all: Vec<Challenge> = headers.into_iter().flat_map(challenges).collect();
        let bearer = all.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        bearer.or(all.first()).cloned()
    }
}

/// What a token service answers.
#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    token: String,
    /// What OAuth 2 calls it.
    #[serde(default)]
    access_token: String,
}

impl Token {
    /// The token in an answer, if there is one.
    pub(super) fn of(answer: &[u8]) -> Option<String> {
        let Token { token, access_token } = serde_json::from_slice(answer).ok()?;
        [token, access_token].into_iter().find(|token| !token.is_empty())
    }
}

/// All challenges of one header: `SCHEME name=value, name="value", SCHEME …`.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut all = Vec::new();
    let mut scheme = String::new();
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let (word, behind) = split_word(rest);
        if word.is_empty() {
            // A separator, or what has no place here.
            rest = rest[rest.chars().next().map_or(1, char::len_utf8)..].trim_start();
            continue;
        }
        match behind.trim_start().strip_prefix('=') {
            Some(value) => {
                let (value, behind) = split_value(value.trim_start());
                parameters.push((word.to_ascii_lowercase(), value));
                rest = behind.trim_start();
            }
            None => {
                all.extend(challenge(&scheme, &parameters));
                scheme = word.to_ascii_lowercase();
                parameters.clear();
                rest = behind.trim_start();
            }
        }
    }
    all.extend(challenge(&scheme, &parameters));
    all
}

fn challenge(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let of = |name: &str| {
        let found = parameters.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    match scheme {
        "bearer" => {
            let (service, scope) = (of("service"), of("scope"));
            Some(Challenge::Bearer { realm: of("realm")?, service, scope })
        }
        "basic" => Some(Challenge::Basic),
        _ => None,
    }
}

/// A token of [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#name-tokens), and what is behind.
fn split_word(text: &str) -> (&str, &str) {
    let is_in = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c: char| !is_in(c)).unwrap_or(text.len()))
}

/// A value, in quotes or not, and what is behind.
fn split_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !is_escaped => return (value, &quoted[at + 1..]),
            '\\' if !is_escaped => is_escaped = true,
            c => {
                is_escaped = false;
                value.push(c);
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let (service, scope) = (service.map(str::to_owned), scope.map(str::to_owned));
        Some(Challenge::Bearer { realm: realm.to_owned(), service, scope })
    }

    #[test]
    fn a_challenge_is_read_as_registries_write_it() {
        let of = |header| Challenge::of([header]);
        assert_eq!(
            of(
                r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#
            ),
            bearer(
                "https://auth.example/token",
                Some("registry.example"),
                Some("repository:a/b:pull,push")
            )
        );
        assert_eq!(
            of("bearer Realm=https://a/t , service = x"),
            bearer("https://a/t", Some("x"), None)
        );
        assert_eq!(of(r#"Basic realm="Registry Realm""#), Some(Challenge::Basic));
        assert_eq!(of(r#"Basic realm="a\"b, c", Bearer realm="t""#), bearer("t", None, None));
        assert_eq!(Challenge::of(["Basic realm=x", "Bearer realm=t"]), bearer("t", None, None));
        assert_eq!(of("Negotiate"), None);
        assert_eq!(of("Bearer service=x"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn a_token_has_one_of_two_names() {
        let of = |answer: &str| Token::of(answer.as_bytes());
        assert_eq!(of(r#"{"token":"a","access_token":"b"}"#).as_deref(), Some("a"));
        assert_eq!(of(r#"{"access_token":"b","expires_in":300}"#).as_deref(), Some("b"));
        assert_eq!(of("{}"), None);
        assert_eq!(of("<html>"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_run_for_ever(header in "(Bearer |Basic |realm=|\"|\\\\|,|[a-z é=]){0,20}") {
            let _ = Challenge::of([header.as_str()]);
        }

        #[test]
        fn what_is_quoted_is_read_as_it_was(realm in "[^\"\\\\]{1,30}", service in "[ !#-\\[\\]-~]{1,20}") {
            let header = format!("Bearer realm=\"{realm}\",service=\"{service}\"");
            prop_assert_eq!(Challenge::of([header.as_str()]), bearer(&realm, Some(&service), None));
        }
    }
}
