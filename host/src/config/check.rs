//! Reads the file's text and refuses what can't be meant, naming file, line, key and reason.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;

use super::{PaymentValues, Values, is_plain_and_local};
use crate::ledger::Microcredits;
use crate::limits::RunLimits;
use crate::objects::Objects;

/// The longest retention, in days: about 100 years, well within the time that microseconds can count.
const MOST_DAYS: u32 = 36_500;

/// The longest time that the owner of a deleted account can think again, in days: the law wants it gone by then.
const MOST_CLOSING_DAYS: u32 = 30;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {reason}", .file.display(), .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    reason: String,
}

impl ConfigError {
    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self { file: file.to_owned(), line: None, reason: format!("the file can't be read: {error}") }
    }
}

pub(super) fn parse(file: Option<&Path>, text: &str) -> Result<Values, ConfigError> {
    let file = file.unwrap_or_else(|| Path::new(super::FILE_NAME));
    let read = toml::Deserializer::parse(text).and_then(|read| Values::deserialize(Objects(read)));
    let values = read.map_err(|error| {
        let line = error.span().map(|span| line_at(text, span.start));
        let mut reason = error.message().to_owned();
        if reason.contains("invalid type: string") {
            reason.push_str("; values are plain integers, in the unit that the key's name ends in");
        }
        let key = error.span().and_then(|span| key_at(text, span)).map_or_else(String::new, |key| format!("`{key}`: "));
        ConfigError { file: file.to_owned(), line, reason: format!("{key}{reason}") }
    })?;
    if let Some((key, reason)) = impossible(&values).into_iter().next() {
        let line = span_of(text, &key).map(|span| line_at(text, span.start));
        return Err(ConfigError { file: file.to_owned(), line, reason: format!("`{key}`: {reason}") });
    }
    Ok(values)
}

/// What each value allows alone and all of them don't allow together.
fn impossible(values: &Values) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut refuse = |wrong: bool, key: &str, reason: String| {
        if wrong {
            found.push((key.to_owned(), reason));
        }
    };
    let host = &values.host;
    let run = RunLimits::default().replaced_by(&values.limits.run);
    refuse(host.concurrent_runs == 0, "host.concurrent_runs", "a host that runs nothing is no host".to_owned());
    refuse(host.slow_client_ms == 0, "host.slow_client_ms", "no client answers at once".to_owned());
    refuse(
        run.memory_bytes > host.memory_bytes,
        if values.limits.run.memory_bytes.is_some() { "limits.run.memory_bytes" } else { "host.memory_bytes" },
        format!("one run may use {} bytes, but all runs together only {}", run.memory_bytes, host.memory_bytes),
    );
    refuse(
        !(65_536..=(16 << 20)).contains(&host.stack_bytes),
        "host.stack_bytes",
        "a stack is between 65536 and 16777216 bytes".to_owned(),
    );
    refuse(
        run.memory_bytes > 4 << 30,
        "limits.run.memory_bytes",
        "a 32-bit guest has no more than 4294967296".to_owned(),
    );
    refuse(
        host.compile_memory_bytes < 512 << 20,
        "host.compile_memory_bytes",
        "below 536870912 no component compiles".to_owned(),
    );
    refuse(
        values.metrics_listen.is_some_and(|metrics| metrics == values.listen && metrics.port() != 0),
        "metrics_listen",
        "metrics need a listener of their own; this is the API's".to_owned(),
    );
    refuse(values.audit.head_minutes == 0, "audit.head_minutes", "the audit is signed every minute at most".to_owned());
    let kept = &values.retention;
    for (key, kept, most, unit) in [
        ("log_days", kept.log_days, MOST_DAYS, "days"),
        ("content_days", kept.content_days, MOST_DAYS, "days"),
        ("audit_days", kept.audit_days, MOST_DAYS, "days"),
        ("letter_days", kept.letter_days, MOST_DAYS, "days"),
        ("request_days", kept.request_days, MOST_DAYS, "days"),
        ("export_days", kept.export_days, MOST_DAYS, "days"),
        ("server_log_days", kept.server_log_days, MOST_DAYS, "days"),
        ("ended_key_days", kept.ended_key_days, MOST_DAYS, "days"),
        ("webhook_days", kept.webhook_days, MOST_DAYS, "days"),
        ("billing_days", kept.billing_days, MOST_DAYS, "days"),
        ("idempotency_hours", kept.idempotency_hours, MOST_DAYS * 24, "hours"),
    ] {
        let reason = format!("nothing is kept for more than {most} {unit}, which are 100 years");
        refuse(kept > most, &format!("retention.{key}"), reason);
    }
    refuse(
        kept.billing_days < super::BILLING_DAYS,
        "retention.billing_days",
        format!("accounts are promised {} days, which are seven years", super::BILLING_DAYS),
    );
    let of_plans = values.plans.iter().map(|(name, plan)| (format!("plans.{name}."), &plan.limits));
    for (place, limits) in of_plans.chain([(String::new(), &values.limits)]) {
        for (whose, runs) in [("run", limits.run.concurrent_runs), ("account", limits.account.concurrent_runs)] {
            let key = format!("{place}limits.{whose}.concurrent_runs");
            refuse(runs == Some(0), &key, "runs would wait forever; to stop an account, suspend it".to_owned());
        }
    }
    let plans: Vec<&str> = values.plans.keys().map(String::as_str).chain([super::DEFAULT_PLAN]).collect();
    for (name, model) in &values.models {
        for (key, reason) in model.impossible(&plans) {
            refuse(true, &format!("models.{name}.{key}"), reason);
        }
    }
    refuse(
        !plans.contains(&values.accounts.plan.as_str()),
        "accounts.plan",
        format!("there is no plan `{}`", values.accounts.plan),
    );
    refuse(
        values.accounts.closing_days > MOST_CLOSING_DAYS,
        "accounts.closing_days",
        format!("who deletes an account can expect it to be erased within {MOST_CLOSING_DAYS} days"),
    );
    let per_address = &values.rates;
    let rates = [
        ("rates.address_requests_per_minute".to_owned(), per_address.address_requests_per_minute),
        ("rates.address_failures_per_minute".to_owned(), Some(per_address.address_failures_per_minute)),
        ("rates.address_sign_ups_per_hour".to_owned(), Some(per_address.address_sign_ups_per_hour)),
    ];
    let rates_of_plans = values.plans.iter().flat_map(|(name, plan)| {
        [
            (format!("plans.{name}.rates.account_requests_per_minute"), plan.rates.account_requests_per_minute),
            (format!("plans.{name}.rates.key_requests_per_minute"), plan.rates.key_requests_per_minute),
        ]
    });
    for (key, rate) in rates.into_iter().chain(rates_of_plans) {
        refuse(rate == Some(0), &key, "nobody could ask for anything; to stop an account, suspend it".to_owned());
    }
    for (name, plan) in &values.plans {
        for (key, grant) in
            [("starting", plan.starting_grant_microcredits), ("monthly", plan.monthly_grant_microcredits)]
        {
            let reason = format!("a grant is between 0 and {} microcredits", Microcredits::LARGEST_GRANT.0);
            let fits = (Microcredits::ZERO..=Microcredits::LARGEST_GRANT).contains(&grant);
            refuse(!fits, &format!("plans.{name}.{key}_grant_microcredits"), reason);
        }
        let reason = format!("nothing is kept for more than {MOST_DAYS} days, which are 100 years");
        for (key, days) in
            [("log_days", plan.log_days), ("content_days", plan.content_days), ("request_days", plan.request_days)]
        {
            refuse(days.is_some_and(|days| days > MOST_DAYS), &format!("plans.{name}.{key}"), reason.clone());
        }
    }
    for (key, reason) in values.mail.impossible() {
        refuse(true, &format!("mail.{key}"), reason);
    }
    for (key, reason) in values.payments.iter().flat_map(PaymentValues::impossible) {
        refuse(true, &format!("payments.{key}"), reason);
    }
    for (key, reason) in values.impossible_regions() {
        refuse(true, &key, reason);
    }
    for (key, reason) in values.tls.impossible(values.public_url.as_deref()) {
        refuse(true, &format!("tls.{key}"), reason);
    }
    let url = values.public_url.as_deref().map(url::Url::parse);
    let protected = |url: url::Url| (url.scheme() == "https" && url.has_host()) || is_plain_and_local(&url);
    let good = url.is_none_or(|url| url.is_ok_and(protected));
    refuse(!good, "public_url", "expected a URL like `https://agents.example.com`".to_owned());
    for name in values.plans.keys() {
        refuse(name.is_empty() || name.len() > 63, "plans", "a plan's name has 1 to 63 characters".to_owned());
    }
    found
}

fn line_at(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

/// The key whose value or name covers a span.
fn key_at(text: &str, span: Range<usize>) -> Option<String> {
    let line = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let key = text[line..].split(['=', '\n']).next()?.trim();
    (!key.is_empty() && !key.starts_with('[')).then(|| key.to_owned())
}

/// Where the value of a dotted key stands.
fn span_of(text: &str, key: &str) -> Option<Range<usize>> {
    let document = toml_edit::Document::parse(text).ok()?;
    let mut item = document.as_item();
    for part in key.split('.') {
        item = item.get(part)?;
    }
    item.span()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(Some(Path::new("aaasp.toml")), text).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let message = error("listen = \"127.0.0.1:1\"\n[prices]\nrun_credits = 1\n");
        assert!(message.starts_with("aaasp.toml:3: `run_credits`: unknown field"), "{message}");
    }

    #[test]
    fn a_wrong_unit_is_explained() {
        let message = error("[limits.run]\nwall_clock_ms = \"30s\"\n");
        assert!(message.starts_with("aaasp.toml:2: `wall_clock_ms`"), "{message}");
        assert!(message.contains("plain integers"), "{message}");
    }

    #[test]
    fn a_list_is_no_table_of_values() {
        let message = error("[limits]\nrun = [5]\n");
        assert_eq!(message, "aaasp.toml:2: `run`: invalid type: sequence, expected an object");
    }

    #[test]
    fn an_impossible_combination_is_named_with_its_line() {
        let message = error("[host]\nmemory_bytes = 1000\n");
        assert!(message.starts_with("aaasp.toml:2: `host.memory_bytes`"), "{message}");
    }

    #[test]
    fn a_limit_under_which_runs_would_wait_forever_is_refused() {
        let message = error("[plans.small.limits.account]\nconcurrent_runs = 0\n");
        assert!(message.starts_with("aaasp.toml:2: `plans.small.limits.account.concurrent_runs`"), "{message}");
    }

    #[test]
    fn a_retention_of_more_than_a_hundred_years_is_refused() {
        let days = ["log_days", "audit_days", "request_days"].map(|key| (key, 36_500));
        for (key, most) in days.into_iter().chain([("idempotency_hours", 876_000)]) {
            assert!(parse(None, &format!("[retention]\n{key} = {most}\n")).is_ok());
            let message = error(&format!("[retention]\n{key} = {}\n", most + 1));
            assert!(message.starts_with(&format!("aaasp.toml:2: `retention.{key}`: ")), "{message}");
            assert!(message.contains(&most.to_string()), "{message}");
        }
    }

    #[test]
    fn a_model_that_can_t_be_asked_is_refused() {
        let model = |more: &str| {
            format!(
                "[models.fast]\nprovider = \"openai\"\nmodel = \"m\"\nmillion_input_tokens_microcredits = 1\n\
                 million_output_tokens_microcredits = 1\n{more}\n"
            )
        };
        assert!(parse(None, &model("")).is_ok());
        for (more, said) in [
            ("base_url = \"ftp://a.example\"", "aaasp.toml:6: `models.fast.base_url`: a base URL is"),
            ("max_output_tokens = 0", "aaasp.toml:6: `models.fast.max_output_tokens`"),
            ("plans = [\"gold\"]", "aaasp.toml:6: `models.fast.plans`: there is no plan `gold`"),
            ("api_key = \"sk-1\"", "aaasp.toml:6: `api_key`: unknown field"),
        ] {
            let message = error(&model(more));
            assert!(message.starts_with(said), "{message}");
        }
        let message = error("[models.fast]\nprovider = \"openai\"\nmodel = \"m\"\n");
        assert!(message.contains("million_input_tokens_microcredits"), "nothing is free by oversight: {message}");
    }

    #[test]
    fn credits_that_can_t_be_sold_are_refused() {
        let payments = |base: &str, price: &str| {
            format!(
                "[payments]\nprocessor = \"dodo\"\nproduct_id = \"pdt_1\"\nbase_url = \"{base}\"\n\
                 [payments.currencies.EUR]\nmicrocredits_per_minor_unit = 10000\n{price}\n"
            )
        };
        let (base, price) = ("https://test.dodopayments.com", "minimum = 500\nmaximum = 100000");
        assert!(parse(None, &payments(base, price)).is_ok());
        assert!(parse(None, &payments("http://127.0.0.1:1", price)).is_ok());
        for (base, price, said) in [
            ("http://dodo.example", price, "aaasp.toml:4: `payments.base_url`"),
            (base, "minimum = 0\nmaximum = 1", "aaasp.toml:7: `payments.currencies.EUR.minimum`"),
            (base, "minimum = 5\nmaximum = 1", "aaasp.toml:8: `payments.currencies.EUR.maximum`"),
            (base, "minimum = 1", "aaasp.toml:5: "),
        ] {
            let message = error(&payments(base, price));
            assert!(message.starts_with(said), "{message}");
        }
    }

    #[test]
    fn a_test_needs_nothing_of_a_processor_and_dodo_needs_a_product() {
        let payments = |processor: &str| {
            format!(
                "[payments]\nprocessor = \"{processor}\"\n[payments.currencies.EUR]\n\
                 microcredits_per_minor_unit = 10000\nminimum = 100\nmaximum = 100000\n"
            )
        };
        assert!(parse(None, &payments("test")).is_ok());
        let message = error(&payments("dodo"));
        assert!(message.contains("`payments.product_id`: `dodo` sells a product"), "{message}");
    }

    #[test]
    fn an_empty_file_is_every_default() {
        assert_eq!(parse(None, "").unwrap().prices.run_microcredits, 10);
    }
}
