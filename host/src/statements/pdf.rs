//! A statement on a page of A4.

use pdf_writer::{Content, Name, Pdf, Rect, Ref, Str, TextStr};

use super::metrics::width;
use super::{Movement, OfDeployment, Statement};
use crate::clock::Micros;
use crate::ids::AccountId;
use crate::ledger::Microcredits;

const PAGE: Rect = Rect { x1: 0.0, y1: 0.0, x2: 595.0, y2: 842.0 };
const LEFT: f32 = 64.0;
const RIGHT: f32 = 531.0;

/// Where the notes at the foot begin.
const LOWEST: f32 = 90.0;

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const SHEET: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const REGULAR_FONT: Ref = Ref::new(5);
const BOLD_FONT: Ref = Ref::new(6);
const ABOUT: Ref = Ref::new(7);

/// The statement as a PDF: the same bytes each time.
#[must_use]
pub fn pdf(statement: &Statement, account: AccountId, issuer: &str) -> Vec<u8> {
    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES).lang(TextStr("en"));
    pdf.pages(PAGES).kids([SHEET]).count(1);
    let mut page = pdf.page(SHEET);
    page.parent(PAGES).media_box(PAGE).contents(CONTENT);
    page.resources().fonts().pair(Name(Font::Regular.name()), REGULAR_FONT).pair(Name(Font::Bold.name()), BOLD_FONT);
    drop(page);
    for (font, base) in [(REGULAR_FONT, "Helvetica"), (BOLD_FONT, "Helvetica-Bold")] {
        // Every reader of PDF has these two, so that none has to be embedded.
        pdf.type1_font(font).base_font(Name(base.as_bytes())).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let title = format!("Statement {} for {}", number(statement.number), statement.month.name());
    pdf.document_info(ABOUT).title(TextStr(&title)).producer(TextStr("AAASP"));
    pdf.stream(CONTENT, &content(statement, account, issuer));
    pdf.finish()
}

fn content(statement: &Statement, account: AccountId, issuer: &str) -> Vec<u8> {
    let mut sheet = Sheet(Content::new());
    sheet.text(Font::Bold, 22.0, LEFT, 760.0, "Statement");
    sheet.right_aligned(Font::Bold, 12.0, 760.0, &number(statement.number));
    sheet.text(Font::Regular, 12.0, LEFT, 740.0, &statement.month.name());
    sheet.gray(0.35);
    sheet.right_aligned(Font::Regular, 9.0, 742.0, issuer);
    sheet.gray(0.0);

    let last_day = day(Micros(statement.to.0 - 1));
    let facts = [
        ("Account", account.to_string()),
        ("Period", format!("{} to {last_day}, in UTC", day(statement.from))),
        ("Issued", day(statement.issued_at)),
        ("Runs charged", statement.runs.to_string()),
    ];
    let mut y = 700.0;
    for (name, fact) in facts {
        sheet.gray(0.35);
        sheet.text(Font::Regular, 9.5, LEFT, y, name);
        sheet.gray(0.0);
        sheet.text(Font::Regular, 9.5, LEFT + 90.0, y, &fact);
        y -= 16.0;
    }

    y -= 22.0;
    sheet.gray(0.35);
    sheet.text(Font::Regular, 8.5, LEFT, y, "WHAT MOVED THE BALANCE");
    sheet.text(Font::Regular, 8.5, LEFT + 150.0, y, "FROM AND TO");
    sheet.ending_at(Font::Regular, 8.5, RIGHT - 130.0, y, "COUNT");
    sheet.right_aligned(Font::Regular, 8.5, y, "CREDITS");
    sheet.gray(0.0);
    y -= 8.0;
    sheet.rule(y, 0.8);
    y -= 18.0;
    sheet.total(y, "Opening balance", statement.opening_microcredits);
    for movement in &statement.movements {
        y -= 20.0;
        sheet.movement(y, movement);
    }
    if statement.booked_late_microcredits != Microcredits::ZERO {
        y -= 20.0;
        sheet.text(Font::Regular, 10.0, LEFT, y, "Booked late, for earlier months");
        sheet.right_aligned(Font::Regular, 10.0, y, &credits(statement.booked_late_microcredits));
    }
    y -= 10.0;
    sheet.rule(y, 0.8);
    y -= 18.0;
    sheet.total(y, "Closing balance", statement.closing_microcredits);
    sheet.deployments(y - 40.0, &statement.deployments);

    sheet.gray(0.35);
    let notes = [
        "Amounts are in credits, to the millionth. The balance is what is available and what is held for runs that have",
        "not finished: what moves between these two changes it by nothing. `aaasp credits history` lists each transaction.",
    ];
    for (line, note) in notes.into_iter().enumerate() {
        sheet.text(Font::Regular, 8.0, LEFT, 70.0 - 11.0 * line as f32, note);
    }
    sheet.0.finish().into_vec()
}

#[derive(Clone, Copy)]
enum Font {
    Regular,
    Bold,
}

impl Font {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Regular => b"Regular",
            Self::Bold => b"Bold",
        }
    }
}

/// A page that is written on. Places are in points, from its lower left corner.
struct Sheet(Content);

impl Sheet {
    fn gray(&mut self, gray: f32) {
        self.0.set_fill_gray(gray);
    }

    fn text(&mut self, font: Font, size: f32, x: f32, y: f32, text: &str) {
        let ascii: Vec<u8> = text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect();
        self.0.begin_text().set_font(Name(font.name()), size).next_line(x, y).show(Str(&ascii)).end_text();
    }

    fn ending_at(&mut self, font: Font, size: f32, x: f32, y: f32, text: &str) {
        self.text(font, size, x - width(text, size), y, text);
    }

    fn right_aligned(&mut self, font: Font, size: f32, y: f32, text: &str) {
        self.ending_at(font, size, RIGHT, y, text);
    }

    fn rule(&mut self, y: f32, thickness: f32) {
        self.0.set_stroke_gray(0.75).set_line_width(thickness).move_to(LEFT, y).line_to(RIGHT, y).stroke();
    }

    fn total(&mut self, y: f32, what: &str, amount: Microcredits) {
        self.text(Font::Bold, 10.0, LEFT, y, what);
        self.right_aligned(Font::Bold, 10.0, y, &credits(amount));
    }

    /// As many as there is room for, and what is left as one.
    fn deployments(&mut self, mut y: f32, deployments: &[OfDeployment]) {
        if deployments.is_empty() {
            return;
        }
        self.gray(0.35);
        self.text(Font::Regular, 8.5, LEFT, y, "RUNS CHARGED, BY DEPLOYMENT");
        self.ending_at(Font::Regular, 8.5, RIGHT - 130.0, y, "COUNT");
        self.right_aligned(Font::Regular, 8.5, y, "CREDITS");
        self.gray(0.0);
        y -= 8.0;
        self.rule(y, 0.8);
        let room = ((y - LOWEST) / 16.0).max(1.0) as usize;
        let shown = if deployments.len() > room { room - 1 } else { deployments.len() };
        let (shown, others) = deployments.split_at(shown);
        let mut line = |called: &str, runs: i64, charged: Microcredits| {
            y -= 16.0;
            self.text(Font::Regular, 9.5, LEFT, y, called);
            self.ending_at(Font::Regular, 9.5, RIGHT - 130.0, y, &grouped(&runs.to_string()));
            self.right_aligned(Font::Regular, 9.5, y, &credits(charged));
        };
        for of in shown {
            line(&of.called(), of.runs, of.charged_microcredits);
        }
        if !others.is_empty() {
            let charged = others.iter().map(|of| of.charged_microcredits).sum();
            line(&format!("{} others", others.len()), others.iter().map(|of| of.runs).sum(), charged);
        }
    }

    fn movement(&mut self, y: f32, movement: &Movement) {
        self.text(Font::Regular, 10.0, LEFT, y, &capitalised(&movement.reason));
        self.gray(0.35);
        self.text(Font::Regular, 9.0, LEFT + 150.0, y, &format!("{} to {}", movement.from, movement.to));
        self.gray(0.0);
        self.ending_at(Font::Regular, 10.0, RIGHT - 130.0, y, &grouped(&movement.count.to_string()));
        let change = movement.balance_change_microcredits;
        if change == Microcredits::ZERO {
            self.gray(0.55);
        }
        self.right_aligned(Font::Regular, 10.0, y, &credits(change));
        self.gray(0.0);
    }
}

/// `No. 000 042`: as long as a number stays below a million, all have the same length.
fn number(number: i64) -> String {
    format!("No. {}", grouped(&format!("{number:06}")))
}

/// `-1 234.500000`.
fn credits(amount: Microcredits) -> String {
    let text = amount.to_string();
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    format!("{sign}{}.{fraction}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `Top up` for `top_up`.
fn capitalised(word: &str) -> String {
    let words = word.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `2026-01-31`.
fn day(at: Micros) -> String {
    at.rfc3339().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_words_read_well() {
        assert_eq!(credits(Microcredits(-1_234_500_000)), "-1 234.500000");
        assert_eq!(credits(Microcredits(5)), "0.000005");
        assert_eq!((number(42).as_str(), number(1_234_567).as_str()), ("No. 000 042", "No. 1 234 567"));
        assert_eq!(capitalised("top_up"), "Top up");
    }
}
