//! What handlers answer when all is well: each kind with the status that it has.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, NoContent, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;
use super::routes::{Described, Reply};

/// What was asked for: 200.
pub(super) use axum::Json as Answer;

/// Something that was made: 201.
pub(super) struct Made<T>(pub T);

/// What is done once it was answered: 202.
pub(super) struct Accepted<T>(pub T);

/// Something that a PUT made, 201, or replaced, 200.
pub(super) struct Stored<T> {
    pub is_new: bool,
    pub view: T,
}

/// What only some operators offer.
pub(super) struct Offered<T>(pub T);

/// Something that is otherwise than before: 200.
pub(super) struct Changed<T>(pub T);

/// Something is gone that others could have used: 204.
pub(super) struct Deleted;

impl<T: Serialize> IntoResponse for Made<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Stored<T> {
    fn into_response(self) -> Response {
        let status = if self.is_new { StatusCode::CREATED } else { StatusCode::OK };
        (status, Json(self.view)).into_response()
    }
}

impl<T: IntoResponse> IntoResponse for Offered<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: Serialize> IntoResponse for Changed<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        NoContent.into_response()
    }
}

impl<T: ToSchema> Reply for Answer<T> {
    fn describe(described: &mut Described) {
        let schema = described.reference::<T>();
        described.answers(StatusCode::OK, "What was asked for", vec![("application/json", schema)]);
    }
}

impl<T: ToSchema> Reply for Made<T> {
    fn describe(described: &mut Described) {
        let schema = described.reference::<T>();
        described.answers(StatusCode::CREATED, "What was made", vec![("application/json", schema)]);
        described.refuses(&Problem::conflict(""));
    }
}

impl<T: ToSchema> Reply for Accepted<T> {
    fn describe(described: &mut Described) {
        let schema = described.reference::<T>();
        described.answers(StatusCode::ACCEPTED, "It was taken, and is worked on", vec![("application/json", schema)]);
    }
}

impl<T: ToSchema> Reply for Stored<T> {
    fn describe(described: &mut Described) {
        let schema = described.reference::<T>();
        described.answers(StatusCode::CREATED, "What was made", vec![("application/json", schema.clone())]);
        described.answers(StatusCode::OK, "What was there, or was replaced", vec![("application/json", schema)]);
        described.refuses(&Problem::conflict(""));
    }
}

impl<T: ToSchema> Reply for Changed<T> {
    fn describe(described: &mut Described) {
        let schema = described.reference::<T>();
        described.answers(StatusCode::OK, "What it is now", vec![("application/json", schema)]);
        described.refuses(&Problem::conflict(""));
    }
}

impl<T: Reply> Reply for Offered<T> {
    fn describe(described: &mut Described) {
        T::describe(described);
        described.refuses(&Problem::not_offered(""));
    }
}

impl Reply for Deleted {
    fn describe(described: &mut Described) {
        described.answers(StatusCode::NO_CONTENT, "It is gone", Vec::new());
        described.refuses(&Problem::conflict(""));
    }
}

impl Reply for NoContent {
    fn describe(described: &mut Described) {
        described.answers(StatusCode::NO_CONTENT, "It is so", Vec::new());
    }
}
