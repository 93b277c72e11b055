//! Embedding the engine: load rules, inspect exchanges, read verdicts.
//!
//! ```console
//! $ cargo run --example embed
//! ```

use fusewall::{Phase, Step, Waf};

const RULES: &str = r#"
    SecRuleEngine On
    SecRequestBodyAccess On
    SecRule ARGS "@detectSQLi" "id:100,phase:2,deny,status:403,capture,msg:'SQL injection',logdata:'%{TX.0} in %{MATCHED_VAR_NAME}'"
"#;

fn main() {
    let waf = match Waf::builder().rules_text("embed.conf", RULES).build() {
        Ok(waf) => waf,
        Err(report) => {
            eprintln!("{report}");
            std::process::exit(1);
        }
    };

    for body in ["name=O'Reilly", "name=1' or '1'='1"] {
        let mut exchange = waf.transaction();
        exchange.process_connection([203, 0, 113, 7].into(), 40000, [192, 0, 2, 1].into(), 80);
        exchange.process_request_line(b"POST", b"/users", b"HTTP/1.1");
        exchange.add_request_header(b"Host", b"www.example");
        exchange.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        let mut answer = exchange.process_request_headers();

        // The body may come in pieces of any size.
        for piece in body.as_bytes().chunks(5) {
            answer = answer.or_else(|| exchange.write_request_body(piece));
        }

        // An event loop runs a phase in steps and does other work between them.
        if answer.is_none() {
            exchange.start(Phase::RequestBody);
            answer = loop {
                match exchange.step(10_000) {
                    Step::Pending => {}
                    Step::Done(interruption) => break interruption,
                }
            };
        }
        exchange.process_logging();

        match answer {
            None => println!("{body:?}: passes"),
            Some(interruption) => println!("{body:?}: refused with {}", interruption.status),
        }
        for record in exchange.records() {
            println!("  {}", record.error_log_line());
        }
        if let Some(verdict) = exchange.verdict() {
            println!("  {} fuel", verdict.fuel);
        }
    }
}
