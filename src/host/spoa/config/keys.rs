//! The keys of the agent itself, and the names of those that it shares with the proxy.

use super::{Application, Config};
use crate::host::exchange::Unread;
use crate::host::serve;
use crate::host::serve::config::keys::{self, Key, key};
use crate::host::serve::config::values::{
    BYTES, COUNT, DURATION, STRING, address, addresses, boolean, duration, found, list, path, positive, string,
};
use toml::de::DeValue;

const NAME: &str = "name: letters, digits, `.` and `_`";
const CUT: &str = "`\"error\"` or `\"pass\"`";
const RULES: &str = "list of paths";

/// Keys of the proxy that mean the same here. A history belongs to one ruleset, and applications have one each.
pub(super) fn shared() -> Vec<Key<serve::Config>> {
    keys::shared().into_iter().filter(|key| !["history", "min_serial"].contains(&key.name)).collect()
}

/// Keys of the file itself.
pub(super) const AGENT: &[Key<Config>] = &[
    key!(
        "listen",
        "list of `address:port`",
        r#"["127.0.0.1:9000"]"#,
        "Where HAProxy finds the agent, at least one. Port 0 takes a free port. Whoever can connect can ask for verdicts: keep it on loopback or in a network of your own.",
        |config, value| config.listen = addresses(value)?
    ),
    key!(
        "default_application",
        STRING,
        "",
        "The application for messages that name none of `[[applications]]`; without it they are errors. Without `[[applications]]` there is one for all names.",
        |config, value| config.default_application = Some(string(value)?)
    ),
    key!(
        "responses",
        "boolean",
        "false",
        "HAProxy sends response messages as well: requests that have passed wait for theirs, up to `timeouts.transaction`, and phases 3 to 5 run then. If false, phase 5 runs at the end of the request.",
        |config, value| config.responses = boolean(value)?
    ),
    key!(
        "bodies.cut",
        CUT,
        r#""error""#,
        "A request body that is shorter than its `Content-Length` says, because HAProxy's buffer (`tune.bufsize`) took no more: a body error, which rules see as `REQBODY_ERROR`; or inspect what came and let it pass (noted in the log).",
        |config, value| config.bodies.cut = cut(value)?
    ),
    key!(
        "bodies.unmeasured",
        CUT,
        r#""pass""#,
        "A request body without a length (chunked), which may have come whole or not: inspect what came, or a body error. One that may have filled HAProxy's buffer is always treated as cut.",
        |config, value| config.bodies.unmeasured = cut(value)?
    ),
    key!(
        "messages.request",
        STRING,
        r#""coraza-req""#,
        "The name of the `spoe-message` for requests.",
        |config, value| config.messages.request = message(value)?
    ),
    key!(
        "messages.response",
        STRING,
        r#""coraza-res""#,
        "The name of the `spoe-message` for responses.",
        |config, value| config.messages.response = message(value)?
    ),
    key!(
        "variables.id",
        NAME,
        r#""id""#,
        "The id of the transaction, which log lines and audit records carry. HAProxy puts `txn.` and its prefix before this name, and the following ones.",
        |config, value| config.variables.id = variable(value)?
    ),
    key!(
        "variables.action",
        NAME,
        r#""action""#,
        "`deny`, `redirect` or `drop`, if the request or response is refused.",
        |config, value| config.variables.action = variable(value)?
    ),
    key!("variables.status", NAME, r#""status""#, "The status to refuse with.", |config, value| config
        .variables
        .status =
        variable(value)?),
    key!("variables.data", NAME, r#""data""#, "Where a redirect leads to.", |config, value| config.variables.data =
        variable(value)?),
    key!(
        "variables.rule",
        NAME,
        r#""ruleid""#,
        "The id of the rule that refuses; 0 if it is a limit or a budget.",
        |config, value| config.variables.rule = variable(value)?
    ),
    key!("variables.fail", NAME, r#""fail""#, "1 if refused, else 0.", |config, value| config.variables.fail =
        variable(value)?),
    key!(
        "variables.error",
        NAME,
        r#""error""#,
        "355 if a message cannot be judged. The name is that of `option set-on-error`, so that HAProxy does the same as for an agent that does not answer.",
        |config, value| config.variables.error = variable(value)?
    ),
    key!(
        "limits.connections",
        COUNT,
        "1000",
        "Open connections of HAProxy; more wait in the kernel's queue. Never more than half of what the limit of open files leaves.",
        |config, value| config.limits.connections = positive(value)?
    ),
    key!(
        "limits.pipelined",
        COUNT,
        "100",
        "Messages of one connection that are inspected at one time; more are not read yet.",
        |config, value| config.limits.pipelined = positive(value)?
    ),
    key!(
        "limits.message_bytes",
        BYTES,
        "16777216",
        "The longest message, in one frame or in several, from 256 on; longer ones end the connection.",
        |config, value| config.limits.message_bytes = size(value)?
    ),
    key!(
        "limits.transactions",
        COUNT,
        "10000",
        "Requests of one application that wait for their responses at one time; the responses of more are not inspected, and an error to HAProxy.",
        |config, value| config.limits.transactions = positive(value)?
    ),
    key!(
        "timeouts.hello",
        DURATION,
        r#""5s""#,
        "From the connection to its first frame; then it is closed.",
        |config, value| config.timeouts.hello = duration(value)?
    ),
    key!(
        "timeouts.frame",
        DURATION,
        r#""10s""#,
        "From the first bytes of a frame to its last, and for HAProxy to take an answer; then the connection is closed.",
        |config, value| config.timeouts.frame = duration(value)?
    ),
    key!(
        "timeouts.idle",
        DURATION,
        r#""10m""#,
        "For the next frame; then the connection is closed. Keep it above HAProxy's `timeout idle`.",
        |config, value| config.timeouts.idle = duration(value)?
    ),
    key!(
        "timeouts.transaction",
        DURATION,
        r#""60s""#,
        "For the response of a request; then phase 5 runs without it (noted in the log).",
        |config, value| config.timeouts.transaction = duration(value)?
    ),
    key!(
        "timeouts.shutdown",
        DURATION,
        r#""10s""#,
        "For running inspections to end after SIGTERM or SIGINT; then they are cut.",
        |config, value| config.timeouts.shutdown = duration(value)?
    ),
    key!(
        "metrics.listen",
        "`address:port`",
        "",
        "Where `/metrics`, `/healthz` and `/readyz` are, over plain HTTP: an address for monitoring alone. Without it there are none.",
        |config, value| config.metrics = Some(address(value)?)
    ),
];

/// Keys of one `[[applications]]`.
pub(super) const APPLICATION: &[Key<Application>] = &[
    key!("name", STRING, "", "Required. What the argument `app` of a message says.", |application, value| {
        application.name = message(value)?
    }),
    key!("rules", RULES, "", "`rules` of this application.", |application, value| application.rules =
        Some(list(value, path)?)),
    key!("responses", "boolean", "", "`responses` of this application.", |application, value| application.responses =
        Some(boolean(value)?)),
    key!("cut", CUT, "", "`bodies.cut` of this application.", |application, value| application.cut = Some(cut(value)?)),
    key!("unmeasured", CUT, "", "`bodies.unmeasured` of this application.", |application, value| {
        application.unmeasured = Some(cut(value)?)
    }),
];

fn cut(value: &DeValue<'_>) -> Result<Unread, String> {
    match value.as_str() {
        Some("error") => Ok(Unread::Refuse),
        Some("pass") => Ok(Unread::Pass),
        _ => Err(format!("expected \"error\" or \"pass\", found {}", found(value))),
    }
}

fn message(value: &DeValue<'_>) -> Result<String, String> {
    let name = string(value)?;
    match name.is_empty() || name.len() > 100 || name.contains(char::is_control) {
        true => Err(format!("expected a name of at most 100 bytes, found {name:?}")),
        false => Ok(name),
    }
}

/// As HAProxy takes them (`option set-on-error`).
fn variable(value: &DeValue<'_>) -> Result<String, String> {
    let name = string(value)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_');
    match plain && !name.is_empty() && name.len() <= 30 {
        true => Ok(name),
        false => Err(format!("expected at most 30 letters, digits, `.` or `_`, found {name:?}")),
    }
}

fn size(value: &DeValue<'_>) -> Result<u32, String> {
    let size = positive(value).ok().and_then(|size| u32::try_from(size).ok()).filter(|&size| size >= 256);
    size.ok_or_else(|| format!("expected an integer from 256 to 4294967295, found {}", found(value)))
}
