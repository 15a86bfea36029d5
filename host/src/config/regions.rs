//! Regions: where the data of an account stays, and which host serves it.

use super::{Config, Values};
use crate::names::Name;

/// An account can't be opened in a region.
#[derive(Debug, thiserror::Error)]
pub enum NoSuchRegion {
    /// Nobody has heard of it.
    #[error("there is no region `{0}`; the operator's file names all in `[regions]`")]
    Unknown(Name),
    /// The plan says otherwise.
    #[error("accounts of the plan `{plan}` are in the region `{region}`")]
    OfPlan {
        /// The plan.
        plan: String,
        /// Its region.
        region: Name,
    },
}

impl Values {
    fn knows(&self, region: &Name) -> bool {
        self.region.as_ref() == Some(region) || self.regions.contains_key(region)
    }

    /// What can't be meant of regions, by key.
    pub(super) fn impossible_regions(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (region, address) in &self.regions {
            let url = url::Url::parse(address);
            let protected =
                |url: url::Url| (url.scheme() == "https" && url.has_host()) || super::is_plain_and_local(&url);
            if !url.is_ok_and(protected) {
                found.push((format!("regions.{region}"), "expected a URL like `https://eu.example.com`".to_owned()));
            }
        }
        for (name, plan) in &self.plans {
            if let Some(region) = plan.region.as_ref().filter(|region| !self.knows(region)) {
                found.push((format!("plans.{name}.region"), NoSuchRegion::Unknown(region.clone()).to_string()));
            }
        }
        let plan = self.plans.get(&self.accounts.plan).and_then(|plan| plan.region.as_ref());
        if let (Some(own), Some(planned)) = (&self.region, plan)
            && own != planned
        {
            let reason = format!("who signs up here would be in the region `{planned}`, and this host is in `{own}`");
            found.push(("accounts.plan".to_owned(), reason));
        }
        found
    }
}

impl Config {
    /// The region of an account that is opened here: its plan's, or else the one that is asked for, or else the host's.
    ///
    /// # Errors
    /// [`NoSuchRegion`] when the plan says otherwise, or nobody has heard of it.
    pub fn region_of(&self, plan: &str, asked: Option<&Name>) -> Result<Option<Name>, NoSuchRegion> {
        let planned = self.plan(plan).and_then(|plan| plan.region.as_ref());
        match (planned, asked) {
            (Some(region), Some(asked)) if region != asked => {
                Err(NoSuchRegion::OfPlan { plan: plan.to_owned(), region: region.clone() })
            }
            (None, Some(asked)) if !self.values.knows(asked) => Err(NoSuchRegion::Unknown(asked.clone())),
            _ => Ok(planned.or(asked).or(self.values.region.as_ref()).cloned()),
        }
    }
}
