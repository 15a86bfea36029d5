//! The upload of a component, with a bar that shows how far it is.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use super::client::{Answer, Client};
use super::progress;

/// Bytes that the bar moves by.
const STEP: usize = 64 << 10;

/// Uploads a component as the agent's next version.
pub(super) async fn upload(client: &Client, agent: &str, file: &Path) -> anyhow::Result<Answer> {
    let component = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let size = component.len();
    let bar = progress::on_stderr(ProgressBar::new(size as u64));
    let style = ProgressStyle::with_template("uploading {wide_bar} {binary_bytes} of {binary_total_bytes}")?;
    bar.set_style(style);
    let body = body(Bytes::from(component), bar.clone());
    let answer = client.upload(&["agents", agent], size, body).await;
    bar.finish_and_clear();
    answer
}

fn body(component: Bytes, bar: ProgressBar) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    futures::stream::unfold((component, bar), |(mut rest, bar)| async move {
        if rest.is_empty() {
            return None;
        }
        let chunk = rest.split_to(STEP.min(rest.len()));
        bar.inc(chunk.len() as u64);
        if rest.is_empty()
            && let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}")
        {
            bar.set_style(style);
            bar.set_message("the server compiles and inspects the component");
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Some((Ok(chunk), (rest, bar)))
    })
}
