//! What is wrong with TLS, in a sentence that says what to do. Pure.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::trust::is_of_an_authority;

/// What a client's settings are called, for its people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    /// Whom it trusts.
    pub(crate) ca: &'static str,
    /// Whether a server's own certificate may be named there.
    pub(crate) trusts_itself: bool,
    /// Its own certificate and key.
    pub(crate) identity: &'static str,
    /// Where the server is.
    pub(crate) host: &'static str,
}

/// A certificate that every client trusts when it is given the file, as one command.
const COMMAND: &str = "`openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout key.pem -out \
     cert.pem -subj /CN=NAME -addext subjectAltName=DNS:NAME -addext \
     basicConstraints=critical,CA:FALSE`, NAME being the host's, makes one that can be trusted";

/// The failure of TLS among the causes of an error, if that is what it is about.
pub(crate) fn tls_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An io::Error passes over the error that it wraps when asked for its source.
        let inner = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        let inner = inner.map(|inner| inner as &(dyn StdError + 'static));
        if let Some(error) = inner.unwrap_or(error).downcast_ref() {
            return Some(error);
        }
        next = inner.or_else(|| error.source());
    }
    None
}

/// What is wrong, and what to do.
pub(crate) fn explain(error: &Error, names: Names) -> String {
    match error {
        Error::InvalidCertificate(error) => about_certificate(error, names),
        Error::AlertReceived(alert) => about_alert(*alert, names),
        Error::InvalidMessage(_) => {
            format!("what answers does not speak TLS ({error}): is it an https port?")
        }
        Error::PeerIncompatible(_) | Error::PeerMisbehaved(_) => format!(
            "the server offers nothing that weir can use ({error}): weir speaks TLS 1.2 and 1.3, \
             with ECDHE and AES-GCM or ChaCha20"
        ),
        other => other.to_string(),
    }
}

fn about_certificate(error: &CertificateError, names: Names) -> String {
    let Names { ca, trusts_itself, host, .. } = names;
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the server's certificate has expired: renew it there ({error})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the server's certificate is not valid yet: are both clocks right? ({error})")
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the server's certificate is signed by an authority that is not trusted: set {ca} to a \
             PEM file with that authority's certificate"
        ),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!(
                "the server's certificate names no host (subjectAltName), and what its subject \
                 says does not count: {COMMAND}"
            )
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "the server's certificate is for another name: use a name of it in {host} ({error})"
            )
        }
        CertificateError::Revoked => "the server's certificate was revoked".to_owned(),
        error if is_of_an_authority(error) && trusts_itself => format!(
            "the server shows a certificate that is an authority's (CA:TRUE), and not one that \
             {ca} has: set {ca} to a PEM file with this very certificate, if you trust it"
        ),
        error if is_of_an_authority(error) => format!(
            "the server shows a certificate that is meant for signing others (CA:TRUE): {COMMAND}"
        ),
        CertificateError::Other(other)
            if matches!(other.0.downcast_ref(), Some(webpki::Error::UnsupportedCertVersion)) =>
        {
            format!("the server's certificate is of X.509 version 1: {COMMAND}")
        }
        error => format!("the server's certificate is refused: {error}"),
    }
}

/// What a server says when it ends a connection (RFC 8446, section 6.2).
fn about_alert(alert: AlertDescription, Names { identity, host, .. }: Names) -> String {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            format!("the server asks for a client certificate: set {identity}")
        }
        AlertDescription::CertificateExpired => {
            format!("the server says that the client's certificate has expired: renew {identity}")
        }
        AlertDescription::CertificateRevoked => {
            format!("the server says that the client's certificate was revoked: renew {identity}")
        }
        AlertDescription::UnknownCA => format!(
            "the server does not trust the authority that signed the client's certificate: \
             {identity} must be of one that it trusts"
        ),
        AlertDescription::BadCertificate
        | AlertDescription::DecryptError
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => {
            format!(
                "the server does not accept the client's certificate ({alert:?}): see {identity}"
            )
        }
        AlertDescription::AccessDenied => format!(
            "the server accepts the client's certificate, and does not let it in: see {identity}"
        ),
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => format!(
            "the server speaks no version of TLS that weir speaks ({alert:?}): it must offer TLS \
             1.2 or 1.3"
        ),
        AlertDescription::HandshakeFailure => format!(
            "the server ended the handshake: it has no cipher in common with weir, or asks for a \
             client certificate (then set {identity})"
        ),
        AlertDescription::UnrecognisedName => {
            format!("the server has no certificate for this name: see {host}")
        }
        other => format!("the server ended the connection ({other:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names =
        Names { ca: "CA", trusts_itself: false, identity: "IDENTITY", host: "HOST" };

    #[test]
    fn an_alert_is_a_sentence() {
        let alerts = [
            AlertDescription::CertificateRequired,
            AlertDescription::CertificateExpired,
            AlertDescription::UnknownCA,
            AlertDescription::BadCertificate,
            AlertDescription::AccessDenied,
            AlertDescription::ProtocolVersion,
            AlertDescription::HandshakeFailure,
            AlertDescription::UnrecognisedName,
            AlertDescription::InternalError,
        ];
        let said = alerts.map(|alert| explain(&Error::AlertReceived(alert), NAMES));
        insta::assert_snapshot!(said.join("\n"), @r"
        the server asks for a client certificate: set IDENTITY
        the server says that the client's certificate has expired: renew IDENTITY
        the server does not trust the authority that signed the client's certificate: IDENTITY must be of one that it trusts
        the server does not accept the client's certificate (BadCertificate): see IDENTITY
        the server accepts the client's certificate, and does not let it in: see IDENTITY
        the server speaks no version of TLS that weir speaks (ProtocolVersion): it must offer TLS 1.2 or 1.3
        the server ended the handshake: it has no cipher in common with weir, or asks for a client certificate (then set IDENTITY)
        the server has no certificate for this name: see HOST
        the server ended the connection (InternalError)
        ");
    }

    #[test]
    fn the_cause_is_found_however_deep_it_is_and_nothing_else_is() {
        let failure = Error::AlertReceived(AlertDescription::UnknownCA);
        let wrapped = io::Error::other(io::Error::other(failure.clone()));
        assert_eq!(tls_cause(&wrapped), Some(&failure));
        assert_eq!(tls_cause(&failure), Some(&failure));
        assert_eq!(tls_cause(&io::Error::other("UnknownCA")), None);
    }
}
