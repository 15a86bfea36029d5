//! A real mail server: aiosmtpd, which the suite starts, stops and asks what it was given.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::outbox::Letter;

/// What the server asks for.
pub const PASSWORD: &str = "the mail server's password";

/// A mail server with TLS. Dropping it kills it.
pub struct MailServer {
    folder: TempDir,
    tls: &'static str,
    port: u16,
    process: Option<Child>,
}

impl MailServer {
    /// Starts one that speaks `starttls` or `tls`.
    pub fn start(tls: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = names.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        let mut server = Self { folder, tls, port: 0, process: None };
        server.serve();
        server
    }

    /// Starts the process, where it listened before.
    pub fn serve(&mut self) {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
        assert!(python.exists(), "{} is missing: `cargo xtask setup` makes it", python.display());
        let file = |name: &str| self.folder.path().join(name);
        let mut process = Command::new(python)
            .args(["-W", "ignore"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("mocks/smtp.py"))
            .args(["--port", &self.port.to_string(), "--tls", self.tls, "--password", PASSWORD])
            .arg("--cert")
            .arg(file("cert.pem"))
            .arg("--key")
            .arg(file("key.pem"))
            .arg("--folder")
            .arg(self.folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server did not start: {line:?}"));
        self.process = Some(process);
    }

    /// Tells it to stop, and waits until it has taken what it was being given.
    pub fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        Command::new("kill").arg(process.id().to_string()).status().unwrap();
        process.wait().unwrap();
    }

    /// Stops it like a power cut.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Lets it take what it has put off until now.
    pub fn accept_later(&self) {
        std::fs::write(self.folder.path().join("accept"), "").unwrap();
    }

    /// What it was given, in the order in which it took it.
    pub fn letters(&self) -> Vec<Letter> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap());
        let messages = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "eml"));
        let mut taken: Vec<_> =
            messages.map(|file| (file.metadata().unwrap().modified().unwrap(), file.path())).collect();
        taken.sort();
        taken.iter().map(|(_, path)| Letter::parse(&std::fs::read(path).unwrap())).collect()
    }

    /// What an operator's file says of it.
    pub fn config(&self) -> String {
        let (port, tls, ca) = (self.port, self.tls, self.folder.path().join("ca.pem"));
        let ca = ca.display();
        format!(
            "[mail]\nfrom = \"AAASP <agents@example.org>\"\nserver = \"127.0.0.1:{port}\"\ntls = \"{tls}\"\n\
             user = \"aaasp\"\nca_file = \"{ca}\"\n"
        )
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.kill();
    }
}
