//! What goes over the pipes. `src/cli/replay/against/process.rs` is the other end.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What to load.
#[derive(Debug, Deserialize)]
pub struct Setup {
    /// The name of the library, or its path.
    pub library: PathBuf,
    /// Rule files, in order.
    pub rules: Vec<PathBuf>,
    /// SecLang behind them.
    pub more: String,
}

/// A request. Method, target, headers and bodies are in Base64.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The client's address.
    pub client: String,
    /// Method.
    pub method: String,
    /// Target.
    pub uri: String,
    /// Such as `1.1`.
    pub version: String,
    /// Names and values.
    pub headers: Vec<[String; 2]>,
    /// Body.
    pub body: String,
    /// What was answered, if that was recorded.
    pub response: Option<Response>,
}

/// A response.
#[derive(Debug, Deserialize)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<[String; 2]>,
    /// Body.
    pub body: String,
}

/// An answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The rules are loaded.
    Ready {
        /// Name and version of the engine.
        engine: String,
    },
    /// What it says of a request.
    Verdict(Verdict),
    /// Why there is no answer.
    Error {
        /// In words.
        error: String,
    },
}

/// What the engine says of a request.
#[derive(Debug, Default, Serialize)]
pub struct Verdict {
    /// Whether it has stopped it.
    pub disruptive: bool,
    /// With which status.
    pub status: u16,
    /// Where a redirect leads.
    pub url: Option<String>,
    /// The rules that were logged, ascending, each once.
    pub rules: Vec<u64>,
}

/// Bytes.
///
/// # Errors
/// A text that is not Base64.
pub fn bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    STANDARD.decode(text).context("a text that is not Base64")
}
