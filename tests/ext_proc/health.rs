//! The health service, as Envoy's health checks and Kubernetes ask it (`grpc.health.v1`).

use super::grpc::Connection;
use super::processor::{Processor, RULES};
use prost::Message;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// `SERVING`
const SERVING: i32 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_is_healthy_while_it_serves() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    for (service, expected) in
        [("", Some(SERVING)), ("envoy.service.ext_proc.v3.ExternalProcessor", Some(SERVING)), ("else", None)]
    {
        let mut call =
            connection.begin("/grpc.health.v1.Health/Check", &HealthCheckRequest { service: service.to_owned() }).await;
        let answer = call.next().await.map(|bytes| HealthCheckResponse::decode(bytes).expect("an answer").status);
        assert_eq!(answer, expected, "{service:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_serves_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("envoy.sock");
    let processor = Processor::with(RULES, |config| {
        config.site.listen.clear();
        config.socket = Some(path.clone());
    });
    let mut connection = Connection::over(tokio::net::UnixStream::connect(&path).await.expect("it listens")).await;
    let request = HealthCheckRequest { service: String::new() };
    assert!(connection.begin("/grpc.health.v1.Health/Check", &request).await.next().await.is_some());
    drop(processor);
    assert!(!path.exists(), "it takes its socket away");
}
