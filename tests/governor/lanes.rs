//! Whose turn it is: real requests on a runtime with one thread, by a clock that stands still.

use bytes::Bytes;
use fusewall::Waf;
use fusewall::governor::{Clock, Governor, GovernorConfig, Tenant};
use fusewall::host::InspectionLimits;
use fusewall::host::exchange::BodyPolicy;
use fusewall::host::tower::{InspectedBody, WafLayer, WafService};
use http::{Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::future::{Future, Ready, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// Always the same moment: nothing comes in again, and fuel has its nominal worth.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn nanos(&self) -> u64 {
        1
    }

    fn thread_cpu_nanos(&self) -> Option<u64> {
        None
    }
}

#[derive(Clone)]
struct Empty;

impl Service<Request<InspectedBody>> for Empty {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<InspectedBody>) -> Self::Future {
        ready(Ok(Response::new(Full::default())))
    }
}

fn site(tenant: &Arc<Tenant>) -> WafService<Empty> {
    let rules: String =
        (1..=20).map(|id| format!("SecRule ARGS \"@rx x+y{id}$\" \"id:{id},phase:1,deny\"\n")).collect();
    let waf = Waf::builder().rules_text("lanes.conf", format!("SecRuleEngine On\n{rules}"));
    let waf = waf.tenant(Arc::clone(tenant)).build().expect("the rules load");
    let limits = InspectionLimits { quantum: 50, ..InspectionLimits::default() };
    WafLayer::with(waf, BodyPolicy::default(), &limits, |_| {}).layer(Empty)
}

/// A request with so many arguments; counts how often it runs.
async fn ask(mut site: WafService<Empty>, arguments: usize, runs: &AtomicUsize) {
    let query: Vec<_> = (0..arguments).map(|number| format!("a{number}={}z", "x".repeat(200))).collect();
    let request = Request::get(format!("/?{}", query.join("&"))).body(Full::<Bytes>::default()).unwrap();
    let mut answer = pin!(site.call(request));
    let answer = poll_fn(|context| {
        runs.fetch_add(1, Ordering::Relaxed);
        answer.as_mut().poll(context)
    });
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[test]
fn one_request_does_not_wait_behind_all_that_another_tenant_has_under_way() {
    let many = 20 * std::thread::available_parallelism().map_or(1, usize::from);
    for over_its_part in [false, true] {
        let governor = Governor::with_clock(&GovernorConfig { share: Some(1.0), ..GovernorConfig::default() }, Still);
        // Two small parts of a large share: both are soon used up, and nothing is shed.
        let _rest = governor.tenant("rest", 1_000_000);
        let (small, large) = (governor.tenant("small", 1), governor.tenant("large", 1));
        let (one, other) = (site(&small), site(&large));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (own, others) = runtime.block_on(async {
            let none = AtomicUsize::new(0);
            ask(other.clone(), 10, &none).await;
            if over_its_part {
                ask(one.clone(), 10, &none).await;
            }
            assert_eq!(small.metrics().balance_nanos < 0, over_its_part);
            assert!(large.metrics().balance_nanos < 0);
            let runs = Arc::new(AtomicUsize::new(0));
            for _ in 0..many {
                let (other, runs) = (other.clone(), Arc::clone(&runs));
                tokio::spawn(async move { ask(other, 80, &runs).await });
            }
            tokio::task::yield_now().await;
            let (before, own) = (runs.load(Ordering::Relaxed), Arc::new(AtomicUsize::new(0)));
            let counted = Arc::clone(&own);
            tokio::spawn(async move { ask(one, 40, &counted).await }).await.unwrap();
            (own.load(Ordering::Relaxed), runs.load(Ordering::Relaxed) - before)
        });
        assert!(own > 10, "the request is evaluated in turns");
        assert!(others <= many + own * many / 5, "{others} runs of {many} others beside {own}");
    }
}
