//! Mutual TLS: whoever has no certificate of the configured authority does not get as far as HTTP.

use super::AdminError;
use super::config::AdminTcp;
use super::peers::Fingerprint;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection};

/// What the configured files say; `None` if one is missing.
pub(super) fn acceptor(tcp: &AdminTcp) -> Result<Option<TlsAcceptor>, AdminError> {
    let (Some(certificate), Some(key), Some(client_ca)) = (&tcp.certificate, &tcp.key, &tcp.client_ca) else {
        return Ok(None);
    };
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in certificates(client_ca)? {
        roots.add(authority).map_err(|error| problem(client_ca, error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.build().map_err(|error| problem(client_ca, error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| problem(key, error))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| problem(certificate, error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(certificate)?, private)
        .map_err(|error| problem(certificate, error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// The certificate that the other side has shown, and has the key of.
pub(super) fn fingerprint(connection: &ServerConnection) -> Option<Fingerprint> {
    let certificate = connection.peer_certificates()?.first()?;
    Some(Sha256::digest(certificate).into())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AdminError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(problem(path, "no certificate in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(problem(path, error)),
    }
}

fn problem(path: &Path, error: impl std::fmt::Display) -> AdminError {
    AdminError::Certificate { path: path.to_owned(), problem: error.to_string() }
}
