//! nginx under the suite of all hosts (`tests/adapters/suite`).

#[expect(dead_code, reason = "shared with the tests of nginx")]
#[path = "../nginx/debian.rs"]
mod debian;
#[expect(dead_code, reason = "shared with the tests of nginx")]
#[path = "../nginx/server.rs"]
mod server;
#[path = "../../../../../tests/adapters/suite/mod.rs"]
mod suite;

use server::Site;
use suite::{Ability, Host, RULES, Upstream, passes};

/// A reverse proxy that waits for as much of a response as the rules look at; streams are not buffered.
const HTTP: &str = "
modsecurity on;
modsecurity_rules_file HERE/main.conf;
map $http_upgrade $to_upstream { default Upgrade; '' ''; }
client_max_body_size 0;
server {
    listen LISTEN;
    postpone_output 320k;
    proxy_buffers 8 64k;
    proxy_buffer_size 64k;
    proxy_busy_buffers_size 448k;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $to_upstream;
    location / { proxy_pass http://UPSTREAM; }
    location /events { proxy_pass http://UPSTREAM; proxy_buffering off; }
    location /large { proxy_pass http://UPSTREAM; proxy_buffering off; }
}
";

/// The module reads a body before the request goes on, and lets the head of a response go before its body is judged, and pieces of it;
/// nginx has no word for closing a connection without an answer.
const LACKS: [Ability; 4] = [Ability::StreamedRequests, Ability::Drop, Ability::HeldResponses, Ability::JudgedPieces];

#[test]
fn nginx_passes() {
    let Some(debian) = debian::find() else {
        eprintln!("left out: Debian's nginx and libnginx-mod-http-modsecurity are not here and cannot be fetched");
        return;
    };
    let upstream = Upstream::start();
    let site = Site::new(debian, &HTTP.replace("UPSTREAM", &upstream.address.to_string()));
    site.write("main.conf", RULES);
    let nginx = site.start();
    passes(&Host { name: "nginx", address: site.address, upstream: &upstream, lacks: &LACKS });
    drop(nginx);
}
