//! Files from elsewhere, such as releases of rules.

use super::https;
use http::StatusCode;
use http::header::LOCATION;
use std::io;
use std::path::Path;
use std::time::Duration;

/// From the look-up of the first name to the last byte.
const TIME: Duration = Duration::from_secs(180);

/// Servers that send us on, one after the other.
const REDIRECTIONS: usize = 5;

/// Fetches a file over HTTPS, within three minutes. Redirections are followed, five at most, and only to HTTPS. `ca` names the
/// certificates to trust instead of the Mozilla roots, PEM.
///
/// The certificate says who has sent the file, not that it is the right one: compare its digest or its signature.
///
/// # Errors
/// An address that is not there, a certificate that is not trusted, another answer than 200, more than `most` bytes.
///
/// ```no_run
/// let archive = fusewall::host::serve::download("https://www.example/rules.tar.gz", None, 1 << 20)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn download(url: &str, ca: Option<&Path>, most: usize) -> io::Result<Vec<u8>> {
    let (url, ca) = (url.to_owned(), ca.map(Path::to_owned));
    https::in_a_thread(TIME, async move {
        let mut url = url;
        for _ in 0..=REDIRECTIONS {
            let response = https::get(&url, ca.as_deref(), None).await?;
            let moved = [
                StatusCode::MOVED_PERMANENTLY,
                StatusCode::FOUND,
                StatusCode::SEE_OTHER,
                StatusCode::TEMPORARY_REDIRECT,
                StatusCode::PERMANENT_REDIRECT,
            ];
            if !moved.contains(&response.status()) {
                return https::body(response, most).await;
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| io::Error::other("the server sends us on, and does not say where"))?;
            url = absolute(&url, to);
        }
        Err(io::Error::other(format!("more than {REDIRECTIONS} redirections")))
    })
}

/// A reference as a URL (RFC 3986, section 5.2, for the forms that servers use).
fn absolute(base: &str, to: &str) -> String {
    match to.strip_prefix('/') {
        Some(path) if !path.starts_with('/') => {
            let authority = base.find("://").map_or(0, |at| at + 3);
            let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
            format!("{}{to}", &base[..end])
        }
        _ => to.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn a_path_stays_on_its_server() {
        assert_eq!(absolute("https://a.example:8443/x/y?z", "/q"), "https://a.example:8443/q");
        assert_eq!(absolute("https://a.example/x", "https://b.example/q"), "https://b.example/q");
    }
}
