//! Lists: `?limit=&after=`, and the cursor of the next page.

use std::borrow::Cow;
use std::error::Error as _;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::Problem;
use super::routes::{Described, Part};

const DEFAULT_LIMIT: i64 = 50;
const LARGEST_LIMIT: i64 = 200;

/// Which page of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    items: Vec<T>,
    /// The `after` of the next page; none on the last.
    next: Option<String>,
}

impl PageQuery {
    pub(super) fn new(limit: Option<i64>, after: Option<String>) -> Self {
        Self { limit, after }
    }

    /// How many items to ask for: one more than are shown, to know whether there is a next page.
    pub(super) fn asked(&self) -> i64 {
        self.limit() + 1
    }

    pub(super) fn limit(&self) -> i64 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// The cursor as an id.
    pub(super) fn after_id<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.after
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error| Problem::invalid("", format!("the query parameter `after`: {error}")))
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let next = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .property("next", next.description(Some("The `after` of the next page; null on the last")))
            .required("items")
            .required("next")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("PageOf{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T> Page<T> {
    /// The page of the items that were asked for, each with its cursor.
    pub(super) fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let shown = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > shown;
        items.truncate(shown);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

impl<T> Page<T> {
    pub(super) fn map<U>(self, change: impl Fn(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// The query, read so that an error is a problem.
pub(super) struct QueryOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // No name and no id holds it, and PostgreSQL takes no text that does.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Problem::invalid("", "the query holds the character U+0000"));
        }
        Query::<T>::from_request_parts(parts, state).await.map(|Query(query)| Self(query)).map_err(|rejection| {
            // The cause begins with the parameter's name; around it stands only that it is a query.
            let cause = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
            Problem::invalid("", format!("the query: {cause}"))
        })
    }
}

impl<T: IntoParams> Part for QueryOf<T> {
    fn describe(described: &mut Described) {
        for parameter in T::into_params(|| Some(ParameterIn::Query)) {
            described.takes(parameter);
        }
        described.refuses(&Problem::invalid("", ""));
    }
}

/// Reads a number. A form's values are texts, which the derived code for an optional number does not take.
pub(super) fn number<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Reads `limit` as a number within its range.
pub(super) fn limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.parse().ok().filter(|number| (1..=LARGEST_LIMIT).contains(number));
    number.map(Some).ok_or_else(|| serde::de::Error::custom(format!("`limit` is between 1 and {LARGEST_LIMIT}")))
}
