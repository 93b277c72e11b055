//! An agent that runs as long as the process does, and a peer that says what it is told to say.

use super::law::MESSAGE_BYTES;
use super::wire::Frame;
use fusewall::Waf;
use fusewall::engine::FixedEnv;
use fusewall::host::serve::ErrorLog;
use fusewall::host::spoa::config::Application;
use fusewall::host::spoa::{Agent, Config};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

/// The application whose requests end at once.
pub const SITE: &str = "site";
/// The one whose requests wait for their responses.
pub const WAITS: &str = "waits";

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule ARGS:q "@contains attack" "id:10,phase:2,deny,status:406"
SecRule ARGS:away "@rx ." "id:11,phase:1,redirect:https://www.example/%{MATCHED_VAR}"
SecRule ARGS:gone "@rx ." "id:12,phase:1,drop"
SecRule RESPONSE_HEADERS:X-Leak "@rx ." "id:13,phase:3,deny,status:502"
"#;

/// Nobody waits so long for anything unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

static ADDRESS: LazyLock<SocketAddr> = LazyLock::new(|| {
    let (started, start) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let application = |name: &str| Application { name: name.to_owned(), ..Application::default() };
            let waits = Application { responses: Some(true), ..application(WAITS) };
            let mut config = Config {
                listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
                applications: vec![application(SITE), waits],
                ..Config::default()
            };
            config.limits.message_bytes = MESSAGE_BYTES;
            config.timeouts.transaction = Duration::from_secs(1);
            let waf = || {
                let builder = Waf::builder().rules_text("rules.conf", RULES).env(FixedEnv::default());
                builder.build().expect("the rules load")
            };
            let agent = Agent::bind(config, vec![waf(), waf()], ErrorLog::to(|_| {})).await.expect("an agent");
            started.send(agent.addresses()[0]).expect("somebody waits");
            agent.run(std::future::pending()).await;
        });
    });
    start.recv().expect("the agent starts")
});

/// What came back.
#[derive(Debug)]
pub struct Heard {
    pub frames: Vec<Frame>,
    /// How long each was.
    pub lengths: Vec<usize>,
}

/// Makes the agent start if it has not: what it takes then is nobody's.
pub fn start() {
    LazyLock::force(&ADDRESS);
}

/// Sends pieces to the agent, and hears it out.
pub fn converse<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Heard {
    let mut stream = TcpStream::connect(*ADDRESS).expect("the agent listens");
    stream.set_nodelay(true).expect("an open socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
    for piece in pieces {
        // An agent that has ended the conversation takes no more.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut heard = Heard { frames: Vec::new(), lengths: Vec::new() };
    loop {
        let mut length = [0; 4];
        match stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the agent does not end"),
            Err(_) => return heard,
        }
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut bytes).expect("a frame that has begun is sent to its end");
        heard.lengths.push(bytes.len());
        heard.frames.push(Frame::read(&bytes).expect("an agent sends frames that can be read"));
    }
}
