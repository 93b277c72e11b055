//! The hosts of this package before the suite that every host must pass: `fusewall serve` and the tower layer.

mod serve;
mod suite;
mod tower;

use fusewall::Waf;
use std::net::SocketAddr;

/// The rules of the suite.
fn waf() -> Waf {
    let rules = Waf::builder().rules_text("suite.conf", suite::RULES);
    rules.build().unwrap_or_else(|report| panic!("{}", report.render(false)))
}

/// Runs a server for as long as the process lives; answers the address that it sends.
fn in_background<S>(server: impl FnOnce(std::sync::mpsc::Sender<SocketAddr>) -> S + Send + 'static) -> SocketAddr
where
    S: Future<Output = ()>,
{
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(server(sender));
    });
    address.recv().expect("the server listens")
}
