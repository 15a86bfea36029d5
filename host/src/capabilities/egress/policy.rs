//! The allow-list: which rule lets a request pass, and which credentials go along with it.

use http::Method;
use url::Host;

use super::destination::{Destination, normal_path};
use crate::grants::{Binding, Grants, Place, Rule, Scheme, Target};
use crate::names::Name;

/// What a deployment grants, made ready for comparing.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    rules: Vec<Prepared>,
    bindings: Vec<Bound>,
}

/// A credential that a deployment binds to requests.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) name: Name,
    pub(crate) place: Option<Place>,
    to: Vec<Prepared>,
}

/// A rule or target whose host is in normal form.
#[derive(Debug)]
struct Prepared {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
    path: String,
    methods: Vec<String>,
}

/// Which hosts a rule means.
#[derive(Debug)]
pub(crate) enum HostPattern {
    /// A name or an address.
    One(Host<String>),
    /// Every name that ends in this, which begins with a dot.
    Below(String),
}

impl Policy {
    /// What can't be read matches nothing; deployments are checked for it when they are made.
    pub(crate) fn new(grants: &Grants) -> Self {
        let binding = |(name, binding): (&Name, &Binding)| {
            let to: Vec<_> = binding.to.iter().filter_map(Prepared::target).collect();
            (!to.is_empty()).then(|| Bound { name: name.clone(), place: binding.place.clone(), to })
        };
        Self {
            rules: grants.egress.allow.iter().filter_map(Prepared::rule).collect(),
            bindings: grants.credentials.iter().filter_map(binding).collect(),
        }
    }

    /// Whether a rule allows the request.
    pub(crate) fn allows(&self, method: &Method, to: &Destination) -> bool {
        self.rules.iter().any(|rule| rule.matches(to) && rule.has(method))
    }

    /// Credentials that some request of the run may carry.
    pub(crate) fn bindings(&self) -> &[Bound] {
        &self.bindings
    }
}

impl Bound {
    /// Whether it goes along with a request.
    pub(crate) fn goes_to(&self, to: &Destination) -> bool {
        self.to.iter().any(|target| target.matches(to))
    }
}

impl Prepared {
    fn rule(rule: &Rule) -> Option<Self> {
        Self::new(rule.scheme, HostPattern::read(&rule.host)?, rule.port, &rule.path, &rule.methods)
    }

    fn target(target: &Target) -> Option<Self> {
        let host = HostPattern::read(&target.host).filter(|host| matches!(host, HostPattern::One(_)))?;
        Self::new(target.scheme, host, target.port, &target.path, &[])
    }

    fn new(scheme: Scheme, host: HostPattern, port: Option<u16>, path: &str, methods: &[String]) -> Option<Self> {
        let (port, path) = (port.unwrap_or(scheme.port()), normal_path(path)?);
        Some(Self { scheme, host, port, path, methods: methods.to_vec() })
    }

    fn matches(&self, to: &Destination) -> bool {
        self.scheme == to.scheme && self.port == to.port && self.host.includes(&to.host) && self.leads_to(to.path())
    }

    /// Paths begin with the rule's, and go on at a border between segments.
    fn leads_to(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }

    fn has(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|allowed| allowed == method.as_str())
    }
}

impl HostPattern {
    /// Reads `name`, `*.name` or an address; none when it is neither.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let below = text.strip_prefix("*.");
        let host = below.unwrap_or(text);
        // A port or anything else behind the host would show in the URL.
        let to = Destination::parse("https", host, "/").ok().filter(|_| !host.contains('*'))?;
        if host.rsplit(']').next().is_some_and(|rest| rest.contains(':')) {
            return None;
        }
        match (below, to.host) {
            (None, host) => Some(Self::One(host)),
            // All names of a top-level domain are nobody's to grant.
            (Some(_), Host::Domain(name)) if name.contains('.') => Some(Self::Below(format!(".{name}"))),
            (Some(_), _) => None,
        }
    }

    /// Whether it means this host.
    pub(crate) fn includes(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Self::One(one), host) => one == host,
            (Self::Below(suffix), Host::Domain(name)) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            (Self::Below(_), _) => false,
        }
    }
}

/// The least that would allow a request, as a deployment writes it.
pub(crate) fn rule_for(method: &Method, to: &Destination) -> String {
    let rule = Rule {
        scheme: to.scheme,
        host: to.host.to_string(),
        port: (to.port != to.scheme.port()).then_some(to.port),
        path: "/".to_owned(),
        methods: vec![method.to_string()],
    };
    serde_json::to_string(&rule).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: serde_json::Value, method: &str, url: &str) -> bool {
        let grants: Grants = serde_json::from_value(serde_json::json!({"egress": {"allow": [rule]}})).unwrap();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let to = Destination::parse(scheme, authority, path).unwrap();
        Policy::new(&grants).allows(&method.parse().unwrap(), &to)
    }

    #[test]
    fn nothing_is_allowed_by_no_rule() {
        let to = Destination::parse("https", "example.org", "/").unwrap();
        assert!(!Policy::default().allows(&Method::GET, &to));
    }

    #[test]
    fn a_rule_allows_its_scheme_host_and_port() {
        let rule = serde_json::json!({"host": "Example.org"});
        assert!(allows(rule.clone(), "GET", "https://example.org/any/thing"));
        assert!(allows(rule.clone(), "POST", "https://EXAMPLE.org.:443/"));
        for url in [
            "http://example.org/",
            "https://example.org:8443/",
            "https://www.example.org/",
            "https://example.org.evil.test/",
            "https://evilexample.org/",
        ] {
            assert!(!allows(rule.clone(), "GET", url), "{url}");
        }
    }

    #[test]
    fn a_star_allows_names_below_and_not_the_name_itself() {
        let rule = serde_json::json!({"host": "*.example.org"});
        assert!(allows(rule.clone(), "GET", "https://a.example.org/"));
        assert!(allows(rule.clone(), "GET", "https://a.b.example.org/"));
        assert!(!allows(rule.clone(), "GET", "https://example.org/"));
        assert!(!allows(rule, "GET", "https://aexample.org/"));
        assert!(!allows(serde_json::json!({"host": "*.0.0.1"}), "GET", "https://127.0.0.1/"));
    }

    #[test]
    fn a_path_ends_at_a_border_between_segments() {
        let rule = serde_json::json!({"host": "example.org", "path": "/repos"});
        assert!(allows(rule.clone(), "GET", "https://example.org/repos"));
        assert!(allows(rule.clone(), "GET", "https://example.org/repos/a?b"));
        assert!(!allows(rule.clone(), "GET", "https://example.org/reposit"));
        assert!(!allows(rule.clone(), "GET", "https://example.org/repos/../admin"));
        assert!(!allows(rule, "GET", "https://example.org/"));
    }

    #[test]
    fn methods_are_those_that_are_named() {
        let rule = serde_json::json!({"host": "example.org", "methods": ["GET"]});
        assert!(allows(rule.clone(), "GET", "https://example.org/"));
        assert!(!allows(rule.clone(), "POST", "https://example.org/"));
        assert!(!allows(rule, "get", "https://example.org/"));
    }

    #[test]
    fn a_credential_goes_to_its_own_targets_only() {
        let grants: Grants = serde_json::from_value(serde_json::json!({
            "credentials": {
                "a": {"to": [{"host": "example.org", "path": "/api"}]},
                "wild": {"to": [{"host": "*.example.org"}]},
                "signs": {},
            }
        }))
        .unwrap();
        let policy = Policy::new(&grants);
        assert_eq!(policy.bindings().len(), 1);
        let goes = |path| policy.bindings()[0].goes_to(&Destination::parse("https", "example.org", path).unwrap());
        assert!(goes("/api/x") && !goes("/apis") && !goes("/"));
    }
}
