//! What any letter is made of, and the two templates that show it: plain text and HTML.

use askama::Template;

use super::transport::TransportError;

/// A subject and what follows, in its order.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub subject: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Paragraph(String),
    Fact(String, String),
    Action(String, String),
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    letter: &'a Content,
    from: &'a str,
    unsubscribe: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    letter: &'a Content,
    from: &'a str,
    unsubscribe: Option<&'a str>,
}

/// Whatever a letter is about, its headers have one line each.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Content {
    pub(super) fn new(subject: impl ToString) -> Self {
        Self { subject: one_line(&subject.to_string()), parts: Vec::new() }
    }

    pub(super) fn says(mut self, text: impl ToString) -> Self {
        self.parts.push(Part::Paragraph(text.to_string()));
        self
    }

    pub(super) fn fact(mut self, name: impl ToString, value: impl ToString) -> Self {
        self.parts.push(Part::Fact(name.to_string(), value.to_string()));
        self
    }

    pub(super) fn action(mut self, label: impl ToString, link: impl ToString) -> Self {
        self.parts.push(Part::Action(label.to_string(), link.to_string()));
        self
    }

    /// Plain text and HTML, from whom and with the link that ends such letters.
    pub(super) fn rendered(&self, from: &str, unsubscribe: Option<&str>) -> Result<(String, String), TransportError> {
        let text = Text { letter: self, from, unsubscribe }.render().map_err(TransportError::message)?;
        let html = Html { letter: self, from, unsubscribe }.render().map_err(TransportError::message)?;
        Ok((text, html))
    }
}
