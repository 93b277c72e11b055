//! TOML text to [`Config`], with the reader of the proxy's configuration.

use super::keys::{AGENT, APPLICATION, shared};
use super::{Application, Config};
use crate::host::admin::AdminConfig;
use crate::host::serve::config::ConfigError;
use crate::host::serve::config::parse::Reader;
use toml::de::DeValue;

/// Where applications are.
const APPLICATIONS: &str = "applications";

/// Reads a configuration. `file` is used in the errors only.
///
/// # Errors
/// Everything that is wrong with it: TOML syntax, unknown keys, values that do not fit.
///
/// ```
/// use fusewall::host::spoa::config::parse;
/// let errors = parse("spoa.toml", "[bodies]\ncut = \"maybe\"\n").unwrap_err();
/// assert_eq!(errors[0].to_string(), "spoa.toml:2: `bodies.cut`: expected \"error\" or \"pass\", found \"maybe\"");
/// ```
pub fn parse(file: &str, text: &str) -> Result<Config, Vec<ConfigError>> {
    let own = AGENT.iter().map(|key| key.name).chain([APPLICATIONS]);
    let (mut reader, table) = Reader::new(file, text, own.collect());
    let mut config = Config::default();
    if reader.errors.is_empty() {
        let table = table.get_ref();
        reader.table(&mut config, AGENT, "", "", table, &|reader, config, name, value| match name {
            APPLICATIONS => applications(reader, &mut config.applications, value),
            // What is unknown at the top level the second reading knows, or names.
            _ => !name.contains('.'),
        });
        reader.site(&mut config.shared, &shared(), table);
        if config.shared.admin != AdminConfig::default() {
            reader.error_at(
                table,
                "admin",
                "`admin`: the agent has no admin API; `metrics.listen` is for monitoring".to_owned(),
            );
        }
        if let Some(default) = &config.default_application
            && !config.applications.iter().any(|application| application.name == *default)
        {
            let missing = format!("`default_application`: there is no application {default:?}");
            reader.error_at(table, "default_application", missing);
        }
    }
    if reader.errors.is_empty() { Ok(config) } else { Err(reader.errors) }
}

fn applications(reader: &mut Reader<'_>, all: &mut Vec<Application>, value: &toml::Spanned<DeValue<'_>>) -> bool {
    let Some(array) = value.get_ref().as_array() else {
        reader.error(value.span(), "`applications`: expected tables, each headed `[[applications]]`".to_owned());
        return true;
    };
    for item in array.iter() {
        let mut application = Application::default();
        match item.get_ref() {
            DeValue::Table(table) => {
                reader.table(&mut application, APPLICATION, "", "applications.", table, &|_, _, _, _| false);
            }
            _ => reader.error(item.span(), "`applications`: expected a table".to_owned()),
        }
        let name = &application.name;
        if name.is_empty() {
            reader.error(item.span(), "`applications.name` is missing".to_owned());
        } else if all.iter().any(|other| other.name == *name) {
            reader.error(item.span(), format!("`applications.name`: there is another application {name:?} above"));
        }
        all.push(application);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::exchange::Unread;
    use std::path::Path;
    use std::time::Duration;

    fn errors(text: &str) -> Vec<String> {
        parse("f.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_default_in_the_table_is_the_default() {
        for key in AGENT.iter().filter(|key| !key.default.is_empty()) {
            let text = format!("{} = {}", key.name, key.default);
            assert_eq!(parse("f.toml", &text).as_ref(), Ok(&Config::default()), "{text}");
        }
    }

    #[test]
    fn shared_keys_are_those_of_the_proxy() {
        for row in shared().iter().map(|key| key.row()).filter(|row| !row.default.is_empty()) {
            let text = format!("{} = {}", row.name, row.default);
            assert_eq!(parse("f.toml", &text).as_ref(), Ok(&Config::default()), "{text}");
        }
        let text = "rules = ['a.conf']\nwatch = true\n[inspection]\nover_limit = 'pass'\n[governor]\nshare = 0.5\n";
        let config = parse("f.toml", text).unwrap();
        assert!(config.shared.watch && config.shared.governor.share == Some(0.5));
        assert_eq!(config.shared.inspection.bodies.over_limit, Unread::Pass);
        assert_eq!(config.sites()[0].rules, [Path::new("a.conf")]);
    }

    #[test]
    fn applications_have_what_they_do_not_say_from_above() {
        let text = "default_application = 'a'\nresponses = true\nrules = ['x.conf']\n[timeouts]\nidle = '1m'\n\
                    [[applications]]\nname = 'a'\n[[applications]]\nname = 'b'\nrules = []\nresponses = false\ncut = 'pass'\n";
        let config = parse("f.toml", text).unwrap();
        let sites = config.sites();
        assert_eq!((sites[0].responses, sites[0].rules.len(), sites[0].bodies.cut), (true, 1, Unread::Refuse));
        assert_eq!((sites[1].responses, sites[1].rules.len(), sites[1].bodies.cut), (false, 0, Unread::Pass));
        assert_eq!(config.timeouts.idle, Duration::from_secs(60));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, expected) in [
            ("liste = []\n", "f.toml:1: unknown key `liste`; did you mean `listen`?"),
            ("[upstream]\nurl = 'http://a'\n", "f.toml:1: unknown key `upstream`"),
            ("history = 'a'\n", "f.toml:1: unknown key `history`"),
            (
                "[admin]\nsocket = 'a'\n",
                "f.toml:1: `admin`: the agent has no admin API; `metrics.listen` is for monitoring",
            ),
            (
                "[inspection]\nquantun = 1\n",
                "f.toml:2: unknown key `inspection.quantun`; did you mean `inspection.quantum`?",
            ),
            ("inspection = 1\n", "f.toml:1: `inspection`: expected a table, found a value of type integer"),
            ("rules = 1\n", "f.toml:1: `rules`: expected a list, found 1"),
            (
                "[variables]\nid = 'a-b'\n",
                "f.toml:2: `variables.id`: expected at most 30 letters, digits, `.` or `_`, found \"a-b\"",
            ),
            (
                "[limits]\nmessage_bytes = 255\n",
                "f.toml:2: `limits.message_bytes`: expected an integer from 256 to 4294967295, found 255",
            ),
            ("default_application = 'a'\n", "f.toml:1: `default_application`: there is no application \"a\""),
            ("[[applications]]\n", "f.toml:1: `applications.name` is missing"),
            (
                "[[applications]]\nname = 'a'\n[[applications]]\nname = 'a'\n",
                "f.toml:3: `applications.name`: there is another application \"a\" above",
            ),
        ] {
            assert_eq!(errors(text), [expected], "{text}");
        }
    }
}
