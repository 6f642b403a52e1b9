//! TLS is done by rustls, with the cryptography of ring.

use rustls::crypto::ring;

/// Lets reqwest use ring. To be called before a client is made; it does nothing the second time.
pub(crate) fn use_ring() {
    // An error says that it was called before.
    ring::default_provider().install_default().ok();
}
