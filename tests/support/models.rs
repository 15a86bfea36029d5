//! Models for the probe of `tests/guests/model-probe`: an independent mock of the providers, and a sandbox that offers
//! them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use aaasp::capabilities::egress::EgressSettings;
use aaasp::config::ModelValues;
use aaasp::grants::Grants;
use aaasp::ids::AccountId;
use aaasp::ledger::ModelPrices;
use aaasp::limits::RunLimits;
use aaasp::models::Models;
use aaasp::names::Name;
use aaasp::runtime::{Digest, Gate, Invocation, Runtime};
use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::components::built;
use super::https::authority;
use super::probe::{Names, Probed, SECRET, Vault};
use super::sandbox;

/// `@copilotkit/aimock`, which imitates OpenAI, Anthropic and Gemini. It is somebody else's reading of their
/// documentation, checked daily against the real ones.
pub struct Mock {
    process: Child,
    address: String,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mock {
    /// The mock with the answers of `tests/mocks/models.json`; it takes no key but [`SECRET`].
    pub fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mocks");
        let program = folder.with_file_name("node_modules/.bin/llmock");
        let mut process = Command::new(&program)
            .args(["--port", "0", "--strict", "--fixtures"])
            .arg(folder.join("models.json"))
            .env("AIMOCK_API_KEYS", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask setup` installs it", program.display()));
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .map(|line| line.unwrap())
            .find_map(|line| line.split_once("listening on http://").map(|(_, address)| address.to_owned()))
            .expect("the mock says where it listens");
        Self { process, address }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One model of each provider, by the provider's name.
    pub fn models(&self) -> Value {
        let model = |provider: &str, id: &str, base: String| {
            json!({
                "provider": provider, "model": id, "base_url": base, "api_key_file": "key",
                "million_input_tokens_microcredits": 1_000_000, "million_output_tokens_microcredits": 4_000_000,
            })
        };
        json!({
            "openai": model("openai", "gpt-4o-mini", format!("{}/v1", self.url())),
            "anthropic": model("anthropic", "claude-sonnet-4-5", self.url()),
            "gemini": model("gemini", "gemini-2.5-flash", self.url()),
            "vectors": model("openai", "text-embedding-3-small", format!("{}/v1", self.url())),
        })
    }
}

/// The operator's file for the mock's models, and one that only a plan of gold may use.
pub fn operator_file(mock: &Mock, key: &Path) -> String {
    let mut file = "[egress]\nallow_addresses = [\"127.0.0.1/32\"]\n[plans.gold]\n".to_owned();
    let mut models = mock.models();
    models["gold"] = models["openai"].clone();
    models["gold"]["plans"] = json!(["gold"]);
    for (name, model) in models.as_object().unwrap() {
        file.push_str(&format!("[models.{name}]\n"));
        for (setting, value) in model.as_object().unwrap() {
            let value = if setting == "api_key_file" { json!(key) } else { value.clone() };
            file.push_str(&format!("{setting} = {value}\n"));
        }
    }
    file
}

/// One model that some server of the test is asked for.
pub fn model_at(provider: &str, base_url: &str) -> Value {
    json!({"fast": {
        "provider": provider, "model": "m-1", "base_url": base_url, "api_key_file": "key",
        "million_input_tokens_microcredits": 1_000_000, "million_output_tokens_microcredits": 4_000_000,
    }})
}

/// A sandbox that offers models.
pub struct ModelLab {
    pub vault: Arc<Vault>,
    pub limits: RunLimits,
    pub log_output: bool,
    prices: ModelPrices,
    runtime: Runtime,
    _folder: TempDir,
}

impl ModelLab {
    /// Offers these models, as an operator's file has them; [`SECRET`] is the operator's key in the file `key`.
    pub fn new(models: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(folder.path().join("key"));
        std::io::Write::write_all(&mut key.unwrap(), SECRET.as_bytes()).unwrap();
        let values: BTreeMap<Name, ModelValues> = serde_json::from_value(models).unwrap();
        let names = Arc::new(Names::default());
        names.set("api.test", &[&["127.0.0.1"]]);
        let mut settings = sandbox::settings(folder.path().to_owned());
        settings.pool_slots = 16;
        settings.egress = EgressSettings {
            allow_addresses: vec!["127.0.0.1/32".parse().unwrap()],
            authorities: vec![authority()],
            resolver: names,
        };
        settings.models = Arc::new(Models::load(&values, folder.path()).unwrap());
        let prices = values.iter().map(|(name, values)| (name.clone(), values.price(false))).collect();
        Self {
            vault: Arc::new(Vault::default()),
            limits: RunLimits::default(),
            log_output: false,
            prices,
            runtime: Runtime::new(settings).unwrap(),
            _folder: folder,
        }
    }

    /// Runs a script with every model granted.
    pub async fn run(&self, script: Value) -> Probed {
        self.run_under(json!({"model": true}), Gate::open(), script).await
    }

    /// Runs a script under these grants, behind a gate.
    pub async fn run_under(&self, grants: Value, gate: Gate, script: Value) -> Probed {
        self.run_agent("model-probe", grants, gate, script).await
    }

    /// Runs another agent.
    pub async fn run_agent(&self, agent: &str, grants: Value, gate: Gate, script: Value) -> Probed {
        let bytes = Bytes::from(built(agent));
        let copy = bytes.clone();
        let loaded = self.runtime.load(&Digest::of(&bytes), || async { Ok::<_, String>(copy) }).await.unwrap();
        let mut grants: Grants = serde_json::from_value(grants).unwrap();
        grants.model |= !grants.models.is_empty();
        let granted = |name: &Name| grants.models.is_empty() || grants.models.contains_key(name);
        let prices = self.prices.iter().filter(|(name, _)| granted(name));
        let invocation = Invocation {
            models: Arc::new(prices.map(|(name, price)| (name.clone(), *price)).collect()),
            input: script.to_string(),
            grants: Arc::new(grants),
            account: AccountId::generate(),
            custody: self.vault.clone(),
            log_output: self.log_output,
            gate,
            ..sandbox::invocation(self.limits.clone())
        };
        let log = invocation.log.clone();
        let finished = self.runtime.invoke(&loaded, invocation).await;
        Probed { finished, log: log.drain(), core_dump: None }
    }
}

impl Probed {
    /// What the model probe was told.
    pub fn told(&self) -> Value {
        let output = self.finished.output.as_ref().unwrap_or_else(|| panic!("{:?}", self.finished.error));
        serde_json::from_str(output).unwrap()
    }

    /// Tokens that the run is charged for, over all models.
    pub fn tokens(&self) -> (u64, u64) {
        let all = self.finished.usage.models.values();
        all.fold((0, 0), |(input, output), tokens| (input + tokens.input, output + tokens.output))
    }
}
