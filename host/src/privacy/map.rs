//! The data map: every table and column, with what it holds about a person, why, for how long, and what erasure does
//! to it. A column that is not here fails a test, so that nothing is kept that nobody can name.

mod accounts;
mod agents;
mod money;
mod runs;
mod show;
mod system;

use serde::Serialize;
pub use show::{Record, markdown};

/// A table.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What a row is.
    pub holds: &'static str,
    /// The columns of its primary key.
    pub key: &'static [&'static str],
    /// Whom a row is about.
    pub about: About,
    /// Why it is kept.
    pub purpose: Purpose,
    /// How long.
    pub kept: Kept,
    /// What erasing an account does to its rows.
    pub erasure: Erasure,
    /// Its columns.
    pub columns: &'static [Column],
    /// What a copy tells beside them, out of a table that is about nobody.
    #[serde(skip)]
    pub beside: Option<Beside>,
}

/// What a copy tells of a row out of another table.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// The other table, whose row has the same id.
    pub table: &'static str,
    /// Its columns that are told.
    pub columns: &'static [Column],
}

/// Whom the rows of a table are about, and which column says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The account that `account_id` names, or nobody where it is empty.
    Account,
    /// The account itself.
    Itself,
    /// A tenant: a number in the ledger that one erasable table links to an account.
    Tenant,
    /// Nobody: the service's own.
    Nobody,
}

/// Why something is kept. Each has its legal basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To run what accounts ask for, and show it to them.
    Service,
    /// To know who asks, and what they may do.
    Authentication,
    /// To charge and be paid, and to account for it.
    Billing,
    /// To send letters about the account.
    Letters,
    /// To find and stop misuse, and show what was done.
    Security,
    /// To give people what they are entitled to, and show that it was given.
    Rights,
    /// To keep the service itself running: nothing about people.
    Operation,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Service,
        Self::Authentication,
        Self::Billing,
        Self::Letters,
        Self::Security,
        Self::Rights,
        Self::Operation,
    ];

    /// In a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Service => "to run what the account asks for, and show it to it",
            Self::Authentication => "to know who asks, and what they may do",
            Self::Billing => "to charge and be paid, and to account for it",
            Self::Letters => "to send letters about the account",
            Self::Security => "to find and stop misuse, and to show what was done",
            Self::Rights => "to give people what they are entitled to, and to show that it was given",
            Self::Operation => "to keep the service itself running; it holds nothing about people",
        }
    }

    /// What allows it (GDPR, Article 6).
    #[must_use]
    pub const fn basis(self) -> &'static str {
        match self {
            Self::Service | Self::Authentication | Self::Letters => "contract, Art. 6(1)(b)",
            Self::Billing | Self::Rights => "legal obligation, Art. 6(1)(c)",
            Self::Security => "legitimate interest in a safe service, Art. 6(1)(f)",
            Self::Operation => "none needed",
        }
    }
}

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// As long as the account is.
    Account,
    /// As many days as the plan's `log_days` say, or the deployment's.
    Logs,
    /// As many days as the plan's `content_days` say, or the deployment's.
    Content,
    /// As many days as the plan's `request_days` say.
    Requests,
    /// As many days as `audit_days` say.
    Audit,
    /// As many hours as `idempotency_hours` say.
    Idempotency,
    /// As many days as `letter_days` say, once it is sent or given up.
    Letters,
    /// As long as the account, and as many days as `ended_key_days` say once it is over.
    EndedKeys,
    /// As many days as `export_days` say.
    Exports,
    /// As many days as `webhook_days` say.
    Webhooks,
    /// Until it expires, which it does by itself.
    Expiry,
    /// As many days as `billing_days` say: seven years, as the law asks for.
    Billing,
    /// As long as the service runs.
    Service,
}

/// What erasing an account does to its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Erasure {
    /// They are deleted.
    Deleted,
    /// They are kept, for as long as the law asks for, under a pseudonym that takes the account's place.
    Pseudonymised,
    /// They say that it was done, and not any more to whom.
    Itself,
    /// They are about nobody.
    Untouched,
}

/// A column.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds about a person; nothing for what is only technical.
    pub category: Option<Category>,
    /// What its values are.
    pub form: Form,
    /// How long, where that is less than its table says.
    pub kept: Option<Kept>,
}

/// What a column holds about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// How to reach somebody.
    Contact,
    /// What an account brought or made: agents, configuration, inputs, outputs, logs.
    Content,
    /// What was seen of how an account uses the service.
    Usage,
    /// What was bought, charged and paid.
    Billing,
    /// What was written to an account.
    Correspondence,
    /// Who may do what, and what was done.
    Security,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Contact, Self::Content, Self::Usage, Self::Billing, Self::Correspondence, Self::Security];

    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Content => "content",
            Self::Usage => "usage",
            Self::Billing => "billing",
            Self::Correspondence => "correspondence",
            Self::Security => "security",
        }
    }

    /// What the word stands for.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Contact => "how to reach you, which is an email address",
            Self::Content => "what you bring and your agents make: agents, configuration, inputs, outputs, logs",
            Self::Usage => "when and how the service was used",
            Self::Billing => "what was bought, charged and paid",
            Self::Correspondence => "what was written to you, and what you said to us",
            Self::Security => "who may do what, and what was done",
        }
    }

    /// Whether the account brought it, or the service saw it.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Contact | Self::Content => "provided",
            Self::Usage | Self::Billing | Self::Correspondence | Self::Security => "observed",
        }
    }
}

/// What the values of a column are, and how they leave the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Text, as it is.
    Text,
    /// A number.
    Number,
    /// A number that is one for yes.
    Flag,
    /// A moment, in microseconds.
    Time,
    /// A JSON value.
    Json,
    /// A JSON array, of which each item is told as a row of its own.
    Rows(&'static [Field]),
    /// Bytes that are text nowhere, as a component's are.
    Bytes,
    /// What must not leave the service, not even to its owner: keys, digests of keys, credentials.
    Secret,
    /// Sealed under the account's data key.
    Sealed(Seal),
}

/// Where a value was sealed, and what it is once it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seal {
    /// The table that it is bound to.
    pub table: &'static str,
    /// The column whose value names the row.
    pub row: &'static str,
    /// The name that it is bound to; a number from a column may follow it.
    pub name: &'static str,
    /// That column.
    pub number: Option<&'static str>,
    /// What is inside.
    pub inside: Inside,
}

/// What is inside of a sealed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Inside {
    /// Text.
    Text,
    /// A JSON value.
    Json,
    /// A JSON array, of which each item is told as a row of its own.
    Rows(&'static [Field]),
}

/// A field of the items of a JSON array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// What it is called.
    pub name: &'static str,
    /// Its place in an item that is an array itself, and not an object.
    pub place: usize,
    /// What its values are. The moment of a text that is an id is when that was made.
    pub form: Form,
}

impl Table {
    /// Whether it holds anything about a person.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        self.columns.iter().any(|column| column.category.is_some())
    }

    /// A column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// All tables. Rows refer to rows of tables that come later, so that erasure can go through them in this order.
#[must_use]
pub fn tables() -> impl DoubleEndedIterator<Item = &'static Table> {
    [runs::TABLES, agents::TABLES, money::TABLES, accounts::TABLES, system::TABLES].into_iter().flatten()
}

/// What most tables of an account's things are: kept as long as it is, for what it asked for, and deleted with it.
const fn of_account(name: &'static str, holds: &'static str, key: &'static [&'static str]) -> Table {
    Table {
        name,
        holds,
        key,
        about: About::Account,
        purpose: Purpose::Service,
        kept: Kept::Account,
        erasure: Erasure::Deleted,
        columns: &[],
        beside: None,
    }
}

const fn column(name: &'static str, category: Option<Category>, form: Form) -> Column {
    Column { name, category, form, kept: None }
}

/// A column of text about a person.
const fn text(name: &'static str, category: Category) -> Column {
    column(name, Some(category), Form::Text)
}

/// A number about a person.
const fn number(name: &'static str, category: Category) -> Column {
    column(name, Some(category), Form::Number)
}

/// A moment about a person.
const fn time(name: &'static str, category: Category) -> Column {
    column(name, Some(category), Form::Time)
}

/// A JSON value about a person.
const fn json(name: &'static str, category: Category) -> Column {
    column(name, Some(category), Form::Json)
}

const fn field(name: &'static str, place: usize, form: Form) -> Field {
    Field { name, place, form }
}

/// A technical column: the name of a row, a count, a version.
const fn technical(name: &'static str) -> Column {
    column(name, None, Form::Text)
}

/// A technical number.
const fn count(name: &'static str) -> Column {
    column(name, None, Form::Number)
}

/// A technical moment.
const fn moment(name: &'static str) -> Column {
    column(name, None, Form::Time)
}

/// What never leaves the service.
const fn secret(name: &'static str) -> Column {
    column(name, Some(Category::Security), Form::Secret)
}

/// A sealed value about a person, bound to the row that a column names.
const fn sealed(
    name: &'static str,
    category: Category,
    (table, row, bound): (&'static str, &'static str, &'static str),
    inside: Inside,
) -> Column {
    let seal = Seal { table, row, name: bound, number: None, inside };
    column(name, Some(category), Form::Sealed(seal))
}
