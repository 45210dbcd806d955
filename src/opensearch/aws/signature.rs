//! The signature of one request (AWS Signature Version 4). Pure: time is a parameter.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningParams, SigningSettings,
};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue};

use super::Aws;

/// A request, as it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    /// Compressed, if it is sent so.
    pub(super) body: &'a [u8],
}

/// The headers that sign it: those that are to be added, and all that are signed but the host.
pub(super) fn sign(
    request: Unsigned<'_>,
    credentials: &Credentials,
    aws: &Aws,
    now: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    sign_with(settings(), request, credentials, (&aws.region, aws.service.word()), now)
}

fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    // Serverless refuses whatever has a body and no such header.
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings
}

fn sign_with(
    settings: SigningSettings,
    Unsigned { method, url, body }: Unsigned<'_>,
    credentials: &Credentials,
    (region, service): (&str, &str),
    now: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    // No header of the request: load balancers rewrite them.
    let headers = std::iter::empty();
    let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body))
        .map_err(|error| error.to_string())?;
    let signed = aws_sigv4::http_request::sign(signable, &SigningParams::V4(params))
        .map_err(|error| error.to_string())?;
    let (instructions, _) = signed.into_parts();
    let header = |(name, value): (&str, &str)| {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        let mut value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        value.set_sensitive(true);
        Ok::<_, String>((name, value))
    };
    instructions.headers().map(header).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn get(url: &str) -> Unsigned<'_> {
        Unsigned { method: "GET", url, body: b"" }
    }

    fn at(time: &str) -> SystemTime {
        let time: jiff::Timestamp = time.parse().unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_second() as u64)
    }

    /// What of the headers is signed, and the signature.
    fn parts(headers: &[(HeaderName, HeaderValue)]) -> (&str, &str) {
        let header = headers.iter().find(|(name, _)| name == http::header::AUTHORIZATION);
        let text = header.unwrap().1.to_str().unwrap();
        let (_, rest) = text.split_once("SignedHeaders=").unwrap();
        rest.split_once(", Signature=").unwrap()
    }

    /// AWS's own test suite, of which these are the requests that have no headers but ours (its
    /// services take no checksum of the body):
    /// <https://github.com/awslabs/aws-c-auth/tree/v0.9.0/tests/aws-signing-test-suite/v4>
    #[test]
    fn the_signatures_of_awss_test_suite_come_out() {
        const TOKEN: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        const UNRESERVED: &str =
            "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        const ORDER: &str = "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1";
        for (method, path, token, expected) in [
            ("GET", "/", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "GET",
                "/",
                Some(TOKEN),
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            ),
            (
                "GET",
                ORDER,
                None,
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
            (
                "GET",
                UNRESERVED,
                None,
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "GET",
                "/?Param1=value1",
                None,
                "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
            ),
            (
                "POST",
                "/?Param1=value1",
                None,
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
        ] {
            let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
            let token = token.map(str::to_owned);
            let credentials = Credentials::new("AKIDEXAMPLE", key, token.clone(), None, "test");
            let url = format!("https://example.amazonaws.com{path}");
            let mut settings = settings();
            settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
            let request = Unsigned { method, ..get(&url) };
            let scope = ("us-east-1", "service");
            let now = at("2015-08-30T12:36:00Z");
            let headers = sign_with(settings, request, &credentials, scope, now).unwrap();
            let names = match token {
                None => "host;x-amz-date",
                Some(_) => "host;x-amz-date;x-amz-security-token",
            };
            assert_eq!(parts(&headers), (names, expected), "{method} {path}");
        }
    }

    /// The examples of a service that takes the checksum of the body, in the very form in which
    /// weir signs:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
    #[test]
    fn the_published_signatures_with_a_checksum_come_out() {
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", key, None, None, "test");
        for (query, expected) in [
            ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (
                "max-keys=2&prefix=J",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let url = format!("https://examplebucket.s3.amazonaws.com/?{query}");
            let (scope, now) = (("us-east-1", "s3"), at("2013-05-24T00:00:00Z"));
            let headers = sign_with(settings(), get(&url), &credentials, scope, now).unwrap();
            assert_eq!(parts(&headers), ("host;x-amz-content-sha256;x-amz-date", expected));
        }
    }

    #[test]
    fn only_what_no_load_balancer_rewrites_is_signed_and_nothing_shows() {
        let aws = Aws { region: "eu-west-1".into(), service: super::super::Service::Serverless };
        let credentials = Credentials::new("AKID", "hunter2", Some("t0ken".into()), None, "test");
        let url = "http://127.0.0.1:9200/_bulk?filter_path=items.*.status,error";
        let request = Unsigned { method: "POST", url, body: b"{}" };
        let headers = sign(request, &credentials, &aws, at("2026-11-28T12:00:00Z")).unwrap();
        let (names, _) = parts(&headers);
        assert_eq!(names, "host;x-amz-content-sha256;x-amz-date;x-amz-security-token");
        let mut added: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        added.sort_unstable();
        let expected =
            ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];
        assert_eq!(added, expected);
        assert!(!format!("{headers:?}").contains("t0ken"));
    }
}
