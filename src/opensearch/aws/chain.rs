//! Where AWS's own tools look for credentials, in their order: the environment, a profile (with
//! roles to assume, and programs to run), web identity, the container's endpoint (ECS, EKS Pod
//! Identity), the instance's endpoint.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

use std::error::Error;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError as Failure;

use super::connector::Http;
use super::credentials::{CredentialsError, Source};
use crate::text;

/// All of it: several sources may be tried, each with retries.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What is shown of a failure.
const DETAIL_BYTES_MAX: usize = 512;

/// The sources of this process.
#[derive(Debug)]
pub(super) struct Chain {
    region: Region,
    http: Http,
}

impl Chain {
    /// Asks nobody yet.
    pub(super) fn new(region: &str) -> Result<Chain, String> {
        Ok(Chain { region: Region::new(region.to_owned()), http: Http::new()? })
    }
}

impl Source for Chain {
    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        // Made anew: a chain does not read its files again.
        let config = ProviderConfig::without_region()
            .with_region(Some(self.region.clone()))
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(self.http.clone());
        let ask = async {
            let chain = DefaultCredentialsChain::builder().configure(config);
            let chain = chain.region(self.region.clone()).build().await;
            chain.provide_credentials().await
        };
        match tokio::time::timeout(TIMEOUT, ask).await {
            Ok(answer) => answer.map_err(|failure| explained(&failure)),
            Err(_) => Err(CredentialsError {
                is_lasting: false,
                detail: format!(
                    "none of the sources of AWS credentials answered within {} s",
                    TIMEOUT.as_secs()
                ),
            }),
        }
    }
}

fn explained(failure: &Failure) -> CredentialsError {
    match failure {
        Failure::CredentialsNotLoaded(_) => CredentialsError {
            is_lasting: true,
            detail: "there are no AWS credentials, neither in the environment \
                     (AWS_ACCESS_KEY_ID), nor in a profile (AWS_PROFILE, ~/.aws/config), nor by \
                     web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN), nor from a \
                     container's or an instance's endpoint. In a pod of EKS, give its service \
                     account a role"
                .to_owned(),
        },
        Failure::ProviderTimedOut(_) => CredentialsError {
            is_lasting: false,
            detail: format!("the source of AWS credentials does not answer ({})", causes(failure)),
        },
        _ => CredentialsError {
            is_lasting: true,
            detail: format!("the AWS credentials cannot be had: {}", causes(failure)),
        },
    }
}

/// What an error and its causes say; the outermost say the least.
fn causes(error: &dyn Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        next = error.source();
        let cause = error.to_string();
        // Some repeat what theirs say.
        match said.last_mut() {
            Some(last) if cause.contains(last.as_str()) => *last = cause,
            Some(last) if last.contains(&cause) => {}
            _ => said.push(cause),
        }
    }
    text::words(&said.join(": "), DETAIL_BYTES_MAX)
}
