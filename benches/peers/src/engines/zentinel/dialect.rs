//! Rules as zentinel-modsec reads them. ModSecurity's recommended configuration needs two changes: ids without quotes, and
//! rules about variables that it does not know left out. Nothing else is changed.

use std::path::{Path, PathBuf};

/// Variables of the recommended configuration that zentinel-modsec does not know.
const UNKNOWN: [&str; 1] = ["MULTIPART_UNMATCHED_BOUNDARY"];

/// What a translation did.
#[derive(Debug, Default)]
pub struct Translation {
    /// Where the file written for the entry is.
    pub entry: PathBuf,
    /// Rules left out, by the variable that is not known.
    pub left_out: Vec<&'static str>,
    /// The folder of what is included by a pattern: data files are looked for in the working directory.
    pub data: Option<PathBuf>,
}

/// Writes a rule file and the files that it includes by name into `folder`. What is included by a pattern stays where it is.
///
/// # Errors
/// A file that cannot be read or written.
pub fn translate(rules: &Path, folder: &Path) -> std::io::Result<Translation> {
    let mut translation = Translation::default();
    translation.entry = file(&mut translation, rules, folder)?;
    Ok(translation)
}

fn file(translation: &mut Translation, rules: &Path, folder: &Path) -> std::io::Result<PathBuf> {
    let home = std::path::absolute(rules)?.parent().map(Path::to_owned).unwrap_or_default();
    let mut text = String::new();
    for directive in directives(&std::fs::read_to_string(rules)?) {
        if let Some(path) = directive.trim().strip_prefix("Include ") {
            let mut path = home.join(path.trim().trim_matches('"'));
            if path.to_string_lossy().contains(['*', '?', '[']) {
                translation.data = path.parent().map(Path::to_owned);
            } else {
                path = file(translation, &path, folder)?;
            }
            text.push_str(&format!("Include {}\n", path.display()));
        } else if let Some(variable) = UNKNOWN.into_iter().find(|name| about(&directive, name)) {
            translation.left_out.push(variable);
        } else {
            text.push_str(&bare_ids(&directive));
        }
    }
    let written = folder.join(format!("{}.conf", std::fs::read_dir(folder)?.count()));
    std::fs::write(&written, text)?;
    Ok(written)
}

/// The directives of a text with their line ends; lines that a backslash continues belong together.
fn directives(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        open.push_str(line);
        open.push('\n');
        if line.trim_start().starts_with('#') || !line.trim_end().ends_with('\\') {
            all.push(std::mem::take(&mut open));
        }
    }
    all.push(open);
    all
}

/// Whether this is a rule that looks at this variable first.
fn about(directive: &str, variable: &str) -> bool {
    let rule = directive.trim_start().strip_prefix("SecRule ");
    rule.is_some_and(|rule| rule.trim_start().starts_with(variable))
}

/// `id:'1'` as `id:1`.
fn bare_ids(line: &str) -> String {
    let mut parts = line.split("id:'");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (id, rest) = part.split_at(digits);
        match rest.strip_prefix('\'') {
            Some(rest) if digits > 0 => text.extend(["id:", id, rest]),
            _ => text.extend(["id:'", part]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_ids_only() {
        assert_eq!(bare_ids(r#"  "id:'20',phase:1,msg:'id:'""#), r#"  "id:20,phase:1,msg:'id:'""#);
        assert_eq!(bare_ids("SecRuleEngine On"), "SecRuleEngine On");
    }

    #[test]
    fn lines_that_go_on_belong_together() {
        assert_eq!(directives("# a \\\nA \\\n  b\nC"), ["# a \\\n", "A \\\n  b\n", "C\n", ""]);
    }

    #[test]
    fn included_files_are_translated_and_patterns_are_not() {
        let (from, to) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::fs::write(from.path().join("a.conf"), "Include b.conf\nInclude rules/*.conf\n").expect("written");
        let rules = "SecAction \"id:'7',pass\"\nSecRule MULTIPART_UNMATCHED_BOUNDARY \"@eq 1\" \\\n  \"id:8,deny\"\n";
        std::fs::write(from.path().join("b.conf"), rules).expect("written");
        let translation = translate(&from.path().join("a.conf"), to.path()).expect("translated");
        assert_eq!(translation.left_out, UNKNOWN);
        assert_eq!(translation.data, Some(from.path().join("rules")));
        let text = std::fs::read_to_string(translation.entry).expect("a file");
        let included = text.lines().next().and_then(|line| line.strip_prefix("Include ")).expect("an include");
        assert_eq!(std::fs::read_to_string(included).expect("a file"), "SecAction \"id:7,pass\"\n");
        assert_eq!(text.lines().nth(1), Some(&*format!("Include {}/rules/*.conf", from.path().display())));
    }
}
