//! `aaasp credential`: what the account keeps for its agents. A secret is typed, piped or read from a file.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::client::{ListArgs, Rows, ServerArgs};
use super::json::JsonArgs;
use super::{out, readable, table};
use crate::clock::Micros;
use crate::names::Name;
use crate::vault::credentials::{Kind, OauthClient};

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
A secret is asked for without being shown, or read from standard input or a file; it is never an argument, which
others could see. No command shows it again.

Examples:
  aaasp credential set github --kind bearer
  aaasp credential set weather --kind query --param appid < key.txt
  aaasp deploy --credential github=api.github.com     # grants it to a deployment
  aaasp audit --credential github                     # shows each use"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the credentials, without their secrets.
    List(ListArgs),
    /// Set a credential's value, which the next request uses.
    ///
    /// The value before it stays until it is retired.
    Set(SetArgs),
    /// Show a credential without its secret: kind, versions, last use, deployments.
    Show {
        /// The credential.
        name: Name,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Retire a version.
    ///
    /// When it is the one in use, the one before it is in use again.
    Retire {
        /// The credential.
        name: Name,
        /// The version's number.
        #[arg(value_name = "VERSION")]
        number: u32,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Delete a credential that no deployment names.
    Delete {
        /// The credential.
        name: Name,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp credential set github --kind bearer
  aaasp credential set stripe --kind basic --username sk_live --file key.txt
  aaasp credential set legacy --kind header --header x-api-key --file -
  aaasp credential set crm --kind oauth-client --token-url https://id.example.com/token --client-id agents --scope read
  printf '%s\\n%s\\n' \"$REFRESH_TOKEN\" \"$CLIENT_SECRET\" |
    aaasp credential set mail --kind oauth-refresh --token-url https://id.example.com/token --client-id agents")]
struct SetArgs {
    /// The credential.
    name: Name,
    /// What it is, and so where it goes in a request.
    #[arg(long, value_name = "KIND", env = "AAASP_KIND")]
    kind: KindName,
    /// header: the header's name.
    #[arg(long, value_name = "NAME", env = "AAASP_HEADER", required_if_eq("kind", "header"))]
    header: Option<String>,
    /// header: what stands before the secret, such as `token `.
    #[arg(long, value_name = "TEXT", env = "AAASP_PREFIX", requires = "header")]
    prefix: Option<String>,
    /// basic: the user name.
    #[arg(long, value_name = "NAME", env = "AAASP_USERNAME", required_if_eq("kind", "basic"))]
    username: Option<String>,
    /// query: the parameter's name.
    #[arg(long, value_name = "NAME", env = "AAASP_PARAM", required_if_eq("kind", "query"))]
    param: Option<String>,
    /// oauth-client, oauth-refresh: the token endpoint.
    #[arg(long, value_name = "URL", env = "AAASP_TOKEN_URL",
          required_if_eq_any([("kind", "oauth-client"), ("kind", "oauth-refresh")]))]
    token_url: Option<String>,
    /// oauth-client, oauth-refresh: the client's id.
    #[arg(long, value_name = "ID", env = "AAASP_CLIENT_ID",
          required_if_eq_any([("kind", "oauth-client"), ("kind", "oauth-refresh")]))]
    client_id: Option<String>,
    /// oauth-client, oauth-refresh: a scope to ask for; may be given several times.
    #[arg(long, value_name = "SCOPE", env = "AAASP_SCOPE", requires = "token_url")]
    scope: Vec<String>,
    /// Read the secret from a file, or from standard input with `-`. Of oauth-refresh, the client's secret stands in
    /// the second line.
    #[arg(long, value_name = "FILE|-", env = "AAASP_SECRET_FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindName {
    /// `Authorization: Bearer …`
    Bearer,
    /// A header of any name.
    Header,
    /// `Authorization: Basic …`
    Basic,
    /// A parameter of the query.
    Query,
    /// A key that signs, and goes nowhere.
    Hmac,
    /// A client's secret, for which the host fetches access tokens.
    OauthClient,
    /// A refresh token, for which the host fetches access tokens.
    OauthRefresh,
}

/// A credential, as the API shows it.
#[derive(Deserialize)]
struct CredentialView {
    name: String,
    kind: Kind,
    version: i64,
    versions: Vec<VersionView>,
    created_at: Micros,
    rotated_at: Option<Micros>,
    last_used_at: Option<Micros>,
    used_by: Vec<String>,
}

#[derive(Deserialize)]
struct VersionView {
    version: i64,
    created_at: Micros,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["name", "kind", "version", "set", "last used", "used by"],
                right: &[2],
                row: |found: CredentialView| {
                    let set = readable::time(found.rotated_at.unwrap_or(found.created_at));
                    let used = found.last_used_at.map(readable::time).unwrap_or_default();
                    let kind = found.kind.described().to_owned();
                    vec![found.name, kind, found.version.to_string(), set, used, found.used_by.join(", ")]
                },
                nothing: "there are no credentials yet; `aaasp credential set NAME` keeps one",
            };
            client.list(&["credentials"], &[], list, &rows).await
        }
        Command::Set(set) => {
            let kind = kind(&set)?;
            let (secret, client_secret) = secret(&set)?;
            let mut body = json!({"kind": kind, "secret": secret.expose_secret()});
            if let Some(secret) = client_secret {
                body["client_secret"] = secret.expose_secret().into();
            }
            let answer = client.send(Method::PUT, &["credentials", set.name.as_str()], &body).await?;
            answer.show(set.json, |kept: &CredentialView| {
                out::line(format!("kept      {} version {}, {}", kept.name, kept.version, kept.kind.described()));
                if let Some(before) = kept.versions.get(1) {
                    let retire = format!("`aaasp credential retire {} {}`", kept.name, before.version);
                    out::note(format!("Version {} stays until you retire it: {retire}", before.version));
                }
            })
        }
        Command::Show { name, json } => client.get(&["credentials", name.as_str()], &[]).await?.show(json, show),
        Command::Retire { name, number, json } => {
            client.delete(&["credentials", name.as_str(), "versions", &number.to_string()]).await?;
            json.done("retired", &format!("{name} version {number}"), &format!("Retired version {number} of {name}."))
        }
        Command::Delete { name, json } => {
            client.delete(&["credentials", name.as_str()]).await?;
            json.done("deleted", name.as_str(), &format!("Deleted the credential {name}."))
        }
    }
}

fn show(found: &CredentialView) {
    let never = || "never, as far back as the audit is kept".to_owned();
    let users = if found.used_by.is_empty() { "no deployment".to_owned() } else { found.used_by.join(", ") };
    let place = serde_json::to_string(&found.kind).unwrap_or_default();
    table::facts(&[
        ("credential", found.name.clone()),
        ("kind", format!("{}: {place}", found.kind.described())),
        ("created", readable::time(found.created_at)),
        ("rotated", found.rotated_at.map_or_else(|| "never".to_owned(), readable::time)),
        ("last used", found.last_used_at.map_or_else(never, readable::time)),
        ("used by", users),
    ]);
    out::line("");
    let rows = found.versions.iter().map(|version| {
        let note = if version.version == found.version { "in use" } else { "" };
        vec![version.version.to_string(), readable::time(version.created_at), note.to_owned()]
    });
    table::print(&["version", "set", ""], rows);
}

/// The kind that the flags describe. Flags of another kind are refused.
fn kind(set: &SetArgs) -> anyhow::Result<Kind> {
    let is = |kinds: &[KindName]| kinds.contains(&set.kind);
    let oauth = is(&[KindName::OauthClient, KindName::OauthRefresh]);
    for (given, allowed, flag) in [
        (set.header.is_some(), is(&[KindName::Header]), "--header"),
        (set.username.is_some(), is(&[KindName::Basic]), "--username"),
        (set.param.is_some(), is(&[KindName::Query]), "--param"),
        (set.token_url.is_some() || set.client_id.is_some(), oauth, "--token-url or --client-id"),
    ] {
        if given && !allowed {
            bail!("{flag} is not for a credential of this kind");
        }
    }
    let client = || OauthClient {
        token_url: set.token_url.clone().unwrap_or_default(),
        client_id: set.client_id.clone().unwrap_or_default(),
        scopes: set.scope.clone(),
    };
    Ok(match set.kind {
        KindName::Bearer => Kind::Bearer,
        KindName::Header => Kind::Header {
            name: set.header.clone().unwrap_or_default(),
            prefix: set.prefix.clone().unwrap_or_default(),
        },
        KindName::Basic => Kind::Basic { username: set.username.clone().unwrap_or_default() },
        KindName::Query => Kind::Query { name: set.param.clone().unwrap_or_default() },
        KindName::Hmac => Kind::Hmac,
        KindName::OauthClient => Kind::OauthClientCredentials(client()),
        KindName::OauthRefresh => Kind::OauthRefreshToken(client()),
    })
}

/// The secret, and the client's secret that may go with a refresh token.
fn secret(set: &SetArgs) -> anyhow::Result<(SecretString, Option<SecretString>)> {
    let refresh = set.kind == KindName::OauthRefresh;
    if set.file.is_none() && std::io::stdin().is_terminal() {
        let what = if refresh { "Refresh token" } else { "Secret" };
        let secret = asked_for(&format!("{what} of {}: ", set.name))?;
        let client_secret =
            if refresh { asked_for("The client's secret (none for a public client): ")? } else { none() };
        return Ok((secret, Some(client_secret).filter(|secret| !secret.expose_secret().is_empty())));
    }
    let text = read(set.file.as_deref().unwrap_or_else(|| Path::new("-")))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if !refresh {
        return Ok((SecretString::from(text), None));
    }
    let mut lines = text.lines();
    let secret = SecretString::from(lines.next().unwrap_or_default());
    Ok((secret, lines.next().filter(|line| !line.is_empty()).map(SecretString::from)))
}

/// Asks at the terminal, and shows nothing of what is typed.
pub(super) fn asked_for(question: &str) -> anyhow::Result<SecretString> {
    rpassword::prompt_password(question).map(SecretString::from).context("can't read the secret from the terminal")
}

fn none() -> SecretString {
    SecretString::from("")
}

fn read(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("can't read the secret from standard input")?;
    } else {
        let mut opened = std::fs::File::open(file).with_context(|| format!("can't read {}", file.display()))?;
        opened.read_to_string(&mut text).with_context(|| format!("can't read {} as text", file.display()))?;
    }
    Ok(text)
}
