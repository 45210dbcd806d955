//! TLS: which cryptography this process uses and whom it trusts, said in one place for every client
//! in it.
//!
//! [`authorities`] and [`identity`] read what the configuration names; [`client_config`] makes a
//! client of it, that believes whom [`trust`] says; [`fault`] tells what went wrong.

mod fault;
mod trust;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

pub(crate) use self::fault::{Names, explain, tls_cause};
use self::trust::{Proxies, Trusted};
use crate::files::read_small;

/// The authorities that whole systems trust take a quarter of a MiB.
const CA_BYTES_MAX: u64 = 4 << 20;

/// Makes ring the cryptography of every TLS client that is made from now on. Call it once, before
/// the first client: reqwest is built without a default and panics otherwise. Calling it again does
/// nothing.
pub fn install_crypto_provider() {
    // The error means that one is installed already, which is what this is for.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Why a file of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot use the CA file {path}: {detail}: it must be a PEM file with the certificates of the \
     authorities to trust"
)]
pub struct CaError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub detail: String,
}

/// The certificates of a PEM file: at least one, and each one that TLS can trust.
///
/// # Errors
///
/// That the file cannot be read, or holds something else.
pub(crate) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, CaError> {
    let failed = |detail: String| CaError { path: path.to_owned(), detail };
    let bytes = read_small(path, CA_BYTES_MAX).map_err(|error| failed(error.to_string()))?;
    let mut certificates = Vec::new();
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let number = certificates.len() + 1;
        let certificate =
            certificate.map_err(|_| failed(format!("its certificate {number} is not PEM")))?;
        if trusted.add(certificate.clone()).is_err() {
            return Err(failed(format!("its certificate {number} is damaged")));
        }
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(failed(nothing_in(&bytes).to_owned()));
    }
    Ok(certificates)
}

/// Why a client's certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the client's {what} {path}: {detail}")]
pub struct IdentityError {
    /// `certificate` or `key`.
    pub what: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub detail: String,
}

/// A client's certificate, with those that signed it, and its private key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads a client's identity.
///
/// # Errors
///
/// When one of the files cannot be read or used, or they do not belong together.
pub(crate) fn identity(certificate: &Path, key: &Path) -> Result<Identity, IdentityError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |detail: String| IdentityError { what, path, detail }
    };
    let read = |what, path| {
        read_small(path, CA_BYTES_MAX).map_err(|error| failed(what, path)(error.to_string()))
    };
    let (chain, private) = (read("certificate", certificate)?, read("key", key)?);
    let certificates = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>();
    let certificates = match certificates {
        Ok(certificates) if !certificates.is_empty() => certificates,
        Ok(_) => return Err(failed("certificate", certificate)(nothing_in(&chain).to_owned())),
        Err(_) => return Err(failed("certificate", certificate)("it is not PEM".to_owned())),
    };
    let der = PrivateKeyDer::from_pem_slice(&private)
        .map_err(|_| failed("key", key)(no_key_in(&private).to_owned()))?;
    let signing = rustls::crypto::ring::sign::any_supported_type(&der).map_err(|_| {
        failed("key", key)("it is none of RSA, ECDSA (P-256, P-384) and Ed25519".to_owned())
    })?;
    match CertifiedKey::new(certificates.clone(), signing).keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let text = format!("it is not the key of the certificate {}", certificate.display());
            Err(failed("key", key)(text))
        }
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(failed("certificate", certificate)(format!("it is damaged ({error})")))
        }
        // That no public key can be made of this kind of key does not mean that it is wrong.
        _ => Ok((certificates, der)),
    }
}

/// A client that trusts these certificates, or whom the system trusts, and shows its identity where
/// it has one. `proxies` are known by the system's authorities in any case.
///
/// # Errors
///
/// When the system's authorities cannot be read, or nothing of this can be used.
pub(crate) fn client_config(
    trusted: Option<Vec<CertificateDer<'static>>>,
    identity: Option<Identity>,
    proxies: Vec<ServerName<'static>>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous();
    // Only where they are asked: a machine may have none.
    let systems = || -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
        Ok(Arc::new(rustls_platform_verifier::Verifier::new(provider.clone())?))
    };
    let verifier: Arc<dyn ServerCertVerifier> = match trusted {
        None => systems()?,
        Some(certificates) => {
            let proxies = match proxies.is_empty() {
                true => None,
                false => Some(Proxies { names: proxies, systems: systems()? }),
            };
            let trusted = Trusted::new(certificates, proxies)
                .map_err(|error| rustls::Error::General(error.to_string()))?;
            Arc::new(trusted)
        }
    };
    let builder = builder.with_custom_certificate_verifier(verifier);
    match identity {
        Some((certificates, key)) => builder.with_client_auth_cert(certificates, key),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// What a file without a key that can be used is.
fn no_key_in(bytes: &[u8]) -> &'static str {
    let holds = |text: &[u8]| memchr::memmem::find(bytes, text).is_some();
    match bytes {
        [] => "it is empty",
        _ if holds(b"ENCRYPTED") => {
            "it is encrypted, and weir asks for no passphrase: `openssl pkey` decrypts it"
        }
        _ if holds(b"BEGIN CERTIFICATE-----") => "it holds a certificate and no private key",
        _ => "there is no private key in PEM in it",
    }
}

/// What a file without a certificate is.
fn nothing_in(bytes: &[u8]) -> &'static str {
    let holds = |text: &[u8]| memchr::memmem::find(bytes, text).is_some();
    match bytes {
        [] => "it is empty",
        // A DER sequence with a length of two bytes, as every certificate begins (ITU-T X.690,
        // 8.1).
        [0x30, 0x82, ..] => "it is DER, which `openssl x509 -inform der` makes PEM of",
        _ if holds(b"PRIVATE KEY-----") => "it holds a private key and no certificate",
        _ => "there is no certificate in it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, bytes).unwrap();
        authorities(&path).unwrap_err().detail
    }

    fn pem() -> rcgen::Certificate {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(["a".into()]).unwrap().self_signed(&key).unwrap()
    }

    #[test]
    fn every_certificate_of_a_bundle_is_read_and_comments_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, format!("# Two of them\r\n{}\n{}", pem().pem(), pem().pem()))
            .unwrap();
        assert_eq!(authorities(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_file_that_is_something_else_is_called_what_it_is() {
        insta::assert_snapshot!(said(b""), @"it is empty");
        insta::assert_snapshot!(said(b"hello"), @"there is no certificate in it");
        insta::assert_snapshot!(said(pem().der()), @"it is DER, which `openssl x509 -inform der` makes PEM of");
        insta::assert_snapshot!(said(rcgen::KeyPair::generate().unwrap().serialize_pem().as_bytes()), @"it holds a private key and no certificate");
        insta::assert_snapshot!(said(b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"), @"its certificate 1 is not PEM");
        insta::assert_snapshot!(said(b"-----BEGIN CERTIFICATE-----\nAAAA\n"), @"its certificate 1 is not PEM");
        insta::assert_snapshot!(said(format!("{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", pem().pem()).as_bytes()), @"its certificate 2 is damaged");
    }
}
