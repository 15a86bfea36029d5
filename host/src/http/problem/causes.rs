//! Which problem each error of the layers below is to a client.

use std::sync::Arc;

use super::{ExtensionMembers, FieldError, Kind, Problem};
use crate::db::{CapOf, DbError};
use crate::payments::{PaymentError, Unread, WebhookError};
use crate::runs::Refused;
use crate::runtime::{LoadError, Rejection};

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        Self::from(&error)
    }
}

impl From<Arc<DbError>> for Problem {
    fn from(error: Arc<DbError>) -> Self {
        Self::from(&*error)
    }
}

impl From<&DbError> for Problem {
    fn from(error: &DbError) -> Self {
        match error {
            DbError::Missing(what) => Self::not_found(what),
            DbError::Exists(_) | DbError::InUse(_) | DbError::OnlyVersion | DbError::Insufficient { .. } => {
                Self::conflict(error.to_string())
            }
            DbError::Limit { limit, value } => {
                let mut problem = Self::conflict(error.to_string());
                *problem.extra = ExtensionMembers::limit(limit, *value);
                problem
            }
            DbError::Elsewhere { region, url } => {
                Self::misdirected(error.to_string(), Some(region.clone()), url.clone())
            }
            DbError::KeyReused => Self::invalid("", error.to_string()),
            DbError::Busy(what) => Self::unavailable(*what),
            DbError::Closed => Self::unavailable("the host is shutting down"),
            DbError::Unavailable(_) => {
                tracing::error!(%error, "the database failed");
                Self::unavailable("the database does not answer")
            }
            DbError::DiskFull(_) => {
                tracing::error!(%error, "there is no room for a write");
                Self::disk_full()
            }
            DbError::Migration(_)
            | DbError::Url(_)
            | DbError::Corrupt(_)
            | DbError::NotEmpty
            | DbError::Sealed { .. } => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        let detail = error.to_string();
        match error {
            PaymentError::NothingSold | PaymentError::NoMandates => Self::not_offered(detail),
            PaymentError::CapTooLow { .. } => Self::invalid("/monthly_cap", detail),
            PaymentError::Currency { .. } => Self::invalid("/currency", detail),
            PaymentError::Amount { .. } => Self::invalid("/amount", detail),
            PaymentError::TooMuch { .. } | PaymentError::InDoubt => Self::conflict(detail),
            PaymentError::Processor(error) => {
                tracing::error!(%error, "the payment processor failed");
                Self::unavailable("the payment processor does not do it now; nothing was paid; try again later")
            }
            PaymentError::Db(error) => Self::from(error),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Unread(Unread::Forged(error)) => {
                Self::unauthenticated(format!("this is no webhook of the payment processor: {error}"))
            }
            WebhookError::Unread(Unread::Strange(error)) => {
                tracing::error!(error, "a webhook of the payment processor is not understood");
                Self::invalid("", format!("the webhook is not understood: {error}"))
            }
            WebhookError::Db(error) => Self::from(error),
            WebhookError::Processor(error) => {
                tracing::error!(%error, "the payment processor failed");
                Self::unavailable("the payment processor does not do what follows from it; tell it again")
            }
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::NoDeployment(_) => Self::not_found("deployment"),
            Refused::InputTooLarge { limit, .. } => {
                let mut problem = Self::too_large(detail);
                *problem.extra = ExtensionMembers::limit("input_bytes", limit);
                problem
            }
            Refused::InputInvalid(found) => {
                let mut problem = Self::invalid("/input", detail);
                problem.errors = found
                    .into_iter()
                    .map(|(pointer, detail)| FieldError { pointer: format!("/input{pointer}"), detail })
                    .collect();
                problem
            }
            Refused::Insufficient { required, available, held } => {
                let mut problem = Self::insufficient_credits(detail);
                problem.extra.required_microcredits = Some(required);
                problem.extra.available_microcredits = Some(available);
                problem.extra.held_microcredits = Some(held);
                problem
            }
            Refused::Indebted(debt) => Self::debt_outstanding(detail, debt),
            Refused::Capped { of, cap, seconds, .. } => {
                let limit = match of {
                    CapOf::Account => "daily_spend_microcredits",
                    CapOf::Deployment => "deployment.daily_spend_microcredits",
                };
                Self::too_many(detail, seconds).about_limit(limit, cap.0.unsigned_abs())
            }
            Refused::Stopped { .. } => Self::forbidden(detail),
            Refused::QueueFull(limit) => {
                let mut problem = Self::too_many(detail, 1);
                *problem.extra = ExtensionMembers::limit("queued_runs", limit);
                problem
            }
            Refused::KeyReused => Self::invalid("", detail),
            Refused::Stopping => Self::unavailable(detail),
            Refused::NotLoaded(error) => Self::not_loaded(&error),
            Refused::Broken => Self::internal(),
            Refused::Db(error) => Self::from(error),
        }
    }
}

impl Problem {
    /// A component that was taken once can't be loaded: the host's fault.
    fn not_loaded(error: &LoadError) -> Self {
        tracing::error!(%error, "a component could not be loaded");
        match error {
            LoadError::Rejected(Rejection::DiskFull) => Self::disk_full(),
            LoadError::Shared(shared) => Self::not_loaded(shared),
            _ => Self::unavailable("the component can't be loaded now"),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match &rejection {
            Rejection::DiskFull => {
                tracing::error!(error = %rejection, "there is no room for an upload");
                return Self::disk_full();
            }
            Rejection::Host { .. } => {
                tracing::error!(error = %rejection, "an upload could not be looked at");
                return Self::unavailable("the component can't be looked at now");
            }
            _ => {}
        }
        Self::new(Kind::ComponentRejected, rejection.to_string())
    }
}
