//! What the values of keys may be: how each kind is told to people, and how it is read.

use super::plain;
use crate::engine::audit::WrittenForm;
use crate::engine::{Policy, RulePolicy};
use crate::host::exchange::Unread;
use crate::meter::FUEL_PER_MICROSECOND;
use crate::net::IpSet;
use http::{HeaderName, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

pub(in crate::host) const STRING: &str = "string";
pub(in crate::host) const PATH: &str = "path";
pub(in crate::host) const DURATION: &str = "duration, such as `\"500ms\"`, `\"10s\"`, `\"2m\"`";
pub(in crate::host) const COUNT: &str = "integer";
pub(in crate::host) const BYTES: &str = "integer, bytes";
pub(in crate::host) const UNREAD: &str = "`\"refuse\"` or `\"pass\"`";
pub(in crate::host) const AUDIT_FORMAT: &str = "`\"json\"`, `\"native\"` or `\"ocsf\"`";
pub(in crate::host) const EXHAUSTED: &str = "`\"block\"` or `\"allow\"`";
pub(in crate::host) const RULE_EXHAUSTED: &str = "`\"match\"`, `\"block\"`, `\"skip\"` or `\"score:N\"`";
pub(in crate::host) const FUEL: &str =
    "integer, fuel; or a time that stands for it at the nominal rate, such as `\"2ms\"` (1,000,000)";

pub(in crate::host) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        other => format!("a value of type {}", other.type_str()),
    }
}

pub(in crate::host) fn string(value: &DeValue<'_>) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("expected a string, found {}", found(value)))
}

pub(in crate::host) fn path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    string(value).map(PathBuf::from)
}

pub(in crate::host) fn name(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    match text.is_empty() || text.contains(['=', '\0']) {
        true => Err(format!("expected the name of an environment variable, found {text:?}")),
        false => Ok(text),
    }
}

pub(in crate::host) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("expected true or false, found {}", found(value)))
}

pub(in crate::host) fn number(value: &DeValue<'_>) -> Result<usize, String> {
    let number = value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
    number
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| format!("expected an integer from 0 on, found {}", found(value)))
}

pub(in crate::host) fn threads(value: &DeValue<'_>) -> Result<usize, String> {
    let threads = number(value).ok().filter(|&threads| threads <= 1024);
    threads.ok_or_else(|| format!("expected an integer from 0 to 1024, found {}", found(value)))
}

pub(in crate::host) fn part(value: &DeValue<'_>) -> Result<f64, String> {
    let number = match value {
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        DeValue::Integer(_) => number(value).ok().map(|number| number as f64),
        _ => None,
    };
    let part = number.filter(|&part| part > 0.0 && part <= 1.0);
    part.ok_or_else(|| match value {
        DeValue::Float(number) => format!("expected a number above 0, at most 1, found {}", number.as_str()),
        value => format!("expected a number above 0, at most 1, found {}", found(value)),
    })
}

pub(in crate::host) fn burst(value: &DeValue<'_>) -> Result<u64, String> {
    let millis = number(value).ok().filter(|millis| (1..=60_000).contains(millis));
    millis
        .map(|millis| millis as u64)
        .ok_or_else(|| format!("expected an integer from 1 to 60000, found {}", found(value)))
}

pub(in crate::host) fn positive(value: &DeValue<'_>) -> Result<usize, String> {
    match number(value) {
        Ok(0) | Err(_) => Err(format!("expected an integer from 1 on, found {}", found(value))),
        ok => ok,
    }
}

pub(in crate::host) fn small(value: &DeValue<'_>) -> Result<u32, String> {
    u32::try_from(positive(value)?).map_err(|_| format!("expected an integer below 2^32, found {}", found(value)))
}

pub(in crate::host) fn list<T>(
    value: &DeValue<'_>,
    item: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let array = value.as_array().ok_or_else(|| format!("expected a list, found {}", found(value)))?;
    array.iter().map(|value| item(value.get_ref())).collect()
}

pub(in crate::host) fn addresses(value: &DeValue<'_>) -> Result<Vec<SocketAddr>, String> {
    list(value, address).and_then(|addresses| match addresses.is_empty() {
        true => Err("expected at least one address:port".to_owned()),
        false => Ok(addresses),
    })
}

pub(in crate::host) fn address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let text = string(value)?;
    text.parse().map_err(|_| format!("expected address:port, such as 127.0.0.1:8080 or [::1]:8080, found {text:?}"))
}

pub(in crate::host) fn networks(value: &DeValue<'_>) -> Result<IpSet, String> {
    let ranges = list(value, |value| {
        let text = string(value)?;
        let network = text.parse::<ipnet::IpNet>().or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from));
        match network {
            Ok(ipnet::IpNet::V4(net)) => Ok((IpAddr::from(net.network()), IpAddr::from(net.broadcast()))),
            Ok(ipnet::IpNet::V6(net)) => Ok((IpAddr::from(net.network()), IpAddr::from(net.broadcast()))),
            Err(_) => Err(format!("expected an address or a network, such as 10.0.0.0/8, found {text:?}")),
        }
    })?;
    Ok(IpSet::from_ranges(ranges))
}

pub(in crate::host) fn duration(value: &DeValue<'_>) -> Result<Duration, String> {
    let wrong =
        || format!("expected a duration above zero, such as \"500ms\", \"10s\" or \"2m\", found {}", found(value));
    let text = value.as_str().ok_or_else(wrong)?;
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok().filter(|&number| number > 0).ok_or_else(wrong)?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    // A year is more than any timer needs and far from the runtime's own limits.
    millis.filter(|&millis| millis <= 365 * 86_400_000).map(Duration::from_millis).ok_or_else(wrong)
}

pub(in crate::host) fn unread(value: &DeValue<'_>) -> Result<Unread, String> {
    match value.as_str() {
        Some("refuse") => Ok(Unread::Refuse),
        Some("pass") => Ok(Unread::Pass),
        _ => Err(format!("expected \"refuse\" or \"pass\", found {}", found(value))),
    }
}

pub(in crate::host) fn audit_form(value: &DeValue<'_>) -> Result<WrittenForm, String> {
    match value.as_str() {
        Some("json") => Ok(WrittenForm::Json),
        Some("native") => Ok(WrittenForm::Native),
        Some("ocsf") => Ok(WrittenForm::Ocsf),
        _ => Err(format!("expected \"json\", \"native\" or \"ocsf\", found {}", found(value))),
    }
}

/// A value that only builds with the feature `otlp` know what to do with.
pub(in crate::host) fn otlp<T>(value: T) -> Result<T, String> {
    if cfg!(feature = "otlp") {
        Ok(value)
    } else {
        Err("this build has no OTLP: build with the feature `otlp`, or leave the key out".to_owned())
    }
}

/// `Name: value`, as in a request.
pub(in crate::host) fn header(value: &DeValue<'_>) -> Result<(HeaderName, HeaderValue), String> {
    let text = string(value)?;
    let parsed = text.split_once(':').and_then(|(name, value)| {
        let (name, mut value) = (name.parse().ok()?, HeaderValue::from_str(value.trim()).ok()?);
        value.set_sensitive(true);
        Some((name, value))
    });
    // It may be a secret: it is not repeated.
    parsed.ok_or_else(|| "expected a header field, such as \"Authorization: Bearer ...\"".to_owned())
}

pub(in crate::host) fn exhausted(value: &DeValue<'_>) -> Result<Policy, String> {
    match value.as_str() {
        Some("block") => Ok(Policy::Block),
        Some("allow") => Ok(Policy::Allow),
        _ => Err(format!("expected \"block\" or \"allow\", found {}", found(value))),
    }
}

pub(in crate::host) fn rule_exhausted(value: &DeValue<'_>) -> Result<RulePolicy, String> {
    let score = |text: &str| text.strip_prefix("score:")?.parse().ok().filter(|points| *points > 0);
    let policy = match value.as_str() {
        Some("match") => Some(RulePolicy::Match),
        Some("block") => Some(RulePolicy::Block),
        Some("skip") => Some(RulePolicy::Skip),
        text => text.and_then(score).map(RulePolicy::Score),
    };
    policy.ok_or_else(|| {
        let wanted = "\"match\", \"block\", \"skip\" or \"score:\" and a number from 1 on";
        format!("expected {wanted}, found {}", found(value))
    })
}

/// Fuel, or a time: a constant rate turns it into fuel, so that the same file means the same everywhere.
pub(in crate::host) fn fuel(value: &DeValue<'_>) -> Result<u64, String> {
    if value.as_str().is_none() {
        return positive(value).map(|fuel| fuel as u64);
    }
    let micros = u64::try_from(duration(value)?.as_micros()).unwrap_or(u64::MAX);
    Ok(micros.saturating_mul(FUEL_PER_MICROSECOND))
}

pub(in crate::host) fn prefix(value: &DeValue<'_>) -> Result<String, String> {
    let path = string(value)?;
    if !path.starts_with('/') {
        return Err(format!("expected a path that starts with a slash, found {path:?}"));
    }
    if !plain(path.as_bytes()) {
        return Err(format!(
            "{path:?} is never covered: a route is made of letters, digits, `-._~` and single slashes, without dot segments"
        ));
    }
    Ok(path)
}
