//! TLS: which cryptography this process uses, said in one place for every client in it.

/// Makes ring the cryptography of every TLS client that is made from now on. Call it once, before the
/// first client: reqwest is built without a default and panics otherwise. Calling it again does nothing.
pub fn install_crypto_provider() {
    // The error means that one is installed already, which is what this is for.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
