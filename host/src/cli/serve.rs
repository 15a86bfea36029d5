//! `aaasp serve`: run a host until it is told to stop.

use std::net::SocketAddr;

use clap::Args as ClapArgs;
use clap::builder::FalseyValueParser;

use super::data::DataArgs;
use super::init;
use crate::clock::Clock;
use crate::config::Overrides;
use crate::folder::Folder;
use crate::host::{Host, Store};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
An empty folder is initialised first. SIGTERM stops gracefully; SIGHUP reads the operator's file again.

Examples:
  aaasp serve
  aaasp serve --data /srv/aaasp --listen 0.0.0.0:443 --metrics-listen 127.0.0.1:9090
  aaasp serve --data /srv/aaasp --listen 10.0.0.7:8080 --behind-proxy

Others reach it by TLS only: set tls.certificate and tls.key, or tls.acme, in the operator's file.")]
pub(super) struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Where the API listens [default: 127.0.0.1:8080]. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", env = "AAASP_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where Prometheus scrapes /metrics [default: nowhere].
    #[arg(long, value_name = "ADDR", env = "AAASP_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    /// A proxy in front of the host does TLS, so that it may listen in clear text.
    #[arg(long, env = "AAASP_BEHIND_PROXY", value_parser = FalseyValueParser::new())]
    behind_proxy: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let (listen, metrics_listen, behind_proxy) = (args.listen, args.metrics_listen, args.behind_proxy);
    let config = args.data.config(Overrides { listen, metrics_listen, behind_proxy, ..Overrides::default() })?;
    config.refuse_clear_text()?;
    let folder = Folder::take(&args.data.data)?;
    super::block_on(async {
        let metrics = config.values.metrics_listen;
        let fresh = !folder.is_initialised();
        let store = Store::open(folder, config, Clock::System).await?;
        if fresh && store.accounts.list(None, 1).await?.is_empty() {
            init::print_first(&store.first_account(init::FIRST_EMAIL, init::FIRST_CREDITS).await?);
        }
        if let Some(address) = metrics {
            metrics_exporter_prometheus::PrometheusBuilder::new().with_http_listener(address).install()?;
        }
        let database = store.db.location();
        let host = Host::start(store).await?;
        // Whoever reads the address may ask for a stop at once, which has to be a graceful one already.
        let stop = told_to_stop()?;
        reload_when_told(host.reloader())?;
        announce(&host.url(), &database);
        host.serve(stop).await?;
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "scripts read the address from here")]
fn announce(url: &str, database: &str) {
    println!("listening on {url}");
    tracing::info!(url, database, "ready");
}

/// Reads the operator's file again at each SIGHUP.
fn reload_when_told(reload: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload();
        }
    });
    Ok(())
}

/// SIGINT or SIGTERM.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
