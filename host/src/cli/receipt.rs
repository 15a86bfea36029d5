//! `aaasp receipt`: signed receipts of runs, and whether one is genuine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::value::RawValue;

use super::client::{Client, DEFAULT_URL, ServerArgs};
use super::json::{self, JsonArgs};
use super::{out, readable, run_view, table};
use crate::ledger::Charge;
use crate::receipts::{Jwks, PublicKey, Receipt, Signed, digest};
use crate::runtime::Digest;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp receipt get run_01h455vb4pex5vsknk084sn02q > receipt.json
  aaasp receipt verify receipt.json --input input.json --output output.json")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the signed receipt of a run that has finished.
    #[command(after_help = "\
Example:
  aaasp receipt get run_01h455vb4pex5vsknk084sn02q > receipt.json")]
    Get {
        /// The run.
        run: String,
    },
    /// Verify that a receipt is what the operator signed, and show it.
    #[command(after_help = "\
With --key no server is asked. Inputs and outputs are compared without the spaces between the parts
of their JSON.

Examples:
  aaasp receipt verify receipt.json
  aaasp receipt verify receipt.json --key 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo
  aaasp receipt verify receipt.json --key jwks.json --input input.json --output output.json")]
    Verify(VerifyArgs),
    /// Print the public key that verifies receipts.
    #[command(after_help = "\
Examples:
  aaasp receipt key
  aaasp receipt key --json > jwks.json")]
    Key {
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
struct VerifyArgs {
    /// The receipt.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The operator's public key, or a file with it [default: the server's].
    #[arg(long, value_name = "KEY|FILE", env = "AAASP_RECEIPT_KEY")]
    key: Option<String>,
    /// The input that the run should have had.
    #[arg(long, value_name = "FILE", env = "AAASP_INPUT")]
    input: Option<PathBuf>,
    /// The output that the run should have given.
    #[arg(long, value_name = "FILE", env = "AAASP_OUTPUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Get { run } => {
            let answer = args.server.client()?.get(&["runs", &run, "receipt"], &[]).await?;
            json::print_text(&answer.text);
            Ok(())
        }
        Command::Verify(verify) => verified(&args.server, &verify).await,
        Command::Key { json } => {
            let keys = keys(&args.server).await?;
            if json.json {
                return json::print(&keys);
            }
            for key in keys.keys {
                out::line(key.x);
            }
            Ok(())
        }
    }
}

async fn keys(server: &ServerArgs) -> anyhow::Result<Jwks> {
    let url = server.url.as_deref().unwrap_or(DEFAULT_URL);
    Client::public(url, &[".well-known", "jwks.json"]).await?.read()
}

async fn verified(server: &ServerArgs, args: &VerifyArgs) -> anyhow::Result<()> {
    let name = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("can't read {name}"))?;
    let signed: Signed = serde_json::from_str(&text).with_context(|| format!("{name} is not a signed receipt"))?;
    let keys = match &args.key {
        Some(key) => given(key)?,
        None => in_set(&keys(server).await?)?,
    };
    let receipt = by_any(&signed, &keys).with_context(|| format!("{name} is not genuine"))?;
    let sum = Charge { lines: receipt.charges.clone() }.total();
    ensure!(sum == receipt.charge_microcredits, "{name}: the lines of the charge sum to {sum}");
    if let Some(input) = &args.input {
        compare("input", input, Some(receipt.input))?;
    }
    if let Some(output) = &args.output {
        compare("output", output, receipt.output)?;
    }
    if args.json.json {
        return json::print(&receipt);
    }
    show(&receipt);
    Ok(())
}

/// The key that an argument is, or the keys of the file that it names.
fn given(key: &str) -> anyhow::Result<Vec<PublicKey>> {
    if let Ok(key) = key.parse() {
        return Ok(vec![key]);
    }
    let text = std::fs::read_to_string(key).with_context(|| format!("`{key}` is neither a public key nor a file"))?;
    if let Ok(key) = text.parse() {
        return Ok(vec![key]);
    }
    in_set(&serde_json::from_str(&text).with_context(|| format!("{key} holds no set of public keys"))?)
}

fn in_set(keys: &Jwks) -> anyhow::Result<Vec<PublicKey>> {
    let ours = keys.keys.iter().filter(|key| key.crv == "Ed25519");
    ours.map(|key| key.x.parse().map_err(anyhow::Error::msg)).collect()
}

fn by_any(signed: &Signed, keys: &[PublicKey]) -> anyhow::Result<Receipt> {
    let mut wrong = None;
    for key in keys {
        match signed.verified(key) {
            Ok(receipt) => return Ok(receipt),
            Err(error) => wrong = Some(error),
        }
    }
    match wrong {
        Some(error) => Err(error.into()),
        None => bail!("there is no key to verify it with"),
    }
}

fn compare(what: &str, file: &Path, expected: Option<Digest>) -> anyhow::Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("can't read {name}"))?;
    let json: Box<RawValue> = serde_json::from_str(&text).with_context(|| format!("{name} is not JSON"))?;
    ensure!(Some(digest(json.get())) == expected, "{name} is not the {what} of this run");
    Ok(())
}

fn show(receipt: &Receipt) {
    let output = receipt.output.map_or("none".to_owned(), |output| output.to_string());
    table::facts(&[
        ("genuine", "signed by the operator".to_owned()),
        ("run", receipt.run.to_string()),
        ("account", receipt.account.to_string()),
        ("deployment", format!("{} revision {}", receipt.deployment, receipt.deployment_revision)),
        ("agent", format!("{} version {}", receipt.agent, receipt.version)),
        ("component", receipt.component.to_string()),
        ("input", receipt.input.to_string()),
        ("output", output),
        ("outcome", receipt.outcome.replace('_', " ")),
        ("finished", readable::time(receipt.finished_at)),
        ("fuel", readable::number(receipt.fuel.unsigned_abs())),
        ("prices", format!("version {}", receipt.price_version)),
    ]);
    out::line("");
    for line in run_view::charge_lines(&Charge { lines: receipt.charges.clone() }) {
        out::line(line);
    }
}
