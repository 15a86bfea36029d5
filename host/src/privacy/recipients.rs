//! Who else holds something of an account, as the operator's file says, and what they are to be told once it is erased
//! (GDPR, Article 19).

use std::collections::BTreeMap;

use crate::config::Config;
use crate::ids::ErasureId;
use crate::mail::Letter;

/// Somebody who holds something of accounts.
pub struct Recipient {
    name: String,
    role: Role,
}

/// What somebody is to the service.
enum Role {
    /// Takes payments.
    Processor,
    /// Answers what agents ask these models.
    Provider(Vec<String>),
    /// What the operator's file says.
    Said,
}

/// What there is of an account that somebody else may hold.
pub struct Holdings {
    /// By what the payment processor finds it: ids of payments and of mandates, and ours that it was told.
    pub references: Vec<String>,
    /// Whether an agent ran, so that a model may have been asked.
    pub ran: bool,
}

impl Recipient {
    /// All of them.
    pub fn all(config: &Config) -> Vec<Self> {
        let values = &config.values;
        let processor =
            values.payments.iter().map(|payments| (payments.processor.as_str().to_owned(), Role::Processor));
        let said = values.operator.recipients.iter().map(|name| (name.clone(), Role::Said));
        let mut providers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, model) in &values.models {
            providers.entry(model.provider.as_str()).or_default().push(name.to_string());
        }
        let providers = providers.into_iter().map(|(provider, models)| (provider.to_owned(), Role::Provider(models)));
        processor.chain(said).chain(providers).map(|(name, role)| Self { name, role }).collect()
    }

    /// Who it is, and what for.
    pub fn words(&self) -> String {
        let name = &self.name;
        match &self.role {
            Role::Processor => format!("{name}: the payment processor"),
            Role::Provider(models) => {
                format!("{name}: what your agents ask the models {}, if you grant them", models.join(", "))
            }
            Role::Said => name.clone(),
        }
    }

    /// What is to be said to it of an account that is erased; none when it can hold nothing of it.
    pub fn told_of(&self, erasure: ErasureId, holdings: &Holdings) -> Option<(String, Letter)> {
        let (holds, references) = match &self.role {
            Role::Processor if holdings.references.is_empty() => return None,
            Role::Processor => ("the customer: name, email address, means of payment", holdings.references.clone()),
            Role::Provider(_) if !holdings.ran => return None,
            Role::Provider(_) => ("what agents asked its models, with nothing that says whose they were", Vec::new()),
            Role::Said => ("what your file names it for; no reference of the account was told to it", Vec::new()),
        };
        let letter = Letter::EraseElsewhere {
            erasure: erasure.to_string(),
            recipient: self.name.clone(),
            holds: holds.to_owned(),
            references,
        };
        Some((self.name.clone(), letter))
    }
}
