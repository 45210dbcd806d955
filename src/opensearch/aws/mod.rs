//! Amazon OpenSearch: requests are signed (SigV4) with credentials that AWS hands out for a while.
//!
//! - [`chain`] asks for credentials where AWS's own tools do, over [`connector`]; [`credentials`]
//!   keeps them until shortly before they expire.
//! - [`signature`] signs one request as it is sent. Pure.
//! - [`denial`] reads why Amazon's front refused one. Pure.
//!
//! Constraints: a request is signed last, each time that it is sent: a signature is good for five
//! minutes, and for one body. Only what no load balancer rewrites is signed: host, date, the body's
//! checksum and the session token. No secret shows.

mod chain;
mod connector;
mod credentials;
mod denial;
mod signature;

use std::time::SystemTime;

use http::HeaderMap;
use http::header::DATE;

use self::chain::Chain;
pub(super) use self::credentials::CredentialsError;
pub(super) use self::denial::{Denial, denial_of};
use crate::words::words;

/// `aws`: how requests are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// Where the domain or collection is.
    pub region: String,
    /// What it is.
    pub service: Service,
}

words! {
    /// `aws.service`: what signatures are made for.
    pub enum Service {
        Domain = "es": "a domain of Amazon OpenSearch Service",
        Serverless = "aoss": "a search collection of Amazon OpenSearch Serverless",
    }
}

/// The service and the region that the name of one of Amazon's hosts says, where it says them:
/// `NAME.REGION.es.amazonaws.com`, `NAME.aos.REGION.on.aws`, and `aoss` likewise.
pub(crate) fn named_by(host: &str) -> Option<(Service, &str)> {
    let service = |label| match label {
        "es" | "aos" => Some(Service::Domain),
        "aoss" => Some(Service::Serverless),
        _ => None,
    };
    let labels: Vec<&str> = host.split('.').collect();
    match labels[..] {
        [.., _, region, name, "amazonaws", "com"]
        | [.., _, region, name, "amazonaws", "com", "cn"]
        | [.., _, name, region, "on", "aws"] => Some((service(name)?, region)),
        _ => None,
    }
}

/// Signs requests.
#[derive(Debug)]
pub(super) struct Signer {
    aws: Aws,
    credentials: credentials::Credentials<Chain>,
}

/// How a request was signed, and what its answer says of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) service: Service,
    /// Which of the credentials that this process has had.
    number: u64,
    /// How many seconds the clock of the server is ahead of this machine's, if it says its time.
    pub(crate) server_ahead: Option<i64>,
}

impl Signer {
    /// Asks nobody yet.
    pub(super) fn new(aws: &Aws) -> Result<Signer, String> {
        let chain = Chain::new(&aws.region)?;
        Ok(Signer { aws: aws.clone(), credentials: credentials::Credentials::new(chain) })
    }

    /// Signs a request, which must not be changed afterwards.
    pub(super) async fn sign(
        &self,
        request: &mut reqwest::Request,
    ) -> Result<Signed, CredentialsError> {
        let (credentials, number) = self.credentials.current(SystemTime::now).await?;
        let unsigned = signature::Unsigned {
            method: request.method().as_str(),
            url: request.url().as_str(),
            body: request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default(),
        };
        let headers = signature::sign(unsigned, &credentials, &self.aws, SystemTime::now())
            .map_err(CredentialsError::unusable)?;
        request.headers_mut().extend(headers);
        Ok(Signed { service: self.aws.service, number, server_ahead: None })
    }

    /// Whether a request that was refused so is worth being signed and sent once more: others may
    /// know what it was signed with no longer.
    pub(super) fn is_outdated(&self, signed: Signed, body: &[u8]) -> bool {
        match denial_of(body) {
            Denial::Expired | Denial::Unknown | Denial::Clock => {
                self.credentials.refused(signed.number, SystemTime::now())
            }
            Denial::Signature | Denial::Policy => false,
        }
    }

    /// Asks for other credentials before the next request.
    pub(super) fn forget(&self) {
        self.credentials.forget();
    }
}

impl Signed {
    #[cfg(test)]
    pub(super) fn for_tests(service: Service, server_ahead: Option<i64>) -> Signed {
        Signed { service, number: 1, server_ahead }
    }

    /// With what an answer's headers say.
    pub(super) fn answered(self, headers: &HeaderMap, now: SystemTime) -> Signed {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let now = jiff::Timestamp::try_from(now).ok();
        let ahead = date.zip(now).map(|(date, now)| date.timestamp().as_second() - now.as_second());
        Signed { server_ahead: ahead, ..self }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn hosts_of_amazon_say_what_and_where_they_are() {
        let domain = |region| Some((Service::Domain, region));
        let collection = |region| Some((Service::Serverless, region));
        for (host, expected) in [
            ("search-x-abc.eu-west-1.es.amazonaws.com", domain("eu-west-1")),
            ("vpc-x-abc.cn-north-1.es.amazonaws.com.cn", domain("cn-north-1")),
            ("search-x-abc.aos.us-east-1.on.aws", domain("us-east-1")),
            ("abc.eu-west-1.aoss.amazonaws.com", collection("eu-west-1")),
            ("abc.aoss.us-east-1.on.aws", collection("us-east-1")),
            ("opensearch.example", None),
            ("es.amazonaws.com", None),
            ("x.eu-west-1.s3.amazonaws.com", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(named_by(host), expected, "{host}");
        }
    }

    #[test]
    fn an_answers_date_tells_how_far_the_clocks_are_apart() {
        let signed = Signed::for_tests(Service::Domain, None);
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_443_615_300);
        let ahead = |date: &'static str| {
            let headers = [(DATE, HeaderValue::from_static(date))].into_iter().collect();
            signed.answered(&headers, now).server_ahead
        };
        assert_eq!(ahead("Wed, 30 Sep 2015 12:15:00 GMT"), Some(0));
        assert_eq!(ahead("Wed, 30 Sep 2015 12:35:01 GMT"), Some(1201));
        assert_eq!(ahead("Wed, 30 Sep 2015 12:14:00 GMT"), Some(-60));
        assert_eq!(ahead("yesterday"), None);
        assert_eq!(signed.answered(&HeaderMap::new(), now), signed);
    }
}
