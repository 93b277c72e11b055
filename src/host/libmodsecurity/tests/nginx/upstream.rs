//! A server behind nginx that does what its path says.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// The server; it lives as long as the test program.
pub struct Upstream {
    pub address: SocketAddr,
    /// The second event of `/events` may come.
    pub go_on: Arc<AtomicBool>,
}

impl Upstream {
    pub fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
        let address = listener.local_addr().expect("an address");
        let go_on = Arc::new(AtomicBool::new(false));
        let shared = go_on.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let go_on = shared.clone();
                std::thread::spawn(move || {
                    // nginx may have gone.
                    let _: io::Result<()> = serve(stream, &go_on);
                });
            }
        });
        Upstream { address, go_on }
    }
}

fn serve(mut stream: TcpStream, go_on: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(LONG))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    match target.split('?').next().unwrap_or_default() {
        "/websocket" => {
            stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")?;
            let mut piece = [0; 1024];
            loop {
                match stream.read(&mut piece)? {
                    0 => return Ok(()),
                    read => stream.write_all(&piece[..read])?,
                }
            }
        }
        "/events" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")?;
            let start = Instant::now();
            while !go_on.load(Ordering::Relaxed) && start.elapsed() < LONG {
                sleep(Duration::from_millis(2));
            }
            stream.write_all(b"data: 2\n\n")
        }
        // No answer at all.
        "/broken" => Ok(()),
        // Less than it says.
        "/short" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nhello"),
        _ => {
            let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next());
            let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            io::copy(&mut Read::by_ref(&mut stream).take(length), &mut io::sink())?;
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{target}", target.len())
        }
    }
}
