//! `docs/reference.md`: limits, settings, prices, errors, scopes, routes, letters and the ledger's verbs as tables, each
//! made of the types that the host itself reads, so that what is written there is what holds.

mod tables;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::accounts::{Needs, Role, Scope, Status};
use crate::config::{Setting, Unset, settings};
use crate::http::{self, ProblemDocument, ProblemKind};
use crate::ledger::{Metered, Prices, Side, Terms, Tokens, Verb};
use crate::limits::RunLimits;
use crate::mail::Letter;
use crate::runtime::FUEL_SCHEDULE;
use crate::words::RunOutcome;
pub(crate) use tables::Page;
use tables::{code, codes, paragraphs, unit, written};

/// The whole document.
#[must_use]
pub fn markdown() -> String {
    let mut page = Page::new(
        "Reference",
        "What the host itself says of its limits, settings, prices, errors, scopes and letters. `cargo xtask docs` \
         writes this page from the code, and a test fails when it says something else.",
    );
    let (settings, about) = settings();
    limits(&mut page, &settings);
    file(&mut page, &settings, &about);
    prices(&mut page);
    errors(&mut page);
    rights(&mut page);
    letters(&mut page);
    ledger(&mut page);
    page.text()
}

fn limits(page: &mut Page, settings: &[Setting]) {
    page.section(
        "Limits",
        "Each quantity has a limit of the host (`limits` in the operator's file), may have a smaller one of the \
         account's plan (`plans.*.limits`) and, for a run, of its deployment (`limits`). The smallest holds; \
         `aaasp account` and `aaasp deployments show` tell it.",
    );
    for (group, title) in [("limits.run.", "Of a run"), ("limits.account.", "Of an account")] {
        page.below(title);
        page.table(
            &["limit", "default", "unit", "what it bounds", "what happens at it"],
            settings.iter().filter_map(|setting| {
                let name = setting.key.strip_prefix(group)?;
                let (bounds, happens) = paragraphs(&setting.means);
                Some([code(name), default(setting), unit(name), bounds, happens])
            }),
        );
    }
    page.below("How a run ends");
    page.says("A run is charged for what it used, whatever its end, unless it is `lost`: then it is charged nothing.");
    page.table(&["outcome", "when"], explained(RunOutcome::explained()));
}

fn file(page: &mut Page, settings: &[Setting], about: &BTreeMap<String, String>) {
    page.section(
        "The operator's file",
        "`aaasp.toml` in the data folder, or the file of `--config`. Values are plain integers, in the unit that the \
         key's name ends in; `*` is a name that you choose. `aaasp config show` prints each value that holds and where \
         it comes from. `aaasp admin reload` takes some of it without a restart, and tells what waits for one.",
    );
    let table_of = |setting: &Setting| setting.key.split_once('.').map_or("", |(table, _)| table).to_owned();
    let mut tables: Vec<_> = settings.iter().map(table_of).collect();
    tables.sort();
    tables.dedup();
    for table in tables.into_iter().filter(|table| table != "limits") {
        page.below(if table.is_empty() { "At the top" } else { &table });
        let at_once = settings.iter().any(|setting| setting.at_once && table_of(setting) == table);
        page.says(if at_once { "Taken at once." } else { "Taken at a restart." });
        for (key, about) in about.iter().filter(|(key, _)| key.split('.').next() == Some(&table)) {
            page.says(&format!("{}: {}", code(key), written(about)));
        }
        page.table(
            &["key", "default", "unit", "meaning"],
            settings.iter().filter(|setting| table_of(setting) == table).map(|setting| {
                let choices = setting.words.iter().map(|(word, means)| format!("{}: {}", code(word), written(means)));
                let means = std::iter::once(written(&setting.means)).chain(choices).collect::<Vec<_>>().join(" ");
                [code(&setting.key), default(setting), unit(&setting.key), means]
            }),
        );
    }
}

fn default(setting: &Setting) -> String {
    match &setting.default {
        Unset::Refused => "must be set".to_owned(),
        Unset::Nothing => "none".to_owned(),
        Unset::Is(value) => tables::value(value),
        Unset::Like(table) => format!("as {}", code(table)),
    }
}

fn prices(page: &mut Page) {
    page.section(
        "Prices",
        "A charge has a line for each thing that has a price, in microcredits (a millionth of a credit), each line rounded \
         up on its own. These are the defaults; `prices` and the `prices` of a plan set others, and `models` what tokens \
         cost. A run keeps the prices that it was admitted under.",
    );
    let model: Option<crate::names::Name> = "name".parse().ok();
    let models = model.clone().map(|name| (name, Default::default())).into_iter().collect();
    let terms = Terms { prices: Prices::default(), limits: RunLimits::default(), models, fuel_schedule: FUEL_SCHEDULE };
    let one_of_each = Metered {
        fuel: 1,
        trap_slack_fuel: 1,
        peak_memory_bytes: 1,
        wall_clock_us: 1,
        log_bytes: 1,
        http_requests: 1,
        http_bytes: 1,
    };
    let tokens = model.map(|name| (name, Tokens { input: 1, output: 1 })).into_iter().collect();
    let lines = terms.explain(terms.charge(one_of_each, &tokens));
    page.table(
        &["line of a charge", "counted in", "price", "for a"],
        lines.into_iter().map(|explained| {
            let price = explained.price_microcredits.map_or(0, |price| price.0);
            let of_model = explained.line.item.starts_with("model_");
            [
                code(&explained.line.item),
                explained.line.unit.replace(" of name", ""),
                if of_model { "the model's".to_owned() } else { tables::value(&price.to_string()) },
                explained.price_for.unwrap_or_default(),
            ]
        }),
    );
}

fn errors(page: &mut Page) {
    let mut types = Vec::new();
    ProblemDocument::schemas(&mut types);
    page.section(
        "Errors",
        &format!(
            "What the API refuses is answered with a problem document (RFC 9457, `application/problem+json`). Its \
             `type` is `{}` and the kind; match that or the status, never the text. Each has `title`, `status`, \
             `detail` and `request_id`, and `errors` where single fields are wrong; some kinds say more.",
            ProblemKind::TYPES
        ),
    );
    page.table(
        &["kind", "status", "title", "when", "what to do", "says besides"],
        ProblemKind::ALL.iter().map(|kind| {
            let (when, then) = paragraphs(kind.means());
            let status = kind.status().as_u16().to_string();
            [code(kind.as_str()), status, kind.title().to_owned(), when, then, codes(kind.members())]
        }),
    );
    let members: Vec<_> = ProblemKind::ALL.iter().flat_map(|kind| kind.members()).collect();
    let described = types.iter().map(|(_, schema)| json!(schema));
    let rows: Vec<_> = described
        .flat_map(|schema| schema["properties"].as_object().cloned().unwrap_or_default())
        .filter(|(name, _)| members.iter().any(|member| *member == name))
        .map(|(name, schema)| [code(&name), description(&schema)])
        .collect();
    page.table(&["member", "what it says"], rows);
}

fn rights(page: &mut Page) {
    page.section(
        "Who may do what",
        "A route asks for a scope of the key, and for an account whose status allows what it does. A key makes none \
         that is stronger than itself.",
    );
    page.below("Scopes of API keys");
    page.table(&["scope", "a key that has it may"], explained(Scope::explained()));
    page.below("Statuses of accounts");
    let needs: Vec<_> =
        Needs::explained().iter().map(|(word, means)| format!("*{word}*: {}", written(means))).collect();
    page.says(&needs.join(" "));
    page.table(
        &["status", "what it is", "may look", "may manage", "may work", "in words"],
        Status::ALL.iter().zip(Status::explained()).map(|(status, (word, means))| {
            let may = |needs| if status.allows(needs) { "yes" } else { "no" }.to_owned();
            let [look, manage, work] = [Needs::ToLook, Needs::ToManage, Needs::ToWork].map(may);
            [code(word), written(means), look, manage, work, status.remains().to_owned()]
        }),
    );
    page.below("Roles of operators' keys");
    page.table(&["role", "what the key is for"], explained(Role::explained()));
    page.below("Routes");
    page.says("`/v1/openapi.json` of a host has the same with everything that is sent and answered.");
    let document = json!(http::description());
    let operations = document["paths"].as_object().into_iter().flatten().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.filter(|(_, operation)| operation["summary"].is_string()).map(move |(method, operation)| {
            let key = &operation["security"][0];
            let scope = key[http::ACCOUNT_KEY][0].as_str();
            let whose = match (scope, key.as_object().and_then(|key| key.keys().next())) {
                (Some(scope), _) => code(scope),
                (None, Some(whose)) if whose == http::OPERATOR_KEY => {
                    let asked = operation["security"].as_array().into_iter().flatten();
                    let roles: Vec<_> = asked.flat_map(|key| texts(&key[http::OPERATOR_KEY])).collect();
                    format!("an operator's: {}", codes(&roles))
                }
                (None, Some(_)) => "any key".to_owned(),
                (None, None) => "nothing".to_owned(),
            };
            let statuses: Vec<_> = texts(&operation[http::STATUSES]).collect();
            let allows = |needs: &&Needs| {
                Status::ALL.iter().all(|status| status.allows(**needs) == statuses.contains(&status.as_str()))
            };
            let needs = Needs::ALL.iter().find(allows).map_or("", |needs| needs.as_str()).to_owned();
            let does = operation["summary"].as_str().unwrap_or_default().to_owned();
            [code(&format!("{} {path}", method.to_uppercase())), does, whose, needs]
        })
    });
    page.table(&["route", "what it does", "key", "account may"], operations);
}

fn letters(page: &mut Page) {
    page.section(
        "Letters",
        "What the host writes to an account's address. What belongs to the account itself can't be turned off.",
    );
    let schema = json!(Letter::schema());
    page.table(
        &["letter", "when", "can be turned off"],
        schema["oneOf"].as_array().into_iter().flatten().map(|letter| {
            let fields = &letter["properties"];
            let off = if fields["unsubscribe"].is_object() {
                "yes, by the link in it"
            } else if fields["threshold"].is_object() {
                "yes: `aaasp account set --low-balance 0`"
            } else {
                "no"
            };
            let kind: Vec<_> = texts(&fields["kind"]["enum"]).chain(fields["kind"]["const"].as_str()).collect();
            [codes(&kind), description(letter), off.to_owned()]
        }),
    );
}

fn ledger(page: &mut Page) {
    page.section(
        "The ledger",
        "Credits move by transfers only. The verb of a transfer says between which two accounts of the ledger, so that \
         all of them sum to zero; what a tenant has is never below zero. `aaasp credits history` shows an account its \
         own, `aaasp ledger verify` checks them all.",
    );
    page.table(
        &["verb", "from", "to", "what moves"],
        Verb::ALL.iter().zip(Verb::explained()).map(|(verb, (word, means))| {
            let (from, to) = verb.sides();
            [code(word), code(from.as_str()), code(to.as_str()), written(means)]
        }),
    );
    page.table(&["account of the ledger", "what is there"], explained(Side::explained()));
}

fn explained(words: Vec<(&'static str, &'static str)>) -> impl Iterator<Item = [String; 2]> {
    words.into_iter().map(|(word, means)| [code(word), written(means)])
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What a schema says of itself, or of what it is one of.
fn description(schema: &Value) -> String {
    let others = ["oneOf", "allOf"].into_iter().flat_map(|of| schema[of].as_array().into_iter().flatten());
    let said = std::iter::once(schema).chain(others).find_map(|schema| schema["description"].as_str());
    written(said.unwrap_or_default())
}
