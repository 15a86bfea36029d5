//! What an agent asks for in its manifest, held against what a deployment grants; and rules as a line of text.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::{Binding, Grants, Rule, Scheme, Target};
use crate::names::Name;

/// What an agent asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'m> {
    /// Hosts, as its manifest names them.
    pub hosts: &'m [String],
    /// Credentials.
    pub credentials: &'m [String],
    /// Capabilities.
    pub capabilities: &'m [String],
}

/// One thing that an agent asks for and nothing grants.
#[derive(Clone, Debug)]
pub struct Missing {
    /// As a sentence.
    pub detail: String,
    /// The part of a deployment that would grant it; none when nothing can.
    pub grant: Option<Value>,
}

impl Grants {
    /// What is asked for and not granted, in the order of the manifest.
    #[must_use]
    pub fn missing(&self, asked: Asked<'_>) -> Vec<Missing> {
        let capabilities = asked.capabilities.iter().filter(|name| !self.has(name)).map(|name| Missing {
            detail: format!("the agent asks for the capability `{name}`, which is not granted"),
            grant: ["scratch", "model"].contains(&name.as_str()).then(|| json!({"capabilities": [name]})),
        });
        let hosts = asked.hosts.iter().filter(|host| !self.reaches(host)).map(|host| Missing {
            detail: format!("the agent asks to reach `{host}`, which no rule of egress allows"),
            grant: host.parse::<Rule>().ok().map(|rule| json!({"egress": {"allow": [rule]}})),
        });
        let credentials = asked.credentials.iter().filter(|name| !self.names(name)).map(|name| Missing {
            detail: format!("the agent asks for the credential `{name}`, which is not granted"),
            grant: name.parse::<Name>().ok().map(|name| json!({"credentials": {name.as_str(): bound(asked.hosts)}})),
        });
        capabilities.chain(hosts).chain(credentials).collect()
    }

    /// Whether some rule allows requests to a target.
    #[must_use]
    pub fn allows(&self, target: &Target) -> bool {
        self.egress.allow.iter().any(|rule| rule.allows(target))
    }

    fn has(&self, capability: &str) -> bool {
        match capability {
            "scratch" => self.scratch,
            "model" => self.model,
            _ => false,
        }
    }

    fn names(&self, credential: &str) -> bool {
        self.credentials.keys().any(|name| name.as_str() == credential)
    }

    /// Whether some rule allows at least a part of what is asked for.
    fn reaches(&self, asked: &str) -> bool {
        let Ok(asked) = asked.parse::<Rule>() else { return false };
        self.egress
            .allow
            .iter()
            .any(|rule| rule.scheme == asked.scheme && rule.port() == asked.port() && covers(&rule.host, &asked.host))
    }
}

impl Rule {
    /// The port that it means.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.port())
    }

    fn allows(&self, target: &Target) -> bool {
        let port = target.port.unwrap_or(target.scheme.port());
        self.scheme == target.scheme && self.port() == port && covers(&self.host, &target.host)
    }
}

/// Whether every name of the second is one of the first.
fn covers(rule: &str, asked: &str) -> bool {
    let (rule, asked) = (&rule.to_ascii_lowercase(), &asked.to_ascii_lowercase());
    let Some(suffix) = rule.strip_prefix('*') else { return rule == asked };
    asked.strip_prefix('*').unwrap_or(asked).ends_with(suffix) && asked != &suffix[1..]
}

/// Where a credential would go: to each host that the agent names exactly, of which a person picks.
fn bound(hosts: &[String]) -> Binding {
    let rules = hosts.iter().filter_map(|host| host.parse::<Rule>().ok());
    Binding { to: rules.filter(|rule| !rule.host.starts_with('*')).map(Target::from).collect(), place: None }
}

impl From<Rule> for Target {
    fn from(rule: Rule) -> Self {
        Self { scheme: rule.scheme, host: rule.host, port: rule.port, path: rule.path }
    }
}

impl From<Target> for Rule {
    fn from(target: Target) -> Self {
        let Target { scheme, host, port, path } = target;
        Self { scheme, host, port, path, methods: Vec::new() }
    }
}

/// A line that is no rule.
#[derive(Debug, thiserror::Error)]
#[error("a rule is `[METHOD,… ][https://]HOST[:PORT][/PATH]`, where HOST may be `*.example.org`")]
pub struct InvalidRule;

impl FromStr for Rule {
    type Err = InvalidRule;

    /// Reads `GET,POST https://api.github.com:443/repos`, of which only the host is needed. [`Grants::faults`] decides
    /// whether the parts are right.
    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let (methods, place) = text.trim().rsplit_once(' ').unwrap_or(("", text.trim()));
        let (scheme, rest) = match place.split_once("://") {
            None => (Scheme::Https, place),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err(InvalidRule),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().map_err(|_| InvalidRule)?)),
            _ => (authority, None),
        };
        if host.is_empty() {
            return Err(InvalidRule);
        }
        let methods = methods.split(',').map(str::trim).filter(|method| !method.is_empty());
        Ok(Self {
            scheme,
            host: host.to_ascii_lowercase(),
            port: port.filter(|port| *port != scheme.port()),
            path: path.to_owned(),
            methods: methods.map(str::to_ascii_uppercase).collect(),
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        place(f, self.scheme, &self.host, self.port, &self.path)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, self.scheme, &self.host, self.port, &self.path)
    }
}

fn place(f: &mut fmt::Formatter<'_>, scheme: Scheme, host: &str, port: Option<u16>, path: &str) -> fmt::Result {
    write!(f, "{}://{host}", scheme.as_str())?;
    if let Some(port) = port {
        write!(f, ":{port}")?;
    }
    if path != "/" { write!(f, "{path}") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_survives_its_line() {
        for line in ["https://api.github.com", "GET,POST https://*.example.org/a", "http://[::1]:8080/x"] {
            assert_eq!(line.parse::<Rule>().unwrap().to_string(), line);
        }
        let short: Rule = "api.github.com:443".parse().unwrap();
        assert_eq!(short.to_string(), "https://api.github.com");
        for wrong in ["", "ftp://a.example", "a.example:port", "https:///x"] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_what_would_grant_it() {
        let (hosts, credentials) = (["api.github.com".to_owned(), "*.example.org".to_owned()], ["github".to_owned()]);
        let asked = Asked { hosts: &hosts, credentials: &credentials, capabilities: &["scratch".to_owned()] };
        let mut grants = Grants::default();
        let missing = grants.missing(asked);
        assert_eq!(missing.len(), 4);
        for one in missing {
            let grant = one.grant.unwrap();
            if grant.get("capabilities").is_some() {
                grants.scratch = true;
                continue;
            }
            let part: Grants = serde_json::from_value(grant).unwrap();
            grants.egress.allow.extend(part.egress.allow);
            grants.credentials.extend(part.credentials);
        }
        assert!(grants.missing(asked).is_empty(), "{:?}", grants.missing(asked));
        assert_eq!(grants.credentials.values().next().unwrap().to[0].host, "api.github.com");
        assert_eq!(grants.faults(), []);
    }

    #[test]
    fn a_suffix_covers_the_names_below_it_and_no_others() {
        assert!(covers("*.example.org", "a.example.org") && covers("*.example.org", "*.a.example.org"));
        assert!(covers("*.example.org", "*.example.org") && covers("A.example", "a.Example"));
        for other in ["example.org", "aexample.org", "a.example.com", "*.org"] {
            assert!(!covers("*.example.org", other), "{other}");
        }
        assert!(!covers("a.example", "*.a.example"));
    }
}
