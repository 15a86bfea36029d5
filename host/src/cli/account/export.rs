//! `aaasp account export`: a copy of everything that is kept about the account.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli::client::{Answer, Client, Problem};
use crate::cli::json::JsonArgs;
use crate::cli::{json, out, progress, readable};
use crate::clock::Micros;
use crate::folder;

/// How often it is asked how far the copy has come.
const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The copy is a ZIP: tables as CSV and as JSON Lines, the components of your agents, and a page, index.html, to begin
with. Values of credentials are not in it. With a recipient it is encrypted on the server; open it with
`age --decrypt --identity KEY_FILE`.

Examples:
  aaasp account export
  aaasp account export --file mine.zip
  aaasp account export --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudvy7m8qpzfv9l")]
pub(super) struct Args {
    /// Where the copy is written [default: aaasp-export-DATE.zip].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Encrypt it to this age recipient.
    #[arg(long, value_name = "AGE")]
    recipient: Option<String>,
    /// Have another one made, though one is there.
    #[arg(long)]
    new: bool,
    /// Ask for it, and do not wait: a letter says when it is ready.
    #[arg(long, conflicts_with = "file")]
    no_wait: bool,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct Export {
    state: String,
    recipient: Option<String>,
    asked_at: Micros,
    rows: u64,
    rows_read: u64,
    bytes: u64,
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    link: String,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    let there = if args.new { None } else { there(client, args.recipient.as_deref()).await? };
    let answer = match there {
        Some(answer) => answer,
        None => client.send(Method::POST, &["privacy", "exports"], &json!({"recipient": args.recipient})).await?,
    };
    if args.no_wait {
        return answer.show(args.json, |_: &Export| {
            out::note(
                "The copy is being made; a letter says when it is ready. To download it then: aaasp account export",
            );
        });
    }
    let export = ready(client, answer.read()?).await?;
    let link: Link = client.send(Method::POST, &["privacy", "exports", "links"], &json!({})).await?.read()?;
    let file = args.file.unwrap_or_else(|| {
        let day: String = export.asked_at.rfc3339().chars().take(10).collect();
        format!("aaasp-export-{day}.zip{}", if export.recipient.is_some() { ".age" } else { "" }).into()
    });
    download(client, &link.link, &export, &file).await?;
    if args.json.json {
        return json::print(&json!({"file": file, "bytes": export.bytes, "sha256": export.sha256}));
    }
    out::line(format!("{}  {}", file.display(), readable::bytes(export.bytes)));
    match export.recipient {
        Some(_) => out::note("It opens for its recipient alone: age --decrypt --identity KEY_FILE --output copy.zip …"),
        None => out::note("Begin with its index.html. To have its agents on another server: aaasp import"),
    }
    Ok(())
}

/// The copy that is there and ready, if it is for the same recipient.
async fn there(client: &Client, recipient: Option<&str>) -> anyhow::Result<Option<Answer>> {
    let answer = match client.get(&["privacy", "exports"], &[]).await {
        Err(error) if error.downcast_ref::<Problem>().is_some_and(|problem| problem.status == 404) => return Ok(None),
        answer => answer?,
    };
    let export: Export = answer.read()?;
    Ok((export.state == "ready" && export.recipient.as_deref() == recipient).then_some(answer))
}

/// Waits until the copy is ready.
async fn ready(client: &Client, mut export: Export) -> anyhow::Result<Export> {
    let bar = progress::on_stderr(ProgressBar::new(export.rows));
    bar.set_style(ProgressStyle::with_template("copying {wide_bar} {human_pos} of {human_len} rows")?);
    loop {
        bar.set_length(export.rows.max(1));
        bar.set_position(export.rows_read);
        match export.state.as_str() {
            "ready" => break,
            "asked" | "writing" => {}
            "expired" => bail!("the copy has expired meanwhile; ask for another one"),
            _ => bail!("the copy could not be made; tell the operator, whose log says why"),
        }
        tokio::time::sleep(EVERY).await;
        export = client.get(&["privacy", "exports"], &[]).await?.read()?;
    }
    bar.finish_and_clear();
    Ok(export)
}

/// Downloads the copy, and looks whether it is whole.
async fn download(client: &Client, link: &str, export: &Export, file: &Path) -> anyhow::Result<()> {
    // The link names the server as others see it; this one is reached as it was until now.
    let link: Url = link.parse().context("the server's link is none")?;
    let secret = link.path().rsplit('/').next().unwrap_or_default();
    let mut response = client.download(&["downloads", secret]).await?;
    let cannot = || format!("can't write {}", file.display());
    // Nobody else on this machine may read it, and what is there stays until the new one is whole.
    let mut written = folder::beside(file).with_context(cannot)?;
    let bar = progress::on_stderr(ProgressBar::new(export.bytes));
    bar.set_style(ProgressStyle::with_template("downloading {wide_bar} {binary_bytes} of {binary_total_bytes}")?);
    let mut digest = Sha256::new();
    while let Some(bytes) = client.more(&mut response).await? {
        written.write_all(&bytes).with_context(cannot)?;
        digest.update(&bytes);
        bar.inc(bytes.len() as u64);
    }
    bar.finish_and_clear();
    if export.sha256.as_deref() != Some(&hex::encode(digest.finalize())) {
        bail!("what came is not what the server has: its SHA-256 differs; ask again");
    }
    written.as_file().sync_all().with_context(cannot)?;
    written.persist(file).map(drop).with_context(cannot)
}
