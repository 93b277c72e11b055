//! The regular expressions of expectations: PCRE, with DOTALL and MULTILINE, found anywhere in a text.

use fusewall::Limits;
use fusewall::lang::pcre;

/// Whether the pattern finds something in the text. `Err`: a pattern that is none.
pub fn finds(pattern: &str, text: &[u8]) -> Result<bool, String> {
    let limits = Limits::default();
    let parsed = pcre::parse(format!("(?m){pattern}").as_bytes(), false, &limits).map_err(|error| error.to_string())?;
    let finder = pcre::Finder::new(&parsed, &limits).map_err(|error| error.to_string())?;
    Ok(finder.finds(text))
}

/// What a pattern says when its escapes are taken away: enough to see which words it is made of.
pub fn words(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        out.push(if char == '\\' { chars.next().unwrap_or('\\') } else { char });
    }
    out
}
