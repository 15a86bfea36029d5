//! One measurement: wrk for some seconds, every answer looked at.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::shell;

/// How hard to press, and for how long.
pub struct Load<'a> {
    /// Connections, each with one request under way.
    pub clients: u32,
    /// Length of the measurement.
    pub seconds: u32,
    /// Where the script goes.
    pub folder: &'a Path,
}

/// One request, and what its answer has to contain.
pub struct Request<'a> {
    /// Where to.
    pub url: String,
    /// Method.
    pub method: &'a str,
    /// The API key; empty for none.
    pub api_key: &'a str,
    /// JSON body; empty for none.
    pub body: &'a str,
    /// Each answer is 200 and contains this text.
    pub expected: &'a str,
}

/// What wrk saw.
pub struct Seen {
    /// Answers.
    pub requests: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Median latency, in microseconds.
    pub p50_us: u64,
    /// 99th percentile of the latency, in microseconds.
    pub p99_us: u64,
}

/// wrk keeps a Lua state a thread: each counts its own bad answers, and `done` adds them up.
const SCRIPT: &str = r#"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() bad = 0; example = "" end
function response(status, headers, body)
  if status ~= 200 or not body:find(expected, 1, true) then
    bad = bad + 1
    example = status .. " " .. body
  end
end
function done(summary, latency, requests)
  local bad, example = 0, ""
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("bad")
    if #thread:get("example") > 0 then example = thread:get("example") end
  end
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"bad":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), bad,
    errors.connect + errors.read + errors.write + errors.timeout))
  io.write("EXAMPLE " .. example:sub(1, 400) .. "\n")
end
"#;

impl Load<'_> {
    /// Presses, and fails unless every single answer was the expected one.
    pub fn press(&self, request: &Request) -> Result<Seen> {
        let script = self.folder.join("load.lua");
        let mut lua = format!("expected = [==[{}]==]\nwrk.method = \"{}\"\n", request.expected, request.method);
        if !request.body.is_empty() {
            lua.push_str(&format!("wrk.body = [==[{}]==]\n", request.body));
            lua.push_str("wrk.headers[\"Content-Type\"] = \"application/json\"\n");
        }
        if !request.api_key.is_empty() {
            lua.push_str(&format!("wrk.headers[\"Authorization\"] = \"Bearer {}\"\n", request.api_key));
        }
        std::fs::write(&script, lua + SCRIPT)?;

        let threads = self.clients.min(2).to_string();
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", &threads, "--connections", &self.clients.to_string()]);
        wrk.args(["--duration", &format!("{}s", self.seconds), "--timeout", "70s", "--script"]).arg(&script);
        wrk.arg(&request.url);
        let printed = shell::capture(&mut wrk)?;

        let line = |prefix: &str| printed.lines().find_map(|line| line.strip_prefix(prefix));
        let result: Value = serde_json::from_str(line("RESULT ").context("wrk printed no result")?)?;
        let number = |name: &str| result[name].as_u64().with_context(|| format!("wrk counted no {name}"));
        let example = line("EXAMPLE ").unwrap_or_default();
        ensure!(number("bad")? == 0, "{} of {} answers were wrong: {example}", result["bad"], result["requests"]);
        ensure!(number("broken")? == 0, "{} requests had no answer", result["broken"]);
        let requests = number("requests")?;
        ensure!(requests > 0, "there was not a single answer");
        Ok(Seen { requests, duration_us: number("duration_us")?, p50_us: number("p50_us")?, p99_us: number("p99_us")? })
    }
}
