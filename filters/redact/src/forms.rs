//! Secrets that are known by their own form, wherever they stand.

use std::ops::Range;

use crate::words::{begins, find, has_at, run};

/// What issuers put before their tokens, and how many characters follow at least:
/// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>,
/// <https://docs.gitlab.com/security/tokens/#token-prefixes>, <https://api.slack.com/authentication/token-types>,
/// <https://docs.stripe.com/keys>.
const PREFIXES: &[(&str, usize)] = &[
    ("ghp_", 36),
    ("gho_", 36),
    ("ghu_", 36),
    ("ghs_", 36),
    ("ghr_", 36),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xapp-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("AIza", 35),
    ("npm_", 36),
];

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// What stands behind `Bearer`: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// The secret that begins at `at` by its form, if one does.
pub(crate) fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let first = *text.as_bytes().get(at)?;
    match first {
        b'-' => pem(text, at),
        b':' => url(text, at),
        _ if !begins(text, at) => None,
        b'B' | b'b' => scheme(text, at),
        b'e' => jwt(text, at),
        b'A' if text.as_bytes().get(at + 1) != Some(&b'I') => access_key(text, at),
        _ => prefixed(text, at),
    }
}

fn prefixed(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.as_bytes().get(at..)?;
    let (prefix, least) =
        PREFIXES.iter().find(|(prefix, _)| rest.starts_with(prefix.as_bytes()))?;
    let length = run(text, at + prefix.len(), is_token);
    (length >= *least).then(|| at..at + prefix.len() + length)
}

/// `Bearer TOKEN` and `Basic BASE64`. Words follow `basic` and `bearer` in English too, so the
/// token must be long and have a digit or a capital letter behind its first character.
fn scheme(text: &str, at: usize) -> Option<Range<usize>> {
    let scheme = ["Bearer ", "Basic "].into_iter().find(|scheme| has_at(text, at, scheme))?;
    let begin = at + scheme.len();
    let length = run(text, begin, is_token68);
    let token = text.as_bytes().get(begin + 1..begin + length)?;
    let is_word =
        token.iter().all(|byte| byte.is_ascii_lowercase() || !byte.is_ascii_alphanumeric());
    (length >= 8 && !is_word).then(|| begin..begin + length)
}

/// Three parts in base64url, the first of which is a JSON object: <https://www.rfc-editor.org/rfc/rfc7519>
fn jwt(text: &str, at: usize) -> Option<Range<usize>> {
    let header = has_at(text, at, "eyJ").then(|| run(text, at, is_token))?;
    let payload = at + header;
    let has_dot = |at: usize| text.as_bytes().get(at) == Some(&b'.');
    let body = has_dot(payload).then(|| run(text, payload + 1, is_token))?;
    let signature = payload + 1 + body;
    // One that is not signed has nothing behind its last dot.
    let signed = has_dot(signature).then(|| run(text, signature + 1, is_token))?;
    (header >= 10 && body >= 4).then(|| at..signature + 1 + signed)
}

/// The id of an AWS key. It is no secret by itself; it says whose the secret is.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn access_key(text: &str, at: usize) -> Option<Range<usize>> {
    let is_id = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_key = has_at(text, at, "AKIA") || has_at(text, at, "ASIA");
    (is_key
        && run(text, at, is_id) == 20
        && !text.as_bytes().get(at + 20).copied().is_some_and(is_token))
    .then(|| at..at + 20)
}

/// A private key, from behind the line that begins it to before the one that ends it, or to the end
/// of a text that was cut. <https://www.rfc-editor.org/rfc/rfc7468>
fn pem(text: &str, at: usize) -> Option<Range<usize>> {
    const KEY: &str = "PRIVATE KEY-----";
    if !has_at(text, at, "-----BEGIN ") {
        return None;
    }
    let label = at + "-----BEGIN ".len();
    let is_label = |byte: u8| byte.is_ascii_uppercase() || byte == b' ';
    let end = label + run(text, label, is_label) + "-----".len();
    let begin = text.get(label..end)?.ends_with(KEY).then_some(end)?;
    let end = find(text, begin, "-----END ").unwrap_or(text.len());
    (begin < end).then_some(begin..end)
}

/// The password in `scheme://user:password@host`, from its colon. An `@` behind the host's end is
/// none of it; a password may hold one, so the last one counts.
fn url(text: &str, at: usize) -> Option<Range<usize>> {
    if !has_at(text, at, "://") {
        return None;
    }
    let authority = at + "://".len();
    let is_authority = |byte: u8| {
        byte > b' '
            && byte < 0x7f
            && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\')
    };
    let authority_end = authority + run(text, authority, is_authority);
    let user_info = authority
        + text.as_bytes().get(authority..authority_end)?.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority + run(text.get(..user_info)?, authority, |byte| byte != b':');
    (colon + 1 < user_info).then(|| colon + 1..user_info)
}
