//! What it means when a request failed as a whole. Pure.

use http::StatusCode;
use prometheus::IntCounterVec;

use super::aws;
use super::client::{Response, TransportError};
use super::outcome::Refusal;
use super::refusal::{self, WholeError};
use super::response::{self, BulkAnswers};
use crate::answers;

/// Why a request as a whole came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// No usable answer, and not because of the request's size.
    Outage(String),
    /// No answer in time: it may have been carried out.
    Timeout(String),
    /// 429: too much at once.
    TooMany(String),
    /// 413 or 400: something in it.
    Rejected(Refusal, String),
    /// 401, 403 and whatever else a person must look at.
    Refused(String),
}

/// Why OpenSearch cannot be used now, whatever is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// It will pass without help: no connection, a timeout, 429, 5xx.
    Outage(String),
    /// It needs a person: a right, the password, the index itself.
    Refused(String),
}

impl RequestError {
    /// What it says about OpenSearch, whatever was sent.
    pub(crate) fn into_unavailable(self) -> Unavailable {
        match self {
            RequestError::Outage(why) | RequestError::Timeout(why) | RequestError::TooMany(why) => {
                Unavailable::Outage(why)
            }
            RequestError::Rejected(_, why) | RequestError::Refused(why) => {
                Unavailable::Refused(why)
            }
        }
    }
}

/// Counts a request in `weir_sink_requests_total{status}`, and each other way that it was tried.
pub(crate) fn count(answer: &Result<Response, TransportError>, requests: &IntCounterVec) {
    let label = match answer {
        Ok(answer) => status_label(answer.status),
        Err(error) => error.label(),
    };
    requests.with_label_values(&[label]).inc();
    for status in answer.iter().flat_map(|answer| &answer.refused) {
        requests.with_label_values(&[status_label(*status)]).inc();
    }
}

fn status_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        413 => "413",
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        _ => "other",
    }
}

/// What an answer to `_bulk` means: one answer for each item, or an error for the whole request.
pub(crate) fn read_bulk(
    answer: Result<Response, TransportError>,
    sent: usize,
    host: &str,
) -> Result<BulkAnswers, RequestError> {
    let answer = answer.map_err(transport_error)?;
    if answer.status.is_success() {
        return response::parse_bulk(&answer.body, sent).map_err(|why| {
            RequestError::Outage(format!("{host} gave a response that cannot be used: {why}"))
        });
    }
    Err(status_error(&answer, host))
}

/// What it means that an answer is not the JSON that was asked for.
pub(crate) fn unusable(host: &str, body: &[u8], error: &serde_json::Error) -> RequestError {
    let what = what_it_is(body, error);
    RequestError::Outage(format!("{host} gave a response that cannot be used: {what}"))
}

/// What an answer is that could not be read.
pub(crate) fn what_it_is(body: &[u8], error: &serde_json::Error) -> String {
    let what = match body.trim_ascii_start().first() {
        Some(b'{') => format!("not what was asked for ({error})"),
        _ => answers::not_json(body),
    };
    format!("it is {what}; is there a proxy before OpenSearch?")
}

/// What it means that there was no answer.
pub(crate) fn transport_error(error: TransportError) -> RequestError {
    let text = error.to_string();
    match error {
        TransportError::Timeout { .. } => RequestError::Timeout(text),
        TransportError::Tls { .. } => RequestError::Refused(text),
        TransportError::Credentials(error) if error.is_lasting => RequestError::Refused(text),
        TransportError::Connect { .. }
        | TransportError::Io { .. }
        | TransportError::Credentials(_)
        | TransportError::TooLong { .. } => RequestError::Outage(text),
    }
}

/// What a status other than 2xx means for the request as a whole.
pub(crate) fn status_error(answer: &Response, host: &str) -> RequestError {
    let Response { status, body, signed, .. } = answer;
    let text = format!("{host} answers {}: {}", status.as_u16(), refusal::whole_error(body));
    match status.as_u16() {
        400 if refusal::classify_whole(body) == WholeError::ExplicitIndex => {
            RequestError::Refused(format!(
                "{text}: weir names an index in each action of a _bulk request, and the cluster \
                 forbids that: set rest.action.multi.allow_explicit_index to true there"
            ))
        }
        400 => RequestError::Rejected(Refusal::Request, text),
        413 => RequestError::Rejected(Refusal::TooLarge, text),
        401 if signed.is_some() => RequestError::Refused(format!(
            "{text}: what stands there does not take a signature of AWS: is it a domain or \
             collection of Amazon OpenSearch?"
        )),
        401 => RequestError::Refused(format!(
            "{text}: check sink.username and sink.password, or sink.authorization"
        )),
        403 => RequestError::Refused(format!("{text}: {}", forbidden(answer, host))),
        429 => RequestError::TooMany(text),
        500..=599 => RequestError::Outage(text),
        300..=399 => RequestError::Refused(format!(
            "{text}: redirects are not followed: sink.hosts must name OpenSearch itself"
        )),
        _ => RequestError::Refused(text),
    }
}

/// What to do about a 403.
fn forbidden(answer: &Response, host: &str) -> String {
    match answer.signed {
        Some(signed) if is_of_amazon(answer, host) => {
            aws::denial_of(&answer.body).help(signed.service, signed.server_ahead)
        }
        // OpenSearch itself: fine-grained access control of a domain.
        Some(_) => "the role or user that weir runs as needs the right \
                    `indices:data/write/bulk`: map its ARN to a role of OpenSearch's security as \
                    a backend role"
            .to_owned(),
        None if is_of_amazon(answer, host) => {
            "it is Amazon's front that refuses, before OpenSearch: the domain's or collection's \
             access policy must allow es:ESHttp* (or aoss:*) to this client. Set sink.aws to have \
             requests signed (SigV4), or allow its address, or use a user of fine-grained access \
             control"
                .to_owned()
        }
        None => "the user needs the right `indices:data/write/bulk`".to_owned(),
    }
}

/// Whether a refusal is that of Amazon's front, and not OpenSearch's.
pub(crate) fn is_of_amazon(answer: &Response, host: &str) -> bool {
    match answer.signed {
        // A collection is behind it for all that its refusals look like.
        Some(signed) if signed.service == aws::Service::Serverless => true,
        Some(_) => refusal::is_of_gateway(&answer.body),
        None => refusal::is_of_amazon(host, &answer.body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> String {
        refused_as(status, body, None)
    }

    fn refused_as(status: u16, body: &str, signed: Option<aws::Signed>) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let body = body.as_bytes().to_vec();
        match status_error(&Response { status, body, signed, ..Response::default() }, "h") {
            RequestError::Refused(why) => why,
            other => panic!("it is no refusal: {other:?}"),
        }
    }

    #[test]
    fn refusals_that_are_known_say_what_to_do() {
        let explicit = r#"{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"explicit index in bulk is not allowed"}],"type":"illegal_argument_exception","reason":"explicit index in bulk is not allowed"},"status":400}"#;
        insta::assert_snapshot!(refused(400, explicit), @"h answers 400: illegal_argument_exception: explicit index in bulk is not allowed: weir names an index in each action of a _bulk request, and the cluster forbids that: set rest.action.multi.allow_explicit_index to true there");
        let amazon = r#"{"Message":"User: anonymous is not authorized to perform: es:ESHttpPost"}"#;
        insta::assert_snapshot!(refused(403, amazon), @"h answers 403: User: anonymous is not authorized to perform: es:ESHttpPost: it is Amazon's front that refuses, before OpenSearch: the domain's or collection's access policy must allow es:ESHttp* (or aoss:*) to this client. Set sink.aws to have requests signed (SigV4), or allow its address, or use a user of fine-grained access control");
    }

    #[test]
    fn what_is_refused_although_it_is_signed_says_what_to_look_at() {
        let signed = |service| Some(aws::Signed::for_tests(service, Some(-400)));
        let domain = |status, body: &str| refused_as(status, body, signed(aws::Service::Domain));
        let policy = r#"{"Message":"User: arn:aws:sts::1:assumed-role/weir/x is not authorized to perform: es:ESHttpPost"}"#;
        insta::assert_snapshot!(domain(403, policy), @"h answers 403: User: arn:aws:sts::1:assumed-role/weir/x is not authorized to perform: es:ESHttpPost: it is Amazon's front that refuses, before OpenSearch: the domain's access policy, and the policies of the role or user that weir runs as, must allow it es:ESHttp*");
        let clock = r#"{"message":"Signature not yet current: 20261128T130000Z is still later than 20261128T125500Z"}"#;
        insta::assert_snapshot!(domain(403, clock), @"h answers 403: Signature not yet current: 20261128T130000Z is still later than 20261128T125500Z: this machine's clock is 400 s ahead of the server's, and signatures are good for five minutes: set the clock (NTP; `chronyc tracking` or `timedatectl` says whether it is kept)");
        let own = r#"{"error":{"root_cause":[],"type":"security_exception","reason":"no permissions for [indices:data/write/bulk] and User [name=arn:aws:iam::1:role/weir]"},"status":403}"#;
        insta::assert_snapshot!(domain(403, own), @"h answers 403: security_exception: no permissions for [indices:data/write/bulk] and User [name=arn:aws:iam::1:role/weir]: the role or user that weir runs as needs the right `indices:data/write/bulk`: map its ARN to a role of OpenSearch's security as a backend role");
        insta::assert_snapshot!(domain(401, "Unauthorized"), @"h answers 401: Unauthorized: what stands there does not take a signature of AWS: is it a domain or collection of Amazon OpenSearch?");
        let collection = r#"{"status":403,"request-id":"655a","error":{"reason":"403 Forbidden","type":"Forbidden"}}"#;
        insta::assert_snapshot!(refused_as(403, collection, signed(aws::Service::Serverless)), @"h answers 403: Forbidden: 403 Forbidden: it is Amazon's front that refuses, before OpenSearch: the role or user that weir runs as needs aoss:APIAccessAll in IAM, and a data access policy of the collection that names it, with aoss:DescribeIndex, aoss:CreateIndex, aoss:WriteDocument, aoss:ReadDocument and aoss:*CollectionItems; and the collection's network policy must let weir in");
    }
}
