//! Why Amazon's front refused a request, which never came to OpenSearch. Pure.
//!
//! It says so in words alone, the same for years, as its own clients and their users' reports have
//! them:
//! <https://docs.aws.amazon.com/opensearch-service/latest/developerguide/handling-errors.html>

use super::Service;

/// Why a request was refused that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The credentials have expired.
    Expired,
    /// Nobody knows them.
    Unknown,
    /// It was signed too long ago, or in the future.
    Clock,
    /// The signature is another one than the front makes of the request.
    Signature,
    /// No policy allows it, or it does not say why.
    Policy,
}

/// What the messages of each begin with, or have in them.
const WORDS: [(&str, Denial); 14] = [
    ("security token included in the request is expired", Denial::Expired),
    ("ExpiredToken", Denial::Expired),
    ("security token included in the request is invalid", Denial::Unknown),
    ("UnrecognizedClientException", Denial::Unknown),
    ("InvalidClientTokenId", Denial::Unknown),
    ("Signature expired", Denial::Clock),
    ("Signature not yet current", Denial::Clock),
    ("RequestTimeTooSkewed", Denial::Clock),
    ("RequestExpired", Denial::Clock),
    ("request signature we calculated does not match", Denial::Signature),
    ("Credential should be scoped to", Denial::Signature),
    ("SignatureDoesNotMatch", Denial::Signature),
    ("InvalidSignatureException", Denial::Signature),
    ("IncompleteSignature", Denial::Signature),
];

/// What a refusal says.
pub(crate) fn denial_of(body: &[u8]) -> Denial {
    let text = String::from_utf8_lossy(body);
    let found = WORDS.iter().find(|(words, _)| text.contains(words));
    found.map_or(Denial::Policy, |(_, denial)| *denial)
}

impl Denial {
    /// What to do about it.
    pub(crate) fn help(self, service: Service, server_ahead: Option<i64>) -> String {
        match self {
            Denial::Expired => "the AWS credentials have expired, and where they come from there \
                                are no newer ones yet"
                .to_owned(),
            Denial::Unknown => {
                "AWS does not know these credentials (any more): look at where they \
                                come from, which may be another account or partition"
                    .to_owned()
            }
            Denial::Clock => clock(server_ahead),
            Denial::Signature => format!(
                "the signature is not the one that Amazon makes of this request: look at \
                 aws.region and aws.service (\"{}\") in [sink], and at the secret key; a proxy on \
                 the way must not change host, path, query or body",
                service.word()
            ),
            Denial::Policy => policy(service).to_owned(),
        }
    }
}

fn clock(server_ahead: Option<i64>) -> String {
    let clocks = match server_ahead {
        Some(seconds) if seconds.abs() < 60 => {
            return "signatures are good for five minutes, and the clocks agree now: the request \
                    was held up on its way, or the clock has just been set"
                .to_owned();
        }
        Some(seconds) if seconds > 0 => format!("is {seconds} s behind the server's"),
        Some(seconds) => format!("is {} s ahead of the server's", -seconds),
        None => "differs from the server's".to_owned(),
    };
    format!(
        "this machine's clock {clocks}, and signatures are good for five minutes: set the clock \
         (NTP; `chronyc tracking` or `timedatectl` says whether it is kept)"
    )
}

fn policy(service: Service) -> &'static str {
    match service {
        Service::Domain => {
            "it is Amazon's front that refuses, before OpenSearch: the domain's access policy, and \
             the policies of the role or user that weir runs as, must allow it es:ESHttp*"
        }
        Service::Serverless => {
            "it is Amazon's front that refuses, before OpenSearch: the role or user that weir runs \
             as needs aoss:APIAccessAll in IAM, and a data access policy of the collection that \
             names it, with aoss:DescribeIndex, aoss:CreateIndex, aoss:WriteDocument, \
             aoss:ReadDocument and aoss:*CollectionItems; and the collection's network policy must \
             let weir in"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> Denial {
        denial_of(format!("{{\"message\":\"{message}\"}}").as_bytes())
    }

    #[test]
    fn a_refusal_is_told_from_its_words() {
        for (message, expected) in [
            ("The security token included in the request is expired", Denial::Expired),
            ("The security token included in the request is invalid.", Denial::Unknown),
            (
                "Signature expired: 20261128T120000Z is now earlier than 20261128T121500Z \
                 (20261128T122000Z - 5 min.)",
                Denial::Clock,
            ),
            ("Signature not yet current: 20261128T130000Z is still later than …", Denial::Clock),
            (
                "The request signature we calculated does not match the signature you provided.",
                Denial::Signature,
            ),
            ("Credential should be scoped to a valid Region, not 'eu-west-1'. ", Denial::Signature),
            ("User: arn:aws:sts::1:assumed-role/weir/x is not authorized to …", Denial::Policy),
        ] {
            assert_eq!(said(message), expected, "{message}");
        }
        assert_eq!(denial_of(b"{\"__type\":\"ExpiredTokenException\"}"), Denial::Expired);
        assert_eq!(denial_of(b"<html>"), Denial::Policy);
    }

    #[test]
    fn what_to_do_about_a_clock_depends_on_the_servers() {
        let help = |ahead| Denial::Clock.help(Service::Domain, ahead);
        insta::assert_snapshot!(help(Some(1200)), @"this machine's clock is 1200 s behind the server's, and signatures are good for five minutes: set the clock (NTP; `chronyc tracking` or `timedatectl` says whether it is kept)");
        insta::assert_snapshot!(help(Some(-4000)), @"this machine's clock is 4000 s ahead of the server's, and signatures are good for five minutes: set the clock (NTP; `chronyc tracking` or `timedatectl` says whether it is kept)");
        insta::assert_snapshot!(help(Some(2)), @"signatures are good for five minutes, and the clocks agree now: the request was held up on its way, or the clock has just been set");
        insta::assert_snapshot!(help(None), @"this machine's clock differs from the server's, and signatures are good for five minutes: set the clock (NTP; `chronyc tracking` or `timedatectl` says whether it is kept)");
    }
}
