//! HTTP/2: over TLS with ALPN, and in the clear by prior knowledge.

use super::site::{Site, Upstream};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

async fn handshake<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(io: S) -> SendRequest<Full<Bytes>> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
    let response = sender.send_request(request).await.unwrap();
    (response.status(), response.into_body().collect().await.unwrap().to_bytes())
}

fn get(uri: &str) -> http::request::Builder {
    Request::builder().uri(uri)
}

#[tokio::test]
async fn over_tls_with_alpn() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |config| {
        config.tls.certificate = Some(certificate);
        config.tls.key = Some(key);
    })
    .await;

    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connect = |config: ClientConfig| async move {
        let tcp = TcpStream::connect(site.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    };
    let stream = connect(config.clone()).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let mut sender = handshake(stream).await;
    let request = get("https://localhost/a?b=1").header("cookie", "a=1").header("cookie", "b=2").body(Full::default());
    assert_eq!(send(&mut sender, request.unwrap()).await.0, StatusCode::OK);
    let got = upstream.last();
    assert_eq!(got.line(), "GET /a?b=1 HTTP/1.1");
    assert_eq!(got.header("host"), Some("localhost"));
    assert_eq!(got.header("cookie"), Some("a=1; b=2"), "crumbs are joined");
    assert_eq!(got.header("x-forwarded-proto"), Some("https"));

    // HTTP/1.1 for those who do not offer HTTP/2.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut stream = connect(config).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_clear_by_prior_knowledge() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let sender = handshake(TcpStream::connect(site.address).await.unwrap()).await;
    let ask = |request: Request<Full<Bytes>>| {
        let mut sender = sender.clone();
        async move { send(&mut sender, request).await }
    };
    assert_eq!(ask(get("http://a/").body(Full::default()).unwrap()).await, (StatusCode::OK, Bytes::from("ok")));
    let (status, page) =
        ask(get("http://a/?q='%20or%20'").header("x-q", "' or '").body(Full::default()).unwrap()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(String::from_utf8_lossy(&page).contains("Incident id: "));

    let post = |body: Vec<u8>| get("http://a/p").method("POST").body(Full::new(Bytes::from(body))).unwrap();
    assert_eq!(ask(post(b"abc".to_vec())).await.0, StatusCode::OK);
    assert_eq!(upstream.last().body, b"abc");
    assert_eq!(ask(post(b"x<script>".to_vec())).await.0, StatusCode::FORBIDDEN);
    assert_eq!(upstream.last().body, b"abc", "the refused body did not get there");
    assert_eq!(ask(post(vec![b'a'; 3 << 20])).await.0, StatusCode::PAYLOAD_TOO_LARGE);

    let other = get("http://a/").header("host", "b").body(Full::default()).unwrap();
    assert_eq!(ask(other).await.0, StatusCode::BAD_REQUEST, "two hosts");
    let (status, body) = ask(get("http://a/events").body(Full::default()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.ends_with(b"data: 4\n\n"));
    let head = get("http://a/").method("HEAD").body(Full::default()).unwrap();
    let response = sender.clone().send_request(head).await.unwrap();
    assert_eq!(response.headers()["content-length"], "1234");
    drop(response);

    let many =
        (0..200).map(|number| tokio::spawn(ask(get(&format!("http://a/{number}")).body(Full::default()).unwrap())));
    for one in many.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().0, StatusCode::OK);
    }
}
