//! Asks an advisory API, in OSV's protocol (<https://google.github.io/osv.dev/api/>), what is known of the packages.

mod osv;

use std::collections::{BTreeMap, VecDeque};

use aaasp_sdk::{Failure, http, log};

use self::osv::{Answer, Api, Batch, Endpoint, Query, Vulnerability};
use crate::lock::Lock;
use crate::{Advisories, Advisory, PackageId, SourceKind};

/// Queries of one batch; the protocol allows no more.
const BATCH_QUERIES: usize = 1_000;

/// Advisories whose summary is fetched; those behind them are reported by their id alone.
const DESCRIBED: usize = 64;

/// What the API below a URL knows of the packages that come from registries.
pub fn look_up(lock: &Lock, url: &str) -> Result<Advisories, Failure> {
    find(lock, &Endpoint { url: url.trim_end_matches('/') })
}

fn find(lock: &Lock, api: &impl Api) -> Result<Advisories, Failure> {
    let known: Vec<PackageId> = lock
        .packages
        .iter()
        .filter(|package| package.kind() == SourceKind::Registry)
        .map(|package| PackageId { name: package.name.clone(), version: package.version.clone() })
        .collect();
    let hits = ask(&known, api)?;
    let described = describe(&hits, api).map_err(http::Error::into_failure)?;
    let mut found: Vec<Advisory> = Vec::new();
    for (package, id) in hits {
        let vulnerability = described.get(&id);
        if vulnerability.is_some_and(|it| it.withdrawn.is_some()) {
            continue;
        }
        // Databases repeat each other under ids of their own; one is enough.
        let repeats = |it: &Advisory| {
            let aliases = vulnerability.is_some_and(|own| own.aliases.contains(&it.id));
            it.package == package && (it.id == id || it.aliases.contains(&id) || aliases)
        };
        if !found.iter().any(repeats) {
            found.push(advisory(package, id, vulnerability));
        }
    }
    Ok(Advisories { packages_checked: known.len(), found })
}

/// The ids of what is known of each package, in the order of the packages.
fn ask(packages: &[PackageId], api: &impl Api) -> Result<Vec<(PackageId, String)>, Failure> {
    let mut waiting: VecDeque<Query> = packages.iter().map(|package| Query::of(package, None)).collect();
    let mut hits = Vec::new();
    while !waiting.is_empty() {
        let queries: Vec<Query> = waiting.drain(..waiting.len().min(BATCH_QUERIES)).collect();
        let batch = Batch { queries };
        let answer: Answer = api.query(&batch).map_err(http::Error::into_failure)?;
        if answer.results.len() != batch.queries.len() {
            let (results, queries) = (answer.results.len(), batch.queries.len());
            return Err(Failure::Failed(format!("the advisory API gave {results} results for {queries} queries")));
        }
        for (query, result) in batch.queries.into_iter().zip(answer.results) {
            let package = PackageId { name: query.package.name, version: query.version };
            if let Some(token) = result.next_page_token {
                waiting.push_back(Query::of(&package, Some(token)));
            }
            hits.extend(result.vulns.into_iter().map(|hit| (package.clone(), hit.id)));
        }
    }
    hits.sort_by(|(a, _), (b, _)| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(hits)
}

fn describe(hits: &[(PackageId, String)], api: &impl Api) -> Result<BTreeMap<String, Vulnerability>, http::Error> {
    let mut described = BTreeMap::new();
    for (_, id) in hits {
        // An id becomes a part of the path, and is somebody else's text.
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte));
        if described.contains_key(id) || !plain {
            continue;
        }
        if described.len() == DESCRIBED {
            log::warn!("more than {DESCRIBED} advisories: the others are reported by their id alone");
            break;
        }
        described.insert(id.clone(), api.vulnerability(id)?);
    }
    Ok(described)
}

fn advisory(package: PackageId, id: String, vulnerability: Option<&Vulnerability>) -> Advisory {
    let fixed = vulnerability.map(|it| it.fixed(&package.name)).unwrap_or_default();
    let aliases = vulnerability.map(|it| it.aliases.clone()).unwrap_or_default();
    Advisory { package, id, aliases, summary: vulnerability.and_then(|it| it.summary.clone()), fixed }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::{Value, json};

    use super::*;
    use crate::lock;

    /// An API whose answers are the test's.
    #[derive(Default)]
    struct Fake {
        answers: RefCell<VecDeque<Value>>,
        asked: RefCell<Vec<Value>>,
        vulnerabilities: BTreeMap<&'static str, Value>,
    }

    impl Api for Fake {
        fn query(&self, batch: &Batch) -> Result<Answer, http::Error> {
            self.asked.borrow_mut().push(serde_json::to_value(batch).unwrap());
            Ok(serde_json::from_value(self.answers.borrow_mut().pop_front().unwrap()).unwrap())
        }

        fn vulnerability(&self, id: &str) -> Result<Vulnerability, http::Error> {
            Ok(serde_json::from_value(self.vulnerabilities[id].clone()).unwrap())
        }
    }

    fn lock(packages: usize) -> Lock {
        let package =
            |number| format!("[[package]]\nname = \"p{number:04}\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n");
        let local = "[[package]]\nname = \"mine\"\nversion = \"1.0.0\"\n".to_owned();
        lock::parse(&(0..packages).map(package).chain([local]).collect::<String>()).unwrap()
    }

    #[test]
    fn packages_of_registries_are_asked_for_in_batches() {
        let api = Fake::default();
        api.answers.borrow_mut().extend([json!({"results": vec![json!({}); 1_000]}), json!({"results": [{}]})]);
        let found = find(&lock(1_001), &api).unwrap();
        assert_eq!((found.packages_checked, found.found.len()), (1_001, 0));
        let asked = api.asked.borrow();
        let first = json!({"package": {"name": "p0000", "ecosystem": "crates.io"}, "version": "1.0.0"});
        assert_eq!(asked[0]["queries"][0], first);
        assert_eq!(asked[1]["queries"].as_array().unwrap().len(), 1);
        assert!(!format!("{asked:?}").contains("mine"));
    }

    #[test]
    fn pages_are_followed_and_what_repeats_or_was_withdrawn_is_left_out() {
        let mut api = Fake::default();
        api.answers.borrow_mut().extend([
            json!({"results": [{"vulns": [{"id": "RUSTSEC-1"}], "next_page_token": "t"}]}),
            json!({"results": [{"vulns": [{"id": "GHSA-1"}, {"id": "GHSA-2"}, {"id": "../x"}]}]}),
        ]);
        let ranges = json!([{"events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}]);
        let affected =
            json!([{"package": {"name": "p0000"}, "ranges": ranges}, {"package": {"name": "else"}, "ranges": ranges}]);
        api.vulnerabilities.insert("RUSTSEC-1", json!({"summary": "It leaks.", "affected": affected}));
        api.vulnerabilities.insert("GHSA-1", json!({"aliases": ["RUSTSEC-1"]}));
        api.vulnerabilities.insert("GHSA-2", json!({"withdrawn": "2024-01-01T00:00:00Z"}));
        let found = find(&lock(1), &api).unwrap().found;
        assert_eq!(api.asked.borrow()[1]["queries"][0]["page_token"], "t");
        let ids: Vec<&str> = found.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["RUSTSEC-1", "../x"], "an id that is no part of a path is shown and not fetched");
        assert_eq!((found[0].summary.as_deref(), &*found[0].fixed), (Some("It leaks."), &["1.0.1".to_owned()][..]));
    }

    #[test]
    fn an_answer_of_another_length_is_refused() {
        let api = Fake::default();
        api.answers.borrow_mut().push_back(json!({"results": []}));
        assert!(matches!(find(&lock(1), &api), Err(Failure::Failed(_))));
    }
}
