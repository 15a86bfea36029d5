//! `aaasp audit`: each use of the account's credentials.

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::client::{ListArgs, Rows, ServerArgs};
use super::readable;
use crate::clock::Micros;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp audit --limit 20
  aaasp audit --credential github
  aaasp audit --run run_01h455vb4pex5vsknk084sn02q --json")]
pub(super) struct Args {
    /// Only uses of this credential.
    #[arg(long, value_name = "NAME", env = "AAASP_CREDENTIAL")]
    credential: Option<String>,
    /// Only uses by runs of this deployment.
    #[arg(long, value_name = "NAME", env = "AAASP_DEPLOYMENT")]
    deployment: Option<String>,
    /// Only uses by this run.
    #[arg(long, value_name = "RUN", env = "AAASP_RUN")]
    run: Option<String>,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Deserialize)]
struct Use {
    at: Micros,
    deployment: String,
    run: String,
    credential: String,
    version: u32,
    purpose: Option<String>,
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    ended_at: Option<Micros>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    let filter: Vec<(&str, &str)> =
        [("credential", &args.credential), ("deployment", &args.deployment), ("run", &args.run)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect();
    let rows = Rows {
        header: &["at", "credential", "version", "for", "status", "deployment", "run"],
        right: &[2],
        row: |used: Use| {
            let (what, status) = (what(&used), status(&used));
            let version = used.version.to_string();
            vec![readable::time(used.at), used.credential, version, what, status, used.deployment, used.run]
        },
        nothing: "no credential was used",
    };
    client.list(&["audit"], &filter, args.list, &rows).await
}

fn what(used: &Use) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    match &used.host {
        // A guest chose the path, and may not move the cursor of whoever reads it.
        Some(host) => readable::printable(&format!("{} {host}{}", text(&used.method), text(&used.path))).into_owned(),
        None => text(&used.purpose),
    }
}

fn status(used: &Use) -> String {
    match (used.status, used.ended_at, used.purpose.as_deref()) {
        (Some(status), ..) => status.to_string(),
        (None, None, _) => "unknown".to_owned(),
        (None, Some(_), Some("signature")) => "signed".to_owned(),
        (None, Some(_), _) => "no answer".to_owned(),
    }
}
