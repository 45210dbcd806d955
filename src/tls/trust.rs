//! Which servers a client believes that was given a file of certificates.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Believes a server whose certificate one of these has signed, and one that shows one of these
/// itself.
///
/// The second is what `openssl req -x509` makes, and what curl trusts when it is given that file: a
/// certificate of an authority (`CA:TRUE`) that a server uses as its own. Path building refuses it
/// (RFC 5280, 4.2.1.9, knows no such use), but the file names exactly this certificate, and whoever
/// has its key could sign any other.
///
/// And a proxy on the way, which is known by the authorities of this machine, or like the servers.
#[derive(Debug)]
pub(super) struct Trusted {
    signers: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
    proxies: Option<Proxies>,
}

/// The names of proxies, and who believes them.
#[derive(Debug)]
pub(super) struct Proxies {
    pub(super) names: Vec<ServerName<'static>>,
    pub(super) systems: Arc<dyn ServerCertVerifier>,
}

impl Trusted {
    /// # Errors
    ///
    /// When none of them can be trusted.
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        proxies: Option<Proxies>,
    ) -> Result<Trusted, VerifierBuilderError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let signers =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build()?;
        Ok(Trusted { signers, certificates, proxies })
    }
}

/// Whether path building refused a certificate because it is an authority's. By then its time was
/// checked, and its name was not.
pub(super) fn is_of_an_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ask = |verifier: &dyn ServerCertVerifier| {
            verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)
        };
        if let Some(Proxies { names, systems }) = &self.proxies
            && names.contains(&name.to_owned())
            && let Ok(verified) = ask(&**systems)
        {
            return Ok(verified);
        }
        match ask(&*self.signers) {
            Err(Error::InvalidCertificate(error))
                if is_of_an_authority(&error) && self.certificates.contains(certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signers.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signers.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signers.supported_verify_schemes()
    }
}
