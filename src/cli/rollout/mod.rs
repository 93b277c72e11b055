//! `fusewall rollout`: what an operator does to a running `fusewall serve`, over its admin socket.

mod client;
mod print;

use super::say;
use crate::store::is_bundle;
use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Reply, Request, ask, segment};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `rollout`.
#[derive(Debug, clap::Args)]
pub struct RolloutArgs {
    /// The admin socket of the running process: `admin.socket` in its configuration
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// What is in service, what can be rolled back to, what waits, what is switched off
    Status,
    /// Load a ruleset and try it, without putting it into service: a bundle with its .minisig file beside it, or SecLang
    Stage {
        /// The bundle, or a file of rules that names no others
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// The same with what the configured files hold now
    Reload,
    /// Put something staged into service
    Promote {
        /// As `stage` and `status` show it
        id: String,
        /// The generation that it replaces, and no other; that in service now if not given
        #[arg(long, value_name = "GENERATION")]
        expected: Option<u64>,
    },
    /// Let something staged come into service step by step, as far as the gates let it (docs/rollout.md)
    Begin {
        /// As `stage` and `status` show it
        id: String,
        /// The generation that it is to replace, and no other; that in service now if not given
        #[arg(long, value_name = "GENERATION")]
        expected: Option<u64>,
        /// Plan, gates and `waive_loosening`, JSON
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Send the rollout on to its next stage, although a gate is open
    Approve,
    /// End the rollout
    Abort,
    /// Keep a generation in service until it is released; a candidate is promoted at once, past all gates
    Hold {
        /// In service, or on its way
        generation: u64,
        /// For whoever wonders why nothing changes
        why: String,
    },
    /// Let others into service again
    Release {
        /// What is held
        generation: u64,
    },
    /// Drop something staged
    Discard {
        /// As `stage` and `status` show it
        id: String,
    },
    /// Put the generation before into service again
    Rollback {
        /// The generation to go back from, and no other; that in service now if not given
        #[arg(long, value_name = "GENERATION")]
        expected: Option<u64>,
    },
    /// Turn a rule off or on, at once and in rulesets to come
    Rule {
        /// Its id
        id: u64,
        /// `off` or `on`
        turn: Turn,
    },
    /// Turn the rules with a tag off or on
    Tag {
        /// The tag, without case
        tag: String,
        /// `off` or `on`
        turn: Turn,
    },
    /// Turn all rules off or on
    Rules {
        /// `off` or `on`
        turn: Turn,
    },
    /// What each rule costs, the dearest first
    Cost,
    /// The strongest mode in which the engine runs: show it, or weaken it for a while
    Mode {
        /// `on` leaves it to the rules again
        mode: Option<Mode>,
        /// How long a weaker mode holds, such as 90s, 15m, 2h; 15m if not given
        #[arg(long = "for", value_name = "TIME", requires = "mode", value_parser = seconds)]
        time: Option<u64>,
    },
    /// What monitoring reads, in the text format of Prometheus
    Metrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Turn {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Mode {
    On,
    DetectionOnly,
    Off,
}

/// Seconds of a time such as `15m`.
fn seconds(text: &str) -> Result<u64, &'static str> {
    let wrong = "expected a time such as 90s, 15m or 2h";
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let (number, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(*name)?, unit))).ok_or(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong)?;
    number.checked_mul(*unit).ok_or(wrong)
}

/// Runs the command. What the API refuses is exit status 1, with its reasons.
///
/// # Errors
/// A socket that nobody listens on, a file that cannot be read.
pub fn run(args: &RolloutArgs) -> anyhow::Result<ExitCode> {
    let api = Api { socket: &args.socket };
    let turned = |path: String, turn: &Turn| api.put(path, &json!({ "enabled": *turn == Turn::On }));
    let reply = match &args.what {
        What::Status => api.get("/v1/rulesets"),
        What::Stage { file } => api.stage(file),
        What::Reload => api.post("/v1/rulesets/reload".to_owned(), None),
        What::Promote { id, expected } => {
            api.over(*expected, format!("/v1/rulesets/{}/promote", segment(id)), Map::new())
        }
        What::Begin { id, expected, config } => {
            let mut body = config.as_deref().map(begin).transpose()?.unwrap_or_default();
            body.insert("id".to_owned(), json!(id));
            api.over(*expected, "/v1/rollout".to_owned(), body)
        }
        What::Approve => api.post("/v1/rollout/approve".to_owned(), None),
        What::Abort => api.post("/v1/rollout/abort".to_owned(), None),
        What::Hold { generation, why } => {
            api.post("/v1/rollout/hold".to_owned(), Some(&json!({ "generation": generation, "why": why })))
        }
        What::Release { generation } => api.send(
            "DELETE",
            "/v1/rollout/hold".to_owned(),
            json!({ "generation": generation }).to_string().as_bytes(),
        ),
        What::Discard { id } => api.send("DELETE", format!("/v1/rulesets/{}", segment(id)), b""),
        What::Rollback { expected } => api.over(*expected, "/v1/rulesets/rollback".to_owned(), Map::new()),
        What::Rule { id, turn } => turned(format!("/v1/rules/{id}"), turn),
        What::Tag { tag, turn } => turned(format!("/v1/tags/{}", segment(tag)), turn),
        What::Rules { turn } => turned("/v1/ruleset".to_owned(), turn),
        What::Cost => api.get("/v1/rules/cost"),
        What::Mode { mode: None, .. } => api.get("/v1/mode"),
        What::Mode { mode: Some(mode), time } => {
            let mode = match mode {
                Mode::On => "on",
                Mode::DetectionOnly => "detection_only",
                Mode::Off => "off",
            };
            let body = match time {
                None => json!({ "mode": mode }),
                Some(time) => json!({ "mode": mode, "for_seconds": time }),
            };
            api.put("/v1/mode".to_owned(), &body)
        }
        What::Metrics => api.get("/metrics"),
    }?;
    if reply.status >= 400 {
        return refused(args, &reply);
    }
    if args.json || matches!(args.what, What::Metrics) {
        let mut out = std::io::stdout();
        out.write_all(&reply.body)?;
        if !reply.body.ends_with(b"\n") {
            out.write_all(b"\n")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let answer = reply.json()?;
    match &args.what {
        What::Status => {
            print::status(&answer, &api.get("/v1/switches")?.json()?)?;
            print::rollout(&api.get("/v1/rollout")?.json()?)?;
            print::mode(&api.get("/v1/mode")?.json()?)
        }
        What::Begin { .. } => say(format_args!("on its way as generation {}", answer["contest"]["candidate"])),
        What::Approve | What::Abort => print::decision(&answer["decision"]),
        What::Hold { .. } | What::Release { .. } => print::rollout(&answer),
        What::Stage { .. } | What::Reload => print::staged(&answer),
        What::Promote { .. } | What::Rollback { .. } => say(print::generation(&answer)),
        What::Discard { id } => say(format_args!("dropped {id}")),
        What::Rule { .. } | What::Tag { .. } | What::Rules { .. } => print::turned(&answer),
        What::Cost => print::costs(&answer),
        What::Mode { .. } => print::mode(&answer),
        What::Metrics => Ok(()),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// What a rollout is to be like.
fn begin(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{}: expected an object of JSON", file.display()))
}

/// What the API has refused, and why.
fn refused(args: &RolloutArgs, reply: &Reply) -> anyhow::Result<ExitCode> {
    let problem = reply.json()?;
    if args.json {
        say(&problem)?;
    } else {
        print::problem(&problem);
    }
    Ok(ExitCode::FAILURE)
}

struct Api<'a> {
    socket: &'a Path,
}

impl Api<'_> {
    fn send(&self, method: &'static str, target: String, body: &[u8]) -> anyhow::Result<Reply> {
        ask(self.socket, &Request { method, target, body, ..Request::default() })
    }

    fn get(&self, target: &str) -> anyhow::Result<Reply> {
        self.send("GET", target.to_owned(), b"")
    }

    fn put(&self, target: String, body: &Value) -> anyhow::Result<Reply> {
        self.send("PUT", target, body.to_string().as_bytes())
    }

    fn post(&self, target: String, body: Option<&Value>) -> anyhow::Result<Reply> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send("POST", target, body.as_bytes())
    }

    /// Asks for a change of the generation that is in service now, if nobody has said which.
    fn over(&self, expected: Option<u64>, target: String, mut body: Map<String, Value>) -> anyhow::Result<Reply> {
        let expected = match expected {
            Some(expected) => expected,
            None => {
                let reply = self.get("/readyz")?;
                match reply.json()?.get("generation").and_then(Value::as_u64) {
                    Some(generation) => generation,
                    None => return Ok(reply),
                }
            }
        };
        body.insert("expected".to_owned(), json!(expected));
        self.post(target, Some(&Value::Object(body)))
    }

    fn stage(&self, file: &Path) -> anyhow::Result<Reply> {
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
        let body = read(file)?;
        let mut fields = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
        if is_bundle(&body) {
            let mut beside = file.as_os_str().to_owned();
            beside.push(".minisig");
            let signature = read(Path::new(&beside)).context("a bundle is taken with its signature beside it")?;
            fields = vec![
                ("Content-Type", "application/octet-stream".to_owned()),
                ("Fusewall-Signature", STANDARD.encode(signature)),
            ];
        }
        ask(self.socket, &Request { method: "POST", target: "/v1/rulesets".to_owned(), fields, body: &body })
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!((seconds("90s"), seconds("15m"), seconds("2h")), (Ok(90), Ok(900), Ok(7200)));
        for wrong in ["", "m", "15", "15d", "-1m", "1.5h", "99999999999999999999s", "9999999999999999999h", "1é"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
