//! Runs over HTTP without account, ledger and database: what the rest of the host is compared with.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::invocation;
use crate::ids::RunId;
use crate::runtime::{Digest, Kind, Outcome, Runtime};

#[derive(Deserialize)]
struct Body {
    input: Box<RawValue>,
}

struct Served {
    runtime: Runtime,
    component: Bytes,
    digest: Digest,
}

/// Serves one agent until the process is ended.
pub(super) async fn serve(runtime: Runtime, component: Bytes, listen: SocketAddr) -> anyhow::Result<()> {
    let inspected = runtime.inspect(component.clone()).await?;
    if inspected.kind != Kind::Agent {
        bail!("only agents are served here");
    }
    let served = Arc::new(Served { runtime, component, digest: inspected.digest });
    let router = Router::new().route("/", post(run)).with_state(served);
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| listen.to_string())?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn run(State(served): State<Arc<Served>>, Json(body): Json<Body>) -> Result<Json<Value>, StatusCode> {
    let bytes = served.component.clone();
    let loaded = served
        .runtime
        .load(&served.digest, || async move { anyhow::Ok(bytes) })
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let mut invocation = invocation();
    invocation.run_id = RunId::generate().to_string();
    invocation.input = body.input.get().to_owned();
    let id = invocation.run_id.clone();
    let finished = served.runtime.invoke(&loaded, invocation).await;
    let output = finished.output.as_deref().and_then(|output| serde_json::from_str::<Value>(output).ok());
    let outcome = if finished.outcome == Outcome::Succeeded { "succeeded" } else { "failed" };
    Ok(Json(serde_json::json!({"id": id, "outcome": outcome, "output": output, "fuel": finished.usage.fuel})))
}
