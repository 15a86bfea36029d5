//! What was sent: the files that a server without a mail server writes, read as any mail program reads them.

use std::path::Path;

use mail_parser::MessageParser;

/// A letter that was sent.
#[derive(Clone, Debug)]
pub struct Letter {
    pub id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Names and values, as they came.
    pub headers: String,
}

impl Letter {
    /// Reads a message.
    pub fn parse(bytes: &[u8]) -> Self {
        let message = MessageParser::default().parse(bytes).expect("a message");
        let to = message.to().and_then(|to| to.first()).and_then(|to| to.address()).expect("somebody");
        let headers = String::from_utf8_lossy(bytes);
        Self {
            id: message.message_id().expect("an id").to_owned(),
            to: to.to_owned(),
            subject: message.subject().expect("a subject").to_owned(),
            text: message.body_text(0).expect("plain text").into_owned(),
            html: message.body_html(0).expect("HTML").into_owned(),
            headers: headers.split("\r\n\r\n").next().unwrap_or_default().to_owned(),
        }
    }

    /// The link that it carries.
    pub fn link(&self) -> &str {
        let link = self.text.split_whitespace().find(|word| word.contains("/confirm/"));
        link.unwrap_or_else(|| panic!("no link in {}", self.text))
    }

    /// The link's secret.
    pub fn secret(&self) -> &str {
        self.link().rsplit('/').next().unwrap()
    }

    /// The link's path on the server.
    pub fn path(&self) -> &str {
        &self.link()[self.link().find("/confirm/").unwrap()..]
    }
}

/// What a server has sent, in the order of its causes.
pub fn letters(data: &Path) -> Vec<Letter> {
    let Ok(entries) = std::fs::read_dir(data.join("outbox")) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    // A host may delete one meanwhile, whose account is erased.
    files.iter().filter_map(|path| std::fs::read(path).ok()).map(|bytes| Letter::parse(&bytes)).collect()
}
