//! Rules from elsewhere (`SecRemoteRules`): fetched over TLS, with every certificate checked.
//!
//! One request, no redirection: the key goes to the server that the rules name and to no other. It is sent as ModSecurity sends it,
//! in the header `ModSec-key`; what ModSecurity tells beside it of the machine and of its software (`ModSec-unique-id`,
//! `ModSec-status`) is not sent.

use super::https;
use crate::files::RemoteRules;
use http::HeaderValue;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From the look-up of the name to the last byte.
const TIME: Duration = Duration::from_secs(30);

/// Fetches rules by HTTP/1.1 over TLS, within 30 seconds.
///
/// ```no_run
/// use fusewall::{Waf, host::serve::HttpsRules};
/// let waf = Waf::builder().rules_path("rules").remote_rules(HttpsRules::new()).build();
/// ```
#[derive(Debug, Clone, Default)]
pub struct HttpsRules {
    ca: Option<PathBuf>,
}

impl HttpsRules {
    /// Trusts the Mozilla roots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in a file instead, PEM.
    pub fn trusting(ca: impl Into<PathBuf>) -> Self {
        HttpsRules { ca: Some(ca.into()) }
    }
}

impl RemoteRules for HttpsRules {
    fn fetch(&self, url: &str, key: &str, most: usize) -> io::Result<Vec<u8>> {
        let (url, key, ca) = (url.to_owned(), key.to_owned(), self.ca.clone());
        https::in_a_thread(TIME, async move { get(&url, &key, ca.as_deref(), most).await })
    }
}

async fn get(url: &str, key: &str, ca: Option<&Path>, most: usize) -> io::Result<Vec<u8>> {
    let mut key = HeaderValue::from_str(key).map_err(|_| io::Error::other("the key is no value of a header"))?;
    key.set_sensitive(true);
    let response = https::get(url, ca, Some(("ModSec-key", key))).await?;
    https::body(response, most).await
}
