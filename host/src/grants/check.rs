//! What a deployment can't mean: each fault with the JSON pointer of the field that it is in.

use http::{HeaderName, Method};

use super::{Binding, Grants, Place, Rule, Target};
use crate::capabilities::egress::{HostPattern, is_reserved, normal_path};

/// Rules, credentials and targets of one deployment; each is looked at for every request.
const MAX_RULES: usize = 100;
const MAX_CREDENTIALS: usize = 50;
const MAX_TARGETS: usize = 20;

/// Headers that the host writes itself, besides those of the connection.
const WRITTEN_BY_THE_HOST: [&str; 2] = ["accept-encoding", "content-length"];

/// A field's pointer within the deployment, and what is wrong with it.
pub type Fault = (String, String);

impl Grants {
    /// Everything that is wrong with them, as fields of the deployment that they belong to.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.egress.allow.len() > MAX_RULES {
            faults.push(("/egress/allow".to_owned(), format!("there are more than {MAX_RULES} rules")));
        }
        if self.credentials.len() > MAX_CREDENTIALS {
            faults.push(("/credentials".to_owned(), format!("there are more than {MAX_CREDENTIALS} credentials")));
        }
        for (number, rule) in self.egress.allow.iter().enumerate() {
            let at = format!("/egress/allow/{number}");
            faults.extend(in_rule(rule).into_iter().map(|(field, fault)| (format!("{at}/{field}"), fault)));
        }
        for (name, binding) in &self.credentials {
            let at = format!("/credentials/{name}");
            faults.extend(self.in_binding(binding).into_iter().map(|(field, fault)| (format!("{at}/{field}"), fault)));
        }
        faults
    }

    fn in_binding(&self, binding: &Binding) -> Vec<Fault> {
        let mut faults = Vec::new();
        if binding.to.len() > MAX_TARGETS {
            faults.push(("to".to_owned(), format!("there are more than {MAX_TARGETS} targets")));
        }
        for (number, target) in binding.to.iter().enumerate() {
            faults.extend(in_target(target).into_iter().map(|(field, fault)| (format!("to/{number}/{field}"), fault)));
            if !self.egress.allow.iter().any(|rule| reaches(rule, target)) {
                let fault =
                    format!("no rule of `egress.allow` reaches `{}`, so the credential never goes there", target.host);
                faults.push((format!("to/{number}"), fault));
            }
        }
        if let Some(fault) = binding.place.as_ref().and_then(Place::fault) {
            faults.push(("place".to_owned(), fault));
        }
        faults
    }
}

fn in_rule(rule: &Rule) -> Vec<Fault> {
    let mut faults = in_address(&rule.host, rule.port, &rule.path, true);
    for (number, method) in rule.methods.iter().enumerate() {
        let fault = match method.parse::<Method>() {
            Ok(Method::TRACE | Method::CONNECT) => format!("the method {method} is never sent"),
            Ok(_) if *method == method.to_ascii_uppercase() => continue,
            _ => format!("`{method}` is no method in upper case"),
        };
        faults.push((format!("methods/{number}"), fault));
    }
    faults
}

fn in_target(target: &Target) -> Vec<Fault> {
    in_address(&target.host, target.port, &target.path, false)
}

fn in_address(host: &str, port: Option<u16>, path: &str, may_be_a_pattern: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    match HostPattern::read(host) {
        None => {
            let fault = "a host is a name like `api.github.com`, `*.` and a name of two parts or more, or an address";
            faults.push(("host".to_owned(), fault.to_owned()));
        }
        Some(HostPattern::Below(_)) if !may_be_a_pattern => {
            faults.push(("host".to_owned(), "a credential goes to hosts by name, never to all below one".to_owned()));
        }
        Some(_) => {}
    }
    if port == Some(0) {
        faults.push(("port".to_owned(), "port 0 can't be reached".to_owned()));
    }
    match normal_path(path) {
        Some(normal) if normal == path => {}
        Some(normal) => faults.push(("path".to_owned(), format!("write it as `{normal}`"))),
        None => faults.push(("path".to_owned(), "a path begins with `/` and has no query".to_owned())),
    }
    faults
}

/// Whether some request to the target could pass the rule.
fn reaches(rule: &Rule, target: &Target) -> bool {
    let (Some(pattern), Some(HostPattern::One(host))) =
        (HostPattern::read(&rule.host), HostPattern::read(&target.host))
    else {
        return false;
    };
    let ports = rule.port.unwrap_or(rule.scheme.port()) == target.port.unwrap_or(target.scheme.port());
    let paths = rule.path.starts_with(&target.path) || target.path.starts_with(&rule.path);
    rule.scheme == target.scheme && ports && paths && pattern.includes(&host)
}

impl Place {
    /// What is wrong with it, if a secret can't stand there.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Bearer => None,
            Self::Header { name, prefix } => {
                let parsed = name.parse::<HeaderName>().ok().filter(|parsed| parsed.as_str() == name);
                match parsed {
                    None => Some(format!("`{name}` is no header's name in lower case")),
                    Some(parsed) if is_reserved(&parsed) || WRITTEN_BY_THE_HOST.contains(&name.as_str()) => {
                        Some(format!("the header `{name}` is the host's own"))
                    }
                    Some(_) if prefix.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) => {
                        Some("the prefix has characters that no header can hold".to_owned())
                    }
                    Some(_) => None,
                }
            }
            Self::Basic { username } if username.contains(|c: char| c == ':' || c.is_control()) => {
                Some("a user name has no colon and no control character".to_owned())
            }
            Self::Query { name } if name.is_empty() => Some("a parameter has a name".to_owned()),
            Self::Basic { .. } | Self::Query { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(grants: serde_json::Value) -> Vec<String> {
        let grants: Grants = serde_json::from_value(grants).unwrap();
        grants.faults().into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn what_a_deployment_can_mean_has_no_fault() {
        let none: [&str; 0] = [];
        let grants = serde_json::json!({
            "egress": {"allow": [
                {"host": "api.github.com", "path": "/repos", "methods": ["GET", "POST"]},
                {"host": "*.example.org"},
                {"host": "Bücher.example"},
                {"scheme": "http", "host": "127.0.0.1", "port": 8080},
                {"host": "[2606:4700::1111]"},
            ]},
            "credentials": {
                "github": {"to": [{"host": "api.github.com"}], "place": {"header": {"name": "x-key", "prefix": "token "}}},
                "below": {"to": [{"host": "a.example.org"}]},
                "signs": {},
            },
        });
        assert_eq!(pointers(grants), none);
    }

    #[test]
    fn each_fault_is_told_where_it_is() {
        for host in [
            "",
            "*",
            "*.com",
            "a.*.org",
            "example.org:443",
            "https://example.org",
            "user@example.org",
            "a b",
            "*.127.0.0.1",
            "a/b",
        ] {
            let found = pointers(serde_json::json!({"egress": {"allow": [{"host": host}]}}));
            assert_eq!(found, ["/egress/allow/0/host"], "{host}");
        }
        for path in ["repos", "/a?b", "/a#b", "/a/../b", "/a/%2e%2e/b", "/a%2f..%2fb"] {
            let found = pointers(serde_json::json!({"egress": {"allow": [{"host": "a.org", "path": path}]}}));
            assert_eq!(found, ["/egress/allow/0/path"], "{path}");
        }
        for method in ["get", "TRACE", "CONNECT", "", "G ET"] {
            let found = pointers(serde_json::json!({"egress": {"allow": [{"host": "a.org", "methods": [method]}]}}));
            assert_eq!(found, ["/egress/allow/0/methods/0"], "{method}");
        }
    }

    #[test]
    fn a_binding_s_faults_are_told_too() {
        let with = |binding: serde_json::Value| {
            pointers(serde_json::json!({"egress": {"allow": [{"host": "*.a.org"}]}, "credentials": {"c": binding}}))
        };
        assert_eq!(with(serde_json::json!({"to": [{"host": "b.org"}]})), ["/credentials/c/to/0"]);
        assert_eq!(
            with(serde_json::json!({"to": [{"host": "*.a.org"}]})),
            ["/credentials/c/to/0/host", "/credentials/c/to/0"]
        );
        for place in [
            serde_json::json!({"header": {"name": "X-Key"}}),
            serde_json::json!({"header": {"name": "host"}}),
            serde_json::json!({"header": {"name": "x-key", "prefix": "a\r\nb"}}),
            serde_json::json!({"basic": {"username": "a:b"}}),
            serde_json::json!({"query": {"name": ""}}),
        ] {
            assert_eq!(
                with(serde_json::json!({"to": [{"host": "x.a.org"}], "place": place})),
                ["/credentials/c/place"]
            );
        }
    }
}
