//! How letters leave: by SMTP, or as files in the data folder when there is no server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::header::{ContentTransferEncoding, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};

use super::Addressed;
use super::content::one_line;
use crate::clock::Micros;
use crate::config::{MailTls, MailValues};
use crate::ids::LetterId;

/// The folder, within the data folder, where letters are files while there is no mail server.
const OUTBOX: &str = "outbox";

/// The variable whose value is the mail server's password.
pub const SMTP_PASSWORD: &str = "AAASP_SMTP_PASSWORD";

/// How long the server may take for each step.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take for all of a letter: less than another host leaves it to this one.
const WHOLE_PATIENCE: Duration = Duration::from_secs(120);

/// Bytes that a line of a message has at most (RFC 5322).
const LINE_BYTES: usize = 998;

/// Why a letter did not leave.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(String),
    /// It can't be written as a message.
    #[error("the letter can't be written: {0}")]
    Message(String),
    /// The server refuses it for good.
    #[error("the mail server refuses it: {0}")]
    Refused(String),
    /// It may be taken later.
    #[error("{0}")]
    Passing(String),
}

impl TransportError {
    pub(super) fn message(error: impl ToString) -> Self {
        Self::Message(error.to_string())
    }

    /// Whether another try may do better.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(self, Self::Passing(_) | Self::Config(_))
    }
}

enum Way {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Folder(PathBuf),
}

/// How letters leave, and from whom.
pub struct Transport {
    way: Way,
    from: Mailbox,
}

impl Transport {
    /// As the operator's file says. The password of the server is no part of the file.
    ///
    /// # Errors
    /// [`TransportError::Config`] when the certificate authority's file can't be read.
    pub fn new(values: &MailValues, data: &Path, password: Option<&SecretString>) -> Result<Self, TransportError> {
        let from = values.from.parse().map_err(|error| TransportError::Config(format!("`mail.from`: {error}")))?;
        let way = match &values.server {
            Some(server) => Way::Smtp(Box::new(smtp(values, server, data, password)?)),
            None => {
                let folder = data.join(OUTBOX);
                tracing::info!(folder = %folder.display(), "there is no mail server: letters are files");
                Way::Folder(folder)
            }
        };
        Ok(Self { way, from })
    }

    /// Hands a letter over.
    pub(super) async fn send(&self, id: LetterId, addressed: &Addressed, at: Micros) -> Result<(), TransportError> {
        let message = self.message(id, addressed, at)?;
        match &self.way {
            Way::Smtp(server) => match tokio::time::timeout(WHOLE_PATIENCE, server.send(message)).await {
                Err(_) => Err(TransportError::Passing("the mail server takes too long".to_owned())),
                Ok(sent) => match sent {
                    Ok(_) => Ok(()),
                    Err(error) if is_about_the_letter(&error) => Err(TransportError::Refused(error.to_string())),
                    Err(error) => Err(TransportError::Passing(error.to_string())),
                },
            },
            Way::Folder(folder) => {
                let (folder, bytes) = (folder.clone(), message.formatted());
                tokio::task::spawn_blocking(move || put(&folder, id, &bytes))
                    .await
                    .map_err(TransportError::message)?
                    .map_err(|error| TransportError::Passing(format!("the outbox can't be written: {error}")))
            }
        }
    }

    fn message(&self, id: LetterId, addressed: &Addressed, at: Micros) -> Result<Message, TransportError> {
        let Addressed { to, letter } = addressed;
        let content = letter.content();
        let from = self.from.to_string();
        let (text, html) = content.rendered(&from, letter.unsubscribe())?;
        let to: Address = to.parse().map_err(TransportError::message)?;
        let mut builder = Message::builder()
            // The same at each try, so that a repeat is known as one.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .date(at.into())
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(content.subject)
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if let Some(link) = letter.unsubscribe() {
            builder = builder
                .raw_header(header("List-Unsubscribe", &format!("<{}>", one_line(link))))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        let parts = MultiPart::alternative().singlepart(plain(text)).singlepart(SinglePart::html(html));
        builder.multipart(parts).map_err(TransportError::message)
    }
}

/// Plain text as it is, wherever mail takes it so: encoded, a long link is in two parts for whoever reads a file of the
/// outbox.
fn plain(text: String) -> SinglePart {
    let fits = text.is_ascii() && !text.contains(['\r', '\0']) && text.lines().all(|line| line.len() <= LINE_BYTES);
    if !fits {
        return SinglePart::plain(text);
    }
    let bytes = text.replace('\n', "\r\n").into_bytes();
    SinglePart::plain(Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::SevenBit))
}

/// Whether a server refuses this letter for good, and not us: whoever may not log in now may later.
fn is_about_the_letter(error: &lettre::transport::smtp::Error) -> bool {
    const ABOUT_US: [&str; 4] = ["530", "534", "535", "538"];
    error.is_permanent() && error.status().is_none_or(|code| !ABOUT_US.contains(&code.to_string().as_str()))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn smtp(
    values: &MailValues,
    server: &str,
    data: &Path,
    password: Option<&SecretString>,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, TransportError> {
    let config = |error: &dyn std::fmt::Display| TransportError::Config(format!("`mail`: {error}"));
    let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
    let port = if port.is_empty() { values.tls.port() } else { port.parse().map_err(|error| config(&error))? };
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = &values.ca_file {
        let pem = std::fs::read(data.join(file)).map_err(|error| config(&error))?;
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| config(&error))?);
    }
    let parameters = parameters.build_rustls().map_err(|error| config(&error))?;
    let tls = match values.tls {
        MailTls::Starttls => Tls::Required(parameters),
        MailTls::Tls => Tls::Wrapper(parameters),
        MailTls::None => Tls::None,
    };
    let mut builder =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port).tls(tls).timeout(Some(PATIENCE));
    if let Some(user) = &values.user {
        let password =
            password.ok_or_else(|| config(&format!("`user` needs the environment variable {SMTP_PASSWORD}")))?;
        builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.build())
}

/// Letters that are files.
#[must_use]
pub fn kept_as_files(data: &Path) -> Vec<LetterId> {
    let Ok(entries) = std::fs::read_dir(data.join(OUTBOX)) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(".eml")?.parse().ok()).collect()
}

/// Deletes a letter that is a file.
///
/// # Errors
/// The file can't be deleted.
pub fn forget_file(data: &Path, letter: LetterId) -> std::io::Result<()> {
    std::fs::remove_file(data.join(OUTBOX).join(format!("{letter}.eml")))
}

/// Writes a message that nobody but the operator reads, whole or not at all.
fn put(folder: &Path, id: LetterId, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(format!("{id}.eml")))?;
    Ok(())
}

impl From<Micros> for std::time::SystemTime {
    fn from(at: Micros) -> Self {
        Self::UNIX_EPOCH + Duration::from_micros(at.0.unsigned_abs())
    }
}
