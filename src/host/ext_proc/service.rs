//! The gRPC services by their paths: the processor, and the health of the process.

use super::Site;
use super::messages::{ProcessingRequest, ProcessingResponse};
use super::stream::{self, Answering};
use http::{Request, Response};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Status, Streaming};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_prost::ProstCodec;
use tower::Service;

/// The name of the service, as health checks ask for it.
pub(super) const NAME: &str = "envoy.service.ext_proc.v3.ExternalProcessor";
const PROCESS: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
const HEALTH: &str = "/grpc.health.v1.Health/";

/// What every connection has.
#[derive(Clone)]
pub(super) struct Services {
    pub(super) site: Arc<Site>,
    health: HealthServer<HealthService>,
    reporter: HealthReporter,
}

impl Services {
    pub(super) async fn new(site: Arc<Site>) -> Services {
        let reporter = HealthReporter::new();
        let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
        let services = Services { site, health, reporter };
        services.report(ServingStatus::Serving).await;
        services
    }

    /// The process is about to end: who asks for its health goes elsewhere.
    pub(super) async fn ending(&self) {
        self.report(ServingStatus::NotServing).await;
    }

    async fn report(&self, status: ServingStatus) {
        for name in ["", NAME] {
            self.reporter.set_service_status(name, status).await;
        }
    }

    /// Answers one call.
    pub(super) async fn call(mut self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path();
        if path == PROCESS {
            let limit = self.site.config.message_bytes;
            let codec = ProstCodec::<ProcessingResponse, ProcessingRequest>::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(limit);
            return Ok(grpc.streaming(Process(self.site), request).await);
        }
        if path.starts_with(HEALTH) {
            return self.health.call(request).await;
        }
        Ok(Status::unimplemented("There is no such service here.").into_http())
    }
}

/// `Process`
struct Process(Arc<Site>);

impl Service<tonic::Request<Streaming<ProcessingRequest>>> for Process {
    type Response = tonic::Response<Answering>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Streaming<ProcessingRequest>>) -> Self::Future {
        let answering = stream::serve(Arc::clone(&self.0), request.into_inner());
        ready(Ok(tonic::Response::new(answering)))
    }
}
