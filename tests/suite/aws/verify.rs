//! Whether a request is signed as AWS wants it, by a computation of its own: nothing here is shared
//! with what signs.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use sha2::{Digest, Sha256};

use super::amazon::Key;
use super::http::Request;

/// What Amazon's front says to what it refuses.
pub(super) type Refusal = String;

/// What a signature is for, and when it is looked at (seconds since 1970).
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) now: i64,
}

/// Whether it is signed with one of these keys.
pub(super) fn verify(request: &Request, keys: &[Key], scope: &Scope<'_>) -> Result<(), Refusal> {
    let header = request.header("authorization").ok_or("Missing Authentication Token")?;
    let (credential, names, signature) = parts(header).ok_or("IncompleteSignature")?;
    let [id, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..]
    else {
        return Err("IncompleteSignature".into());
    };
    let Some(key) = keys.iter().find(|key| key.id == id) else {
        return Err("The security token included in the request is invalid.".into());
    };
    if request.header("x-amz-security-token") != key.token.as_deref() {
        return Err("The security token included in the request is invalid.".into());
    }
    if key.expires.is_some_and(|expires| expires <= scope.now) {
        return Err("The security token included in the request is expired".into());
    }
    if (region, service) != (scope.region, scope.service) {
        return Err(format!("Credential should be scoped to a valid Region, not '{region}'."));
    }
    let mut expected = vec!["host", "x-amz-content-sha256", "x-amz-date"];
    expected.extend(key.token.as_ref().map(|_| "x-amz-security-token"));
    if names.split(';').ne(expected) {
        return Err(format!("these headers are signed: {names}"));
    }
    let time = request.header("x-amz-date").unwrap_or_default();
    if !time.starts_with(date) || (seconds(time) - scope.now).abs() > 300 {
        return Err(format!("Signature expired: {time} is now earlier than … (… - 5 min.)"));
    }
    let checksum = request.header("x-amz-content-sha256").unwrap_or_default();
    if checksum != hex(&Sha256::digest(&request.body)) {
        return Err("the checksum is of another body".into());
    }
    let canonical = canonical(request, names, checksum);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/aws4_request\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let mut signing = format!("AWS4{}", key.secret).into_bytes();
    for part in [date, region, service, "aws4_request"] {
        signing = hmac(&signing, part.as_bytes()).to_vec();
    }
    if hex(&hmac(&signing, to_sign.as_bytes())) != signature {
        return Err(format!("The request signature we calculated does not match:\n{canonical}"));
    }
    Ok(())
}

fn parts(header: &str) -> Option<(&str, &str, &str)> {
    let rest = header.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    let (credential, rest) = rest.split_once(", SignedHeaders=")?;
    let (names, signature) = rest.split_once(", Signature=")?;
    Some((credential, names, signature))
}

fn canonical(request: &Request, names: &str, checksum: &str) -> String {
    let (path, query) = request.path_and_query();
    let headers: String = names
        .split(';')
        .map(|name| format!("{name}:{}\n", request.header(name).unwrap_or_default()))
        .collect();
    let mut query: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(&decoded(name), ""), encoded(&decoded(value), ""))
        })
        .collect();
    query.sort();
    let query: Vec<String> =
        query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (method, path) = (&request.method, encoded(path.as_bytes(), "/"));
    format!("{method}\n{path}\n{}\n{headers}\n{names}\n{checksum}", query.join("&"))
}

fn encoded(bytes: &[u8], as_it_is: &str) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric()
            || b"-._~".contains(byte)
            || as_it_is.contains(*byte as char)
        {
            out.push(*byte as char);
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn decoded(text: &str) -> Vec<u8> {
    let (mut out, bytes, mut at) = (Vec::new(), text.as_bytes(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    out
}

/// RFC 2104, with blocks of 64 bytes.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    match key.len() {
        ..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of `20261128T120000Z`; long ago if it is none.
fn seconds(time: &str) -> i64 {
    let format = "%Y%m%dT%H%M%SZ";
    let time = jiff::civil::DateTime::strptime(format, time).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second()
}

#[test]
fn the_verification_takes_aws_s_own_signature_and_no_other() {
    // <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, "Get Bucket
    // (List Objects)".
    let signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
    );
    let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let checksum = hex(&Sha256::digest(b""));
    let request = Request {
        method: "GET".into(),
        target: "/?max-keys=2&prefix=J".into(),
        headers: [
            ("host", "examplebucket.s3.amazonaws.com"),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-content-sha256", checksum.as_str()),
            ("authorization", authorization.as_str()),
        ]
        .map(header)
        .to_vec(),
        body: Vec::new(),
    };
    let key = Key {
        id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        token: None,
        expires: None,
    };
    let scope = |now| Scope { region: "us-east-1", service: "s3", now };
    let keys = [key];
    let published = 1_369_353_600;
    assert_eq!(verify(&request, &keys, &scope(published)), Ok(()));
    let refused = |request: &Request, now| verify(request, &keys, &scope(now)).unwrap_err();
    assert!(refused(&request, published + 301).starts_with("Signature expired"));
    let other = Request { target: "/?max-keys=3&prefix=J".into(), ..request.clone() };
    assert!(refused(&other, published).contains("does not match"));
    let other = Request { body: b"x".to_vec(), ..request.clone() };
    assert!(refused(&other, published).contains("checksum"));
    assert_eq!(verify(&request.behind_a_load_balancer(), &keys, &scope(published)), Ok(()));
}
