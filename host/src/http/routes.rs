//! Serves each route and describes it (OpenAPI 3.1), from one line of the page of routes.
//!
//! The line names method, path and what the route does. The rest is read off the handler: each of its arguments, and
//! its answer, says what it adds to the description ([`Part`], [`Reply`]), so that what is served and what is
//! described are one thing. The schemas are derived from the types that serde reads and writes.
//!
//! Attributes on the handlers (`utoipa::path`, `utoipa-axum`) were not taken: they move the paths from the page into
//! ten files, and repeat by hand what each signature says already, where nothing notices when the two part.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use bytes::Bytes;
use utoipa::ToSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref,
    RefOr, Required, Response, ResponseBuilder,
};

use super::Problem;
use super::problem::Document;
use crate::accounts::{Needs, Role, Scope, Status};
use crate::app::App;
use crate::ids::RequestId;

/// Where the description is served.
const DESCRIPTION: &str = "/v1/openapi.json";

/// The statuses of the account that a route works with.
pub(crate) const STATUSES: &str = "x-account-statuses";

/// What is said of the API as a whole.
const ABOUT: &str = "Agents as a service: upload a component, deploy it, run it, and read what it cost. Errors are \
    problem documents (RFC 9457). Lists page by cursor: `after` is the `next` of the page before. Amounts are \
    integers of microcredits, a millionth of a credit.";

/// An argument of a handler, as far as a client sees it.
pub(super) trait Part {
    /// Adds what the argument takes from the request, and how it refuses.
    fn describe(described: &mut Described);
}

/// What a handler answers.
pub(super) trait Reply {
    /// Adds the answers.
    fn describe(described: &mut Described);
}

impl<T: Reply> Reply for Result<T, Problem> {
    fn describe(described: &mut Described) {
        T::describe(described);
    }
}

impl Part for State<Arc<App>> {
    fn describe(_: &mut Described) {}
}

/// A handler whose arguments and answer describe themselves.
pub(super) trait Describes<T> {
    fn describe(described: &mut Described);
}

macro_rules! describes {
    ($($argument:ident)*) => {
        impl<F, Answer, Out, M, $($argument: Part,)*> Describes<(M, $($argument,)*)> for F
        where
            F: Fn($($argument,)*) -> Answer,
            Answer: Future<Output = Out>,
            Out: Reply,
        {
            fn describe(described: &mut Described) {
                $( $argument::describe(described); )*
                Out::describe(described);
            }
        }
    };
}

describes!();
describes!(A);
describes!(A B);
describes!(A B C);
describes!(A B C D);
describes!(A B C D E);
describes!(A B C D E G);

/// The description of one route, while it is put together.
pub(super) struct Described {
    pub method: Method,
    path: &'static str,
    operation: Operation,
    schemas: BTreeMap<String, RefOr<Schema>>,
}

impl Described {
    /// A reference to the schema of a type.
    pub(super) fn reference<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut used = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut used);
        self.schemas.extend(used);
        Ref::from_schema_name(T::name()).into()
    }

    /// A parameter, unless it is one of a path that has none of its name.
    pub(super) fn takes(&mut self, parameter: impl Into<Parameter>) {
        self.operation.parameters.get_or_insert_default().push(RefOr::T(parameter.into()));
    }

    /// The name of the path's only parameter.
    pub(super) fn path_parameter(&self) -> &'static str {
        self.path.split(['{', '}']).nth(1).unwrap_or_default()
    }

    /// The body, which must be there.
    pub(super) fn takes_body(&mut self, content_type: &str, schema: impl Into<RefOr<Schema>>) {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().content(content_type, content).required(Some(Required::True));
        self.operation.request_body = Some(body.build().into());
    }

    /// Whose key the route asks for, and which scope of it.
    pub(super) fn asks_for_key(&mut self, whose: &str, scope: Option<Scope>) {
        self.operation.security = Some(vec![SecurityRequirement::new(whose, scope.map(Scope::as_str))]);
    }

    /// Whose key the route asks for, of one of these roles or an admin's.
    pub(super) fn asks_for_roles(&mut self, whose: &str, roles: &[Role]) {
        let roles = roles.iter().chain([&Role::Admin]);
        self.operation.security = Some(roles.map(|role| SecurityRequirement::new(whose, [role.as_str()])).collect());
    }

    /// Which statuses of the account the route asks for.
    pub(super) fn asks_for_status(&mut self, needs: Needs) {
        let allow = Status::ALL.iter().filter(|status| status.allows(needs)).map(|status| status.as_str());
        let extension = ExtensionsBuilder::new().add(STATUSES, allow.collect::<Vec<_>>());
        self.operation.extensions = Some(extension.build());
    }

    /// An answer that is no error.
    pub(super) fn answers(&mut self, status: StatusCode, what: &str, content: Vec<(&str, RefOr<Schema>)>) {
        let mut response = ResponseBuilder::new().description(what);
        for (content_type, schema) in content {
            response = response.content(content_type, ContentBuilder::new().schema(Some(schema)).build());
        }
        self.add(status, response);
    }

    /// One way in which the route refuses.
    pub(super) fn refuses(&mut self, problem: &Problem) {
        let schema = self.reference::<Document>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let mut response = ResponseBuilder::new().description(problem.title()).content(Problem::CONTENT_TYPE, content);
        for name in problem.headers().keys() {
            response = response.header(name.as_str(), text_header());
        }
        self.add(problem.status(), response);
    }

    fn add(&mut self, status: StatusCode, response: ResponseBuilder) {
        let id = HeaderBuilder::new().schema(Some(self.reference::<RequestId>())).build();
        let response: Response = response.header("x-request-id", id).build();
        self.operation.responses.responses.insert(status.as_str().to_owned(), response.into());
    }
}

fn text_header() -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build()
}

/// The routes that are served, and their description.
pub(super) struct Routes {
    router: Router<Arc<App>>,
    paths: Paths,
    schemas: BTreeMap<String, RefOr<Schema>>,
}

/// What the handlers of the page have in common.
pub(super) trait Route<T>: Handler<T, Arc<App>> + Describes<T> {}
impl<T, H: Handler<T, Arc<App>> + Describes<T>> Route<T> for H {}

impl Routes {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), paths: Paths::new(), schemas: BTreeMap::new() }
    }

    pub(super) fn get<T: 'static>(self, path: &'static str, does: &str, handler: impl Route<T>) -> Self {
        self.route((Method::GET, HttpMethod::Get), path, does, handler, |served| served)
    }

    pub(super) fn put<T: 'static>(self, path: &'static str, does: &str, handler: impl Route<T>) -> Self {
        self.route((Method::PUT, HttpMethod::Put), path, does, handler, |served| served)
    }

    pub(super) fn patch<T: 'static>(self, path: &'static str, does: &str, handler: impl Route<T>) -> Self {
        self.route((Method::PATCH, HttpMethod::Patch), path, does, handler, |served| served)
    }

    pub(super) fn delete<T: 'static>(self, path: &'static str, does: &str, handler: impl Route<T>) -> Self {
        self.route((Method::DELETE, HttpMethod::Delete), path, does, handler, |served| served)
    }

    pub(super) fn post<T: 'static>(self, path: &'static str, does: &str, handler: impl Route<T>) -> Self {
        self.route((Method::POST, HttpMethod::Post), path, does, handler, |served| served)
    }

    /// A POST whose body may be larger than others'.
    pub(super) fn large_post<T: 'static>(
        self,
        bytes: usize,
        path: &'static str,
        does: &str,
        handler: impl Route<T>,
    ) -> Self {
        let large = |served: MethodRouter<Arc<App>>| served.layer(DefaultBodyLimit::max(bytes));
        self.route((Method::POST, HttpMethod::Post), path, does, handler, large)
    }

    fn route<T: 'static, H: Route<T>>(
        mut self,
        (method, described_method): (Method, HttpMethod),
        path: &'static str,
        does: &str,
        handler: H,
        layered: impl Fn(MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>>,
    ) -> Self {
        let mut described = Described { method, path, operation: Operation::new(), schemas: BTreeMap::new() };
        described.operation.summary = Some(does.to_owned());
        described.operation.operation_id = Some(operation_id::<H>());
        described.operation.tags = Some(vec![tag(path).to_owned()]);
        H::describe(&mut described);
        described.refuses(&Problem::internal());
        described.refuses(&Problem::unavailable(""));
        described.refuses(&Problem::disk_full());
        for (name, schema) in described.schemas {
            let before = self.schemas.insert(name.clone(), schema);
            debug_assert!(before.is_none_or(|before| before == self.schemas[&name]), "two types are called {name}");
        }
        self.paths.add_path_operation(path, vec![described_method], described.operation);
        if let Ok(filter) = MethodFilter::try_from(described.method) {
            self.router = self.router.route(path, layered(on(filter, handler)));
        }
        self
    }

    /// The router, which serves the description too.
    pub(super) fn served(self) -> Router<Arc<App>> {
        // A document in memory that can't be written as JSON does not exist.
        let document = Bytes::from(self.description().to_json().unwrap_or_default());
        let answer = move || {
            let answer = ([(header::CONTENT_TYPE, "application/json")], document.clone()).into_response();
            std::future::ready(answer)
        };
        self.router.route(DESCRIPTION, get(answer))
    }

    pub(super) fn description(&self) -> OpenApi {
        let key = |whose: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("aaasp_…");
            SecurityScheme::Http(scheme.description(Some(whose)).build())
        };
        let mut paths = self.paths.clone();
        paths.add_path_operation(DESCRIPTION, vec![HttpMethod::Get], own_description());
        let components = ComponentsBuilder::new()
            .schemas_from_iter(self.schemas.clone())
            .security_scheme(super::auth::ACCOUNT_KEY, key("An API key of an account"))
            .security_scheme(super::auth::OPERATOR_KEY, key("An operator's key"))
            .build();
        let info = InfoBuilder::new().title("AAASP").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
        OpenApiBuilder::new().info(info.build()).paths(paths).components(Some(components)).build()
    }
}

fn own_description() -> Operation {
    let schema = ObjectBuilder::new().schema_type(Type::Object);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut operation = Operation::new();
    operation.summary = Some("Describes the API: this document".to_owned());
    operation.operation_id = Some("openapi".to_owned());
    operation.tags = Some(vec!["openapi".to_owned()]);
    let response = ResponseBuilder::new().description("OpenAPI 3.1").content("application/json", content);
    operation.responses.responses.insert("200".to_owned(), response.build().into());
    operation
}

/// `runs_show` for `…::runs::show`.
fn operation_id<H>() -> String {
    let mut parts: Vec<_> = std::any::type_name::<H>().rsplit("::").take(2).collect();
    parts.reverse();
    parts.join("_")
}

/// The resource that a path is about: its first part behind the version.
fn tag(path: &str) -> &str {
    path.trim_start_matches("/v1").split('/').nth(1).unwrap_or_default()
}
