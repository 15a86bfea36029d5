//! Everything that the operator's file may set, read off the types that it is read into: `docs/reference.md` is made of
//! it.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{PartialSchema as _, ToSchema as _};

use super::live::is_taken_at_once;
use super::{MailTls, Overrides, PaymentProcessor, Provider, SignUp, Values, show};

/// A value that the file may set.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The dotted key; `*` is a name that the operator chooses.
    pub key: String,
    /// What it is without being set, as TOML has it.
    pub default: Unset,
    /// What it means, as its documentation says it.
    pub means: String,
    /// The words that it can be, each with what it means; none where it is no word.
    pub words: Vec<(&'static str, &'static str)>,
    /// Whether a change holds without a restart.
    pub at_once: bool,
}

/// What a value is that the file does not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unset {
    /// It has to be set.
    Refused,
    /// There is none.
    Nothing,
    /// It is this, as TOML has it.
    Is(String),
    /// It is a table whose keys are those of another one.
    Like(String),
}

/// A file with one of each thing that has a name, and of these what has no default.
const ONE_OF_EACH: &str = r#"
[plans.name]
[models.name]
provider = "openai"
model = ""
million_input_tokens_microcredits = 0
million_output_tokens_microcredits = 0
[payments]
processor = "dodo"
product_id = ""
[tls.acme]
domains = []
[payments.currencies.name]
microcredits_per_minor_unit = 1
minimum = 1
maximum = 1
"#;

/// Everything that the file may set, by key, and what is said of the tables that it stands in.
#[must_use]
pub fn settings() -> (Vec<Setting>, BTreeMap<String, String>) {
    let values: Values = toml::from_str(ONE_OF_EACH).unwrap_or_default();
    let shown = show::effective(&values, None, "", &Overrides::default());
    let mut types = Vec::new();
    Values::schemas(&mut types);
    let mut walk = Walk {
        defaults: shown.into_iter().map(|shown| (shown.key, shown.value)).collect(),
        types: types.into_iter().map(|(name, schema)| (name, serde_json::json!(schema))).collect(),
        tops: BTreeMap::new(),
        tables: BTreeMap::new(),
        found: Vec::new(),
    };
    let whole = serde_json::json!(Values::schema());
    for (name, field) in fields(&whole) {
        let table = reference(field).filter(|of| walk.types.get(*of).is_some_and(|of| of["properties"].is_object()));
        walk.tops.extend(table.map(|of| (of.to_owned(), name.clone())));
    }
    walk.fields_of("", &whole);
    walk.found.sort_by(|a, b| a.key.cmp(&b.key));
    (walk.found, walk.tables)
}

struct Walk {
    defaults: BTreeMap<String, String>,
    types: BTreeMap<String, Value>,
    /// The top-level tables, by their types.
    tops: BTreeMap<String, String>,
    /// What each table is about.
    tables: BTreeMap<String, String>,
    found: Vec<Setting>,
}

impl Walk {
    fn fields_of(&mut self, prefix: &str, table: &Value) {
        let required: Vec<_> = table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in fields(table) {
            self.field(format!("{prefix}{name}"), field, required.contains(&name.as_str()));
        }
    }

    fn field(&mut self, key: String, field: &Value, required: bool) {
        let of = reference(field).and_then(|name| Some((name, self.types.get(name)?.clone())));
        if field["additionalProperties"].is_object() {
            let mut each = field["additionalProperties"].clone();
            // Of values that are no tables, what they all are says what each is.
            if description(&each).is_none() && reference(&each).is_none() {
                each["description"] = field["description"].clone();
            }
            return self.field(format!("{key}.*"), &each, false);
        }
        let nested = key.contains('.');
        let default = match &of {
            Some((name, _)) if nested && self.tops.contains_key(*name) => Unset::Like(self.tops[*name].clone()),
            Some((_, table)) if table["properties"].is_object() => {
                // Of what is said of the field and of its type, what says more.
                let about =
                    [description(field), description(table)].into_iter().flatten().max_by_key(|about| about.len());
                self.tables.extend(about.map(|about| (key.clone(), about.to_owned())));
                return self.fields_of(&format!("{key}."), table);
            }
            _ if required => Unset::Refused,
            _ => self.defaults.get(&key.replace('*', "name")).cloned().map_or(Unset::Nothing, Unset::Is),
        };
        let means = description(field).or_else(|| of.as_ref().and_then(|(_, of)| description(of)));
        self.found.push(Setting {
            default,
            means: means.unwrap_or_default().to_owned(),
            words: of.map(|(name, _)| words(name)).unwrap_or_default(),
            at_once: is_taken_at_once(&key),
            key,
        });
    }
}

fn words(of: &str) -> Vec<(&'static str, &'static str)> {
    match of {
        "SignUp" => SignUp::explained(),
        "MailTls" => MailTls::explained(),
        "Provider" => Provider::explained(),
        "PaymentProcessor" => PaymentProcessor::explained(),
        _ => Vec::new(),
    }
}

fn fields(table: &Value) -> impl Iterator<Item = (&String, &Value)> {
    table["properties"].as_object().into_iter().flatten()
}

/// The schema itself, and those that it is one of.
fn schemas(field: &Value) -> impl Iterator<Item = &Value> {
    let others = ["oneOf", "allOf"].into_iter().flat_map(|of| field[of].as_array().into_iter().flatten());
    std::iter::once(field).chain(others)
}

/// The type that a field is of.
fn reference(field: &Value) -> Option<&str> {
    schemas(field).find_map(|schema| schema["$ref"].as_str()?.rsplit('/').next())
}

fn description(field: &Value) -> Option<&str> {
    schemas(field).find_map(|schema| schema["description"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_that_is_shown_is_a_setting_with_a_meaning() {
        let (settings, _) = settings();
        let keys: Vec<_> = settings.iter().map(|setting| setting.key.as_str()).collect();
        let shown = show::effective(&Values::default(), None, "", &Overrides::default());
        for shown in shown {
            let key = shown.key.replace("plans.default.", "plans.*.");
            assert!(keys.contains(&key.as_str()), "{key} is in none of {keys:?}");
        }
        for setting in settings {
            assert!(!setting.means.is_empty(), "{} has no meaning", setting.key);
        }
    }
}
