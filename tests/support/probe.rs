//! The probe of `plugins/hostile/egress-probe`, in a sandbox whose names and vault are the test's.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use aaasp::capabilities::egress::{EgressSettings, Resolve};
use aaasp::capabilities::log::LogEntry;
use aaasp::grants::{Grants, Place};
use aaasp::ids::AccountId;
use aaasp::limits::RunLimits;
use aaasp::names::Name;
use aaasp::runtime::{Digest, Finished, Gate, Invocation, Runtime};
use aaasp::vault::custody::{Custody, Lent, Purpose, Use, UseId, Withheld};
use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::components::built;
use super::https::authority;
use super::sandbox;

/// The secret that every attack is after. It has characters that each encoding writes differently.
pub const SECRET: &str = "s3cr3t/Sword+fish=1234~tail";

/// Names to addresses, as the test has them; each look-up takes the next answer, and the last one stays.
#[derive(Debug, Default)]
pub struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    /// What a name's look-ups are answered with, one after the other.
    pub fn set(&self, name: &str, answers: &[&[&str]]) {
        let parsed = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), parsed);
    }

    /// Every name that was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let found = answers.get_mut(host).map(|left| if left.len() > 1 { left.remove(0) } else { left[0].clone() });
        let addresses = found.map(|ips| ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
        Box::pin(async move { addresses.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

/// A secret, and its place unless it is a key that signs.
type Kept = (Vec<u8>, Option<Place>);

/// A vault of this account's credentials.
#[derive(Debug, Default)]
pub struct Vault {
    secrets: Mutex<BTreeMap<String, Kept>>,
    uses: Mutex<Vec<(Use, Option<Option<u16>>)>>,
}

impl Vault {
    /// Keeps a bearer token.
    pub fn keep(&self, name: &str, secret: &str) {
        self.secrets.lock().unwrap().insert(name.to_owned(), (secret.into(), Some(Place::Bearer)));
    }

    /// Keeps a key that signs.
    pub fn keep_key(&self, name: &str, secret: &str) {
        self.secrets.lock().unwrap().insert(name.to_owned(), (secret.into(), None));
    }

    /// Each use, and how it ended if it did.
    pub fn uses(&self) -> Vec<(Use, Option<Option<u16>>)> {
        self.uses.lock().unwrap().clone()
    }
}

impl Custody for Vault {
    fn lend<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>> {
        let kept = self.secrets.lock().unwrap().get(name.as_str()).cloned();
        Box::pin(async move {
            let (secret, place) = kept.ok_or_else(|| Withheld::Unknown(name.clone()))?;
            Ok(Lent { version: 1, place, secret: secret.into() })
        })
    }

    fn sign<'a>(&'a self, name: &'a Name, bytes: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>> {
        let kept = self.secrets.lock().unwrap().get(name.as_str()).cloned();
        Box::pin(async move {
            let (secret, place) = kept.ok_or_else(|| Withheld::Unknown(name.clone()))?;
            if place.is_some() {
                return Err(Withheld::Kind { name: name.clone(), kind: "a bearer token", wanted: "sign" });
            }
            self.used(Use { credential: name.clone(), version: 1, purpose: Purpose::Signature });
            // What signs is not under test here; what must hold is that only a signature comes back.
            Ok([secret.len() as u8 ^ bytes.len() as u8; 32])
        })
    }

    fn used(&self, used: Use) -> UseId {
        let mut uses = self.uses.lock().unwrap();
        uses.push((used, None));
        UseId(uses.len() as u64 - 1)
    }

    fn ended(&self, used: UseId, status: Option<u16>) {
        self.uses.lock().unwrap()[used.0 as usize].1 = Some(status);
    }
}

/// A sandbox with a network of its own.
pub struct Lab {
    pub names: Arc<Names>,
    pub vault: Arc<Vault>,
    pub account: AccountId,
    pub limits: RunLimits,
    runtime: Runtime,
    _folder: TempDir,
}

/// What a run of the probe came to.
pub struct Probed {
    pub finished: Finished,
    pub log: Vec<LogEntry>,
    pub core_dump: Option<Bytes>,
}

impl Lab {
    /// The loopback address `127.0.0.1` may be reached, and no other that is not public; names of the servers'
    /// certificate lead there.
    pub fn new() -> Self {
        let names = Arc::new(Names::default());
        for name in ["api.test", "other.test", "xn--bcher-kva.test", "localhost"] {
            names.set(name, &[&["127.0.0.1"]]);
        }
        let folder = tempfile::tempdir().unwrap();
        let mut settings = sandbox::settings(folder.path().to_owned());
        settings.pool_slots = 16;
        settings.core_dumps = true;
        settings.egress = EgressSettings {
            allow_addresses: vec!["127.0.0.1/32".parse().unwrap()],
            authorities: vec![authority()],
            resolver: names.clone(),
        };
        let vault = Arc::new(Vault::default());
        vault.keep("token", SECRET);
        Self {
            names,
            vault,
            account: AccountId::generate(),
            limits: RunLimits::default(),
            runtime: Runtime::new(settings).unwrap(),
            _folder: folder,
        }
    }

    /// Runs a script under these grants.
    pub async fn run(&self, grants: Value, script: Value) -> Probed {
        self.run_behind(Gate::open(), grants, script).await
    }

    /// The same, behind a gate.
    pub async fn run_behind(&self, gate: Gate, grants: Value, script: Value) -> Probed {
        let bytes = Bytes::from(built("egress-probe"));
        let copy = bytes.clone();
        let loaded = self.runtime.load(&Digest::of(&bytes), || async { Ok::<_, String>(copy) }).await.unwrap();
        let grants: Grants = serde_json::from_value(grants).unwrap();
        let invocation = Invocation {
            input: script.to_string(),
            grants: Arc::new(grants),
            account: self.account,
            custody: self.vault.clone(),
            gate,
            ..sandbox::invocation(self.limits.clone())
        };
        let log = invocation.log.clone();
        let mut finished = self.runtime.invoke(&loaded, invocation).await;
        let core_dump = finished.core_dump.take();
        Probed { finished, log: log.drain(), core_dump }
    }

    /// Sends these requests, lets the guest trap with all that it has seen in its memory, and fails when the secret is
    /// in there.
    pub async fn assert_not_in_memory(&self, port: u16, steps: Value) {
        let probed = self.run(granted(port), json!({"steps": steps, "tell": "panic"})).await;
        let memories = probed.memories();
        let holds = |text: &str| memories.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(holds(&format!("api.test:{port}")), "that is not the memory of the probe");
        for form in forms(SECRET) {
            assert!(!holds(&form), "{form} is in the guest's memory");
        }
    }

    /// Sends these requests with everything on this port of `api.test` granted, and the token bound to it.
    pub async fn send(&self, port: u16, steps: Value) -> Probed {
        self.run(granted(port), json!({"steps": steps})).await
    }
}

/// Everything on this port of `api.test` and `other.test` is allowed; the token goes to `api.test`.
pub fn granted(port: u16) -> Value {
    json!({
        "egress": {"allow": [{"host": "api.test", "port": port}, {"host": "other.test", "port": port}]},
        "credentials": {"token": {"to": [{"host": "api.test", "port": port}]}},
    })
}

impl Probed {
    /// What the probe saw of its n-th request.
    pub fn seen(&self, number: usize) -> Value {
        let output = self.finished.output.as_ref().unwrap_or_else(|| panic!("{:?}", self.finished.error));
        serde_json::from_str::<Value>(output).unwrap()["seen"][number].clone()
    }

    /// The errors of the n-th request, in one text.
    pub fn errors(&self, number: usize) -> String {
        self.seen(number)["errors"].to_string()
    }

    /// Everything that the run left behind, in one text.
    pub fn everything(&self) -> String {
        format!("{:?} {:?}", self.finished, self.log)
    }

    /// Fails when the secret is in anything that the run left behind, in any form that it is looked for in.
    pub fn assert_no_secret(&self) {
        let everything = self.everything();
        for form in forms(SECRET) {
            assert!(!everything.contains(&form), "{form} is in {everything}");
        }
    }

    /// Every byte of the guest's memories, of a run that ended in a trap.
    fn memories(&self) -> Vec<u8> {
        let dump = self.core_dump.as_ref().unwrap_or_else(|| panic!("no trap: {:?}", self.finished));
        let mut memories = BTreeMap::<u32, Vec<u8>>::new();
        for payload in wasmparser::Parser::new(0).parse_all(dump) {
            let Ok(wasmparser::Payload::DataSection(segments)) = payload else { continue };
            for segment in segments.into_iter().map(Result::unwrap) {
                let wasmparser::DataKind::Active { memory_index, offset_expr } = segment.kind else { continue };
                let wasmparser::Operator::I32Const { value } = offset_expr.get_operators_reader().read().unwrap()
                else {
                    panic!("a segment lies where none can")
                };
                // Runs of zeros are left out of a dump, and what lies beside them may belong together.
                let (memory, start) = (memories.entry(memory_index).or_default(), value as u32 as usize);
                memory.resize(memory.len().max(start + segment.data.len()), 0);
                memory[start..start + segment.data.len()].copy_from_slice(segment.data);
            }
        }
        memories.into_values().flatten().collect()
    }
}

/// The forms that must not be found, made here anew, without the code under test.
pub fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let bytes = secret.as_bytes();
    let mut forms = vec![secret.to_owned(), hex::encode(bytes), hex::encode_upper(bytes)];
    forms.push(bytes.iter().map(|byte| format!("%{byte:02X}")).collect());
    forms.push(secret.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"));
    forms.push(secret.replace('/', "%2f").replace('+', "%2b").replace('=', "%3d"));
    forms.push(secret.replace('/', "\\/"));
    for before in 0..3_usize {
        let padded = [&b"xx"[..before.min(2)], bytes].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            // Characters that mix the secret with what stands beside it are not its own.
            forms.push(text[(before * 8).div_ceil(6)..padded.len() * 8 / 6].to_owned());
        }
    }
    forms
}
