//! Pages for people, who open the link of a letter or try a payment. They have no script, load nothing, and set no
//! cookie.

use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Problem;
use super::routes::{Described, Part as RoutePart, Reply};
use crate::accounts::{Confirmed, LinkSecret, Purpose};
use crate::app::App;
use crate::db::DbError;

/// The media type of a page.
pub(super) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

const STYLE: &str = include_str!("../../templates/pages/page.css");

static POLICY: LazyLock<String> = LazyLock::new(|| content_policy(STYLE));

/// Nothing but a style that we wrote, and forms to ourselves.
pub(super) fn content_policy(style: &str) -> String {
    let style = STANDARD.encode(Sha256::digest(style));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// A page.
#[derive(Template)]
#[template(path = "pages/page.html")]
pub(super) struct HtmlPage {
    status: StatusCode,
    title: &'static str,
    parts: Vec<Part>,
    host: String,
    style: &'static str,
}

/// What a page is made of.
enum Part {
    Text(String),
    Code(String),
    Warning(&'static str),
    Button(&'static str),
    /// Another button than the one that is meant: its label, and the query that it adds.
    Other(&'static str, &'static str),
}

impl HtmlPage {
    pub(super) fn new(app: &App, title: &'static str) -> Self {
        Self { status: StatusCode::OK, title, parts: Vec::new(), host: app.config.now().link(""), style: STYLE }
    }

    pub(super) fn says(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    pub(super) fn shows(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Code(text.into()));
        self
    }

    pub(super) fn warns(mut self, text: &'static str) -> Self {
        self.parts.push(Part::Warning(text));
        self
    }

    pub(super) fn offers(mut self, label: &'static str) -> Self {
        self.parts.push(Part::Button(label));
        self
    }

    pub(super) fn offers_too(mut self, label: &'static str, query: &'static str) -> Self {
        self.parts.push(Part::Other(label, query));
        self
    }

    /// A key, which is shown only now.
    fn shows_key(self, key: &str) -> Self {
        let login = format!("aaasp login --url {}", self.host);
        self.says("Your API key, which is shown only now:")
            .shows(key)
            .says("Whoever has it can use your account. To keep it on your machine, run this and paste it:")
            .shows(login)
    }

    fn dead(app: &App) -> Self {
        let page = Self::new(app, "This link works no longer")
            .says("Links work once, and not for long. Or the link was not whole: take it from the letter again.")
            .says("To be sent another one, ask for it again:")
            .shows(format!("aaasp signup --url {} --email YOUR_ADDRESS", app.config.now().link("")));
        page.gone()
    }

    /// The same, for what is not there any more.
    pub(super) fn gone(self) -> Self {
        Self { status: StatusCode::GONE, ..self }
    }
}

impl IntoResponse for HtmlPage {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, &str); 5] = [
            (header::CONTENT_TYPE, CONTENT_TYPE),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, &POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        // A template in memory that can't be written does not exist.
        (self.status, headers, self.render().unwrap_or_default()).into_response()
    }
}

impl Reply for HtmlPage {
    fn describe(described: &mut Described) {
        let page = || vec![("text/html", ObjectBuilder::new().schema_type(Type::String).build().into())];
        described.answers(StatusCode::OK, "A page for people", page());
        described.answers(StatusCode::GONE, "The link works no longer", page());
    }
}

/// The secret of a link, as the last part of the path. None when it can't be one.
pub(super) struct PathLink(pub Option<LinkSecret>);

impl<S: Send + Sync> FromRequestParts<S> for PathLink {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.ok().and_then(|Path(text)| text.parse().ok())))
    }
}

impl RoutePart for PathLink {
    fn describe(described: &mut Described) {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let parameter = ParameterBuilder::new()
            .name(described.path_parameter())
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The secret of the link"))
            .schema(Some(text));
        described.takes(parameter);
    }
}

/// Says what a link does. Only the button does it: programs that look at mail open links too.
pub(super) async fn ask(State(app): State<Arc<App>>, PathLink(link): PathLink) -> Result<HtmlPage, Problem> {
    let purpose = match &link {
        Some(link) => app.accounts.link_purpose(link).await?,
        None => None,
    };
    Ok(match purpose {
        None | Some(Purpose::Export) => HtmlPage::dead(&app),
        Some(Purpose::Confirm) => HtmlPage::new(&app, "Confirm your email address")
            .says("This opens your account and makes your first API key.")
            .offers("Confirm, and show my key"),
        Some(Purpose::SignIn) => HtmlPage::new(&app, "Make a new API key")
            .says("This makes another key for your account. The keys that you have go on working.")
            .offers("Make a key, and show it"),
        Some(Purpose::OldEmail) => HtmlPage::new(&app, "Change your email address")
            .says("This confirms, from the old address, that your account gets another one.")
            .offers("Confirm the change"),
        Some(Purpose::NewEmail) => HtmlPage::new(&app, "Change your email address")
            .says("This confirms, from the new address, that your account gets it.")
            .offers("Confirm the change"),
        Some(Purpose::Unsubscribe) => HtmlPage::new(&app, "No more news")
            .says("This ends the letters with news of the service. Those about your account itself go on.")
            .offers("No more news"),
        Some(Purpose::Delete) => HtmlPage::new(&app, "Delete your account")
            .says(format!(
                "This deletes your account and all that it has: agents, deployments, runs, logs, credentials, keys. No \
                 more runs start from now on, and for {} days you can think again. Credits that are left are lost; ask \
                 for your money first if you want it back.",
                app.config.now().values.accounts.closing_days
            ))
            .warns("After that nobody can bring it back.")
            .offers("Delete my account"),
    })
}

/// Does what a link is for.
pub(super) async fn answer(State(app): State<Arc<App>>, PathLink(link): PathLink) -> Result<HtmlPage, Problem> {
    let Some(link) = link else { return Ok(HtmlPage::dead(&app)) };
    let done = match app.accounts.confirm(&link).await {
        Err(DbError::Missing(_)) => return Ok(HtmlPage::dead(&app)),
        done => done?.1,
    };
    app.callers.forget();
    Ok(match done {
        Confirmed::Account(key) => HtmlPage::new(&app, "Your account is open").shows_key(key.expose()),
        Confirmed::Key(key) => HtmlPage::new(&app, "Your new API key").shows_key(key.expose()),
        Confirmed::OneAddress => {
            HtmlPage::new(&app, "Confirmed").says("The address changes once the other address has confirmed it too.")
        }
        Confirmed::Closing(due_at) => HtmlPage::new(&app, "Your account is being deleted")
            .says(format!("It is erased on {}. Until then you can keep it:", due_at.rfc3339()))
            .shows("aaasp account keep"),
        Confirmed::Unsubscribed => HtmlPage::new(&app, "No more news come to your address")
            .says("To get them again:")
            .shows("aaasp account consents --news yes"),
        Confirmed::Email => HtmlPage::new(&app, "Your email address has changed")
            .says("Both addresses have confirmed it. Letters go to the new one from now on."),
    })
}
