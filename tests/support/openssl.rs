//! OpenSSL's own client, which speaks what nobody should any more.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// What the two agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaken {
    /// `TLSv1.3`
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`
    pub suite: String,
    /// `h2`; none where none was agreed on.
    pub protocol: Option<String>,
    /// The certificate that was shown; weak suites go without.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Shakes hands with a server as these arguments say, and ends. None when it comes to nothing.
pub fn shake(address: SocketAddr, arguments: &[&str]) -> Option<Shaken> {
    let output = client(address, arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (version, suite) = said.lines().find_map(|line| line.strip_prefix("New, ")?.split_once(", Cipher is "))?;
    let protocol = said.lines().find_map(|line| line.strip_prefix("ALPN protocol: ")).map(str::to_owned);
    (output.status.success() && suite != "(NONE)").then(|| Shaken {
        version: version.to_owned(),
        suite: suite.to_owned(),
        protocol,
        certificate: CertificateDer::from_pem_slice(said.as_bytes()).ok(),
    })
}

/// Whether an authority in a file vouches for what a server shows to whoever asks for a name.
pub fn is_vouched_for(address: SocketAddr, name: &str, authority: &Path) -> bool {
    let authority = authority.to_str().unwrap();
    let named = ["-servername", name, "-verify_hostname", name];
    // An address is no name that a server could be asked for by.
    let named = if name.parse::<IpAddr>().is_ok() { &["-verify_ip", name][..] } else { &named };
    let checks = [named, &["-verify_return_error", "-CAfile", authority]].concat();
    client(address, &checks).stdin(Stdio::null()).output().unwrap().status.success()
}

fn client(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &address.to_string()]).args(arguments);
    client
}

/// The suites that this OpenSSL knows up to TLS 1.2, those without any encryption too.
pub fn suites() -> Vec<String> {
    let listed = Command::new("openssl").args(["ciphers", "-s", "-tls1_2", WEAK]).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8(listed.stdout).unwrap().trim().split(':').map(str::to_owned).collect()
}

/// All suites, whatever they are worth.
pub const WEAK: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

/// A server that takes everything that OpenSSL can: what a check has to find something at.
pub struct Lax {
    pub address: SocketAddr,
    process: Child,
}

impl Lax {
    /// With the certificate that was put into a folder.
    pub fn start(folder: &Path) -> Self {
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cipher", WEAK, "-cert"])
            .arg(folder.join("cert.pem"))
            .arg("-key")
            .arg(folder.join("key.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ACCEPT") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "OpenSSL's server did not start");
        }
        // What it says of each connection has to go somewhere.
        std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
        Self { address: line.trim().trim_start_matches("ACCEPT ").parse().unwrap(), process }
    }
}

impl Drop for Lax {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
