//! The part of OSV's protocol that is needed: many packages in, ids of vulnerabilities out, and each vulnerability.

use aaasp_sdk::http;
use serde::{Deserialize, Serialize};

use crate::PackageId;

/// OSV's name for packages of Cargo's default registry.
const ECOSYSTEM: &str = "crates.io";

/// What is asked of the API.
pub trait Api {
    fn query(&self, batch: &Batch) -> Result<Answer, http::Error>;
    fn vulnerability(&self, id: &str) -> Result<Vulnerability, http::Error>;
}

/// The API below a URL. Its credential, if it wants one, is put in by the host.
pub struct Endpoint<'u> {
    pub url: &'u str,
}

impl Api for Endpoint<'_> {
    fn query(&self, batch: &Batch) -> Result<Answer, http::Error> {
        http::post(format!("{}/v1/querybatch", self.url)).json(batch)?.send()?.ok()?.json()
    }

    fn vulnerability(&self, id: &str) -> Result<Vulnerability, http::Error> {
        http::get(format!("{}/v1/vulns/{id}", self.url)).send()?.ok()?.json()
    }
}

#[derive(Serialize)]
pub struct Batch {
    pub queries: Vec<Query>,
}

#[derive(Serialize)]
pub struct Query {
    pub package: Package,
    pub version: String,
    /// Where an earlier answer broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    page_token: Option<String>,
}

#[derive(Serialize)]
pub struct Package {
    pub name: String,
    ecosystem: &'static str,
}

impl Query {
    pub fn of(package: &PackageId, page_token: Option<String>) -> Self {
        let named = Package { name: package.name.clone(), ecosystem: ECOSYSTEM };
        Self { package: named, version: package.version.clone(), page_token }
    }
}

/// One result for each query, in their order.
#[derive(Deserialize)]
pub struct Answer {
    pub results: Vec<Known>,
}

#[derive(Deserialize)]
pub struct Known {
    #[serde(default)]
    pub vulns: Vec<Hit>,
    pub next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub struct Hit {
    pub id: String,
}

#[derive(Deserialize)]
pub struct Vulnerability {
    pub summary: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    /// When it was withdrawn, if it was.
    pub withdrawn: Option<String>,
    #[serde(default)]
    affected: Vec<Affected>,
}

#[derive(Deserialize)]
struct Affected {
    package: Option<AffectedPackage>,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct AffectedPackage {
    name: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    fixed: Option<String>,
}

impl Vulnerability {
    /// The versions of a package from which on it is gone.
    pub fn fixed(&self, package: &str) -> Vec<String> {
        let of_package = |it: &&Affected| it.package.as_ref().is_some_and(|it| it.name == package);
        let events = self.affected.iter().filter(of_package).flat_map(|it| &it.ranges).flat_map(|it| &it.events);
        let mut fixed: Vec<String> = events.filter_map(|event| event.fixed.clone()).collect();
        fixed.sort();
        fixed.dedup();
        fixed
    }
}
