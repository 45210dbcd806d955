#![allow(clippy::unwrap_used)] // Every function here is a test's.

use serde_json::json;
use weir_filter::testing::{Harness, Outcome};

use super::{Redact, names::Names, scan::redacted};

fn after(text: &str) -> String {
    redacted(text, &Names::new(&[]).unwrap()).map_or_else(|| text.to_owned(), |(text, _)| text)
}

const JWT: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl_-x";
const GITHUB: &str = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

#[test]
fn secrets_are_known_by_their_form() {
    for (text, expected) in [
        ("got 401 with Bearer abcDEF123.x-y_z~+/== today", "got 401 with Bearer *** today"),
        (
            "header Authorization: Basic dXNlcjpwYXNz, refused",
            "header Authorization: Basic ***, refused",
        ),
        ("authorization=Bearer dXNlcjpwYXNz", "authorization=Bearer ***"),
        (
            "pull https://bob:p@ss:w0rd@registry.example/v2/: 401",
            "pull https://bob:***@registry.example/v2/: 401",
        ),
        (
            "dial \"postgres://app:hunter2@db:5432/shop?x=1\": refused",
            "dial \"postgres://app:***@db:5432/shop?x=1\": refused",
        ),
        ("redis://:hunter2@cache:6379", "redis://:***@cache:6379"),
        ("key AKIAIOSFODNN7EXAMPLE is not valid", "key *** is not valid"),
        (&format!("token {JWT} has expired"), "token *** has expired"),
        (&format!("clone with {GITHUB}: 403"), "clone with ***: 403"),
        ("glpat-abcdefghij0123456789", "***"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nbad",
            "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nbad",
        ),
        ("x -----BEGIN PRIVATE KEY-----\nMIIE… cut", "x -----BEGIN PRIVATE KEY-----***"),
    ] {
        assert_eq!(after(text), expected);
    }
}

#[test]
fn secrets_are_known_by_their_name() {
    for (text, expected) in [
        ("run with DB_PASSWORD=hunter2 failed", "run with DB_PASSWORD=*** failed"),
        ("args [--api-key=abc --v=2]", "args [--api-key=*** --v=2]"),
        (
            r#"body {"password": "hun\"ter2", "user": "a"}"#,
            r#"body {"password": "***", "user": "a"}"#,
        ),
        (
            r#"said "{\"client_secret\":\"abc\",\"n\":1}""#,
            r#"said "{\"client_secret\":\"***\",\"n\":1}""#,
        ),
        ("secretKey='a b c' x", "secretKey='***' x"),
        (
            "https://x.example/cb?access_token=abc&state=1",
            "https://x.example/cb?access_token=***&state=1",
        ),
        ("password: Hunter2x9", "password: ***"),
        (r#"pwd="cut of"#, r#"pwd="***"#),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPx", "AWS_SECRET_ACCESS_KEY=***"),
        ("PASSWORD=a PASSWORD=b", "PASSWORD=*** PASSWORD=***"),
    ] {
        assert_eq!(after(text), expected);
    }
}

/// What Kubernetes and its usual controllers write about secrets that are none.
#[test]
fn what_is_no_secret_is_untouched() {
    for text in [
        "",
        "Error: secret \"db-password\" not found",
        "Error: couldn't find key password in Secret shop/db",
        "MountVolume.SetUp failed for volume \"kube-api-access-x7k2p\" : secret \"token\" not found",
        "failed to fetch token: the server has asked for the client to provide credentials",
        "Failed to pull image \"registry.example/a@sha256:0123456789abcdef\": unauthorized: authentication required",
        "Bearer token is missing; basic authentication is off",
        "Readiness probe failed: Get \"http://10.0.0.1:8080/healthz?x=a@b\": EOF",
        "see https://user@git.example/x.git and mail a:b@example.com",
        "secret: shop/db-1 was synced",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "token == nil, eyJ.a.b, AKIA, SAKIAIOSFODNN7EXAMPLE1, xghp_abc",
        "0/3 nodes are available: 1 node(s) had untolerated taint {key: NoSchedule}",
        "ÄÖ password ÜŁ=ſ",
        "token=*** Bearer *** https://a:***@b",
    ] {
        assert_eq!(after(text), text);
    }
}

/// Texts made of pieces of secrets and of what stands between them, by pseudo-random numbers:
/// whatever they are, searching ends, a second search finds nothing, and what has none of the signs
/// of a secret is as it was.
#[test]
fn any_text_is_searched_once_and_what_has_no_sign_of_a_secret_is_untouched() {
    const PIECES: &[&str] = &[
        "=",
        ":",
        "://",
        "@",
        "\"",
        "\\\"",
        "'",
        "\\",
        " ",
        "password",
        "Bearer ",
        "Basic ",
        "eyJhbGciOi",
        ".",
        "AKIA",
        "IOSFODNN7EXAMPLE",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "-----END ",
        "\n",
        "ü",
        "🎉",
        "ghp_",
        "token",
        "a1B2c3D4e5",
        "***",
        "--",
    ];
    const PLAIN: &[&str] = &[
        "Pod ",
        "shop/web-1 ",
        "ü",
        "🎉 ",
        "failed, ",
        "\n",
        "(x7) ",
        "15s. ",
        "node",
        "-",
        "\"",
        "[0] ",
    ];
    let mut number = 7_u64;
    let mut text_of = |pieces: &[&str]| {
        let mut text = String::new();
        for _ in 0..12 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            text.push_str(pieces[(number >> 33) as usize % pieces.len()]);
        }
        text
    };
    for _ in 0..20_000 {
        let once = after(&text_of(PIECES));
        assert_eq!(after(&once), once);
        let plain = text_of(PLAIN);
        assert_eq!(after(&plain), plain);
    }
}

#[test]
fn a_secret_anywhere_in_a_text_is_gone() {
    let mut number = 3_usize;
    for _ in 0..2_000 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
        let around = ["", " ", "ü ", "failed: ", "\n", "(", "image \"x\" "];
        let (before, behind) = (around[number % 7], around[(number >> 40) % 7]);
        for secret in
            [JWT, GITHUB, "https://u:a1B2c3D4e5@h", "Bearer a1B2c3D4e5", "PASSWORD=a1B2c3D4e5"]
        {
            let redacted = after(&format!("{before}{secret} {behind}"));
            assert!(redacted.contains("***"), "{redacted}");
            assert!(
                !redacted.contains("a1B2c3D4e5") && !redacted.contains("c2lnbmF0dXJl"),
                "{redacted}"
            );
            assert!(redacted.starts_with(before) && redacted.ends_with(behind), "{redacted}");
        }
    }
}

#[test]
fn an_event_without_secrets_costs_one_call_and_one_with_secrets_is_counted() {
    let mut redact = Harness::<Redact>::new("{}").unwrap();
    let plain = r#"{"message":"Started container web"}"#;
    assert_eq!(redact.process(plain), Outcome::Kept(plain.into()));
    assert_eq!(redact.calls(), ["message"]);
    let outcome = redact.process(&json!({"message": format!("PASSWORD=a {JWT}")}).to_string());
    assert_eq!(outcome.get("/message").as_deref(), Some("\"PASSWORD=*** ***\""));
    assert_eq!(redact.counter("secrets"), Some(2));
}

#[test]
fn other_members_and_names_are_configured() {
    let config = r#"{"also":["/metadata/annotations/note"],"names":["License-Key"]}"#;
    let mut redact = Harness::<Redact>::new(config).unwrap();
    let event = json!({"message": "LICENSE_KEY=x", "metadata": {"annotations": {"note": "pwd=y"}}});
    let outcome = redact.process(&event.to_string());
    assert_eq!(outcome.get("/message").as_deref(), Some("\"LICENSE_KEY=***\""));
    assert_eq!(outcome.get("/metadata/annotations/note").as_deref(), Some("\"pwd=***\""));
}

#[test]
fn a_secret_that_cannot_be_replaced_fails_the_event() {
    let mut redact = Harness::<Redact>::new(r#"{"also":["/metadata/name"]}"#).unwrap();
    let outcome = redact.process(r#"{"metadata":{"name":"pwd=y"}}"#);
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
}

#[test]
fn a_wrong_configuration_is_refused_by_name() {
    let error = |config| Harness::<Redact>::new(config).err().unwrap_or_default();
    assert_eq!(error(r#"{"name":[]}"#), "unknown field `name`, expected `also` or `names`");
    assert!(
        error(r#"{"also":["message"]}"#).starts_with("`also`: `message` is not a JSON pointer")
    );
    assert!(error(r#"{"names":["a b"]}"#).starts_with("`names`: `a b` is no name"));
}
