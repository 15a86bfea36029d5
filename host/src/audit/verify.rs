//! Verifies the audit: every entry against the chain, the chain against its signed heads, and what is still there of
//! contents against the digests.

use serde::Serialize;

use super::{End, Entry, Head};
use crate::db::{Db, DbError, audit};
use crate::receipts::PublicKey;

/// Looks at an audit that other hosts write to, before we say that it does not hold still.
const TRIES: u32 = 5;

/// Findings that are told. Whoever made the chain anew has changed every entry.
const MOST: usize = 100;

/// What a verification looked at, and what it found wrong.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Entries, each of them hashed again.
    pub entries: u64,
    /// Entries whose content is still there, each of them compared with its digest.
    pub contents: u64,
    /// Entries whose content was erased.
    pub erased: u64,
    /// Signed heads.
    pub heads: u64,
    /// What is wrong, by position, the first hundred of it; nothing, when the audit is sound.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where in the chain.
    pub position: i64,
    /// What is wrong there.
    pub fault: Fault,
    /// In words.
    pub detail: String,
    /// The first signed head that can't be true together with what is there.
    pub head: Option<i64>,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// An entry is not what was chained.
    Changed,
    /// An entry is not there any more.
    Missing,
    /// An entry was added past the chain.
    Inserted,
    /// What an entry is about is not what it was.
    Content,
    /// The chain is another than a signed head says.
    Remade,
    /// A head was not signed by this server's key, or is gone.
    Head,
}

impl Report {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, position: i64, fault: Fault, detail: String) {
        if self.findings.len() < MOST {
            self.findings.push(Finding { position, fault, detail, head: None });
        }
    }
}

/// Verifies the whole audit, page by page, so that a long one needs no memory; against signed heads that were kept
/// elsewhere, too.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or hosts don't stop writing.
pub async fn verify(db: &Db, key: &PublicKey, kept: &[Head]) -> Result<Report, DbError> {
    for _ in 0..TRIES {
        let before = audit::end(db).await?;
        let report = Look { db, report: Report::default() }.at_all(before, (key, kept)).await?;
        if audit::end(db).await? == before {
            return Ok(report);
        }
    }
    Err(DbError::InUse(vec!["hosts that write to the audit; verify it while they are stopped or idle".to_owned()]))
}

/// One look at the whole audit.
struct Look<'a> {
    db: &'a Db,
    report: Report,
}

impl Look<'_> {
    async fn at_all(mut self, end: End, (key, kept): (&PublicKey, &[Head])) -> Result<Report, DbError> {
        let mut genuine = self.at_heads(key).await?;
        self.at_kept(key, kept, &mut genuine);
        self.at_entries(end, &genuine).await?;
        for id in audit::contents_of_none(self.db).await? {
            self.report.find(0, Fault::Content, format!("there is content of {id}, which no entry is"));
        }
        self.report.findings.sort_by_key(|finding| finding.position);
        for finding in &mut self.report.findings {
            finding.head = genuine.iter().map(|head| head.position).find(|position| *position >= finding.position);
        }
        Ok(self.report)
    }

    /// The heads that this server's key has signed.
    async fn at_heads(&mut self, key: &PublicKey) -> Result<Vec<Head>, DbError> {
        let mut genuine = Vec::new();
        let mut last = i64::MIN;
        loop {
            let page = audit::heads(self.db, last, audit::PAGE).await?;
            let Some(end) = page.last() else { return Ok(genuine) };
            last = end.position;
            self.report.heads += page.len() as u64;
            for head in page {
                if head.is_genuine(key) {
                    genuine.push(head);
                } else {
                    let detail = format!("the head at {} was not signed by this server's key", head.position);
                    self.report.find(head.position, Fault::Head, detail);
                }
            }
        }
    }

    /// Adds heads that were kept elsewhere. Of those the database has each one, too.
    fn at_kept(&mut self, key: &PublicKey, kept: &[Head], genuine: &mut Vec<Head>) {
        for head in kept {
            if !head.is_genuine(key) {
                let detail = format!("the head at {} that was kept was not signed by this server's key", head.position);
                self.report.find(head.position, Fault::Head, detail);
            } else if !genuine.contains(head) {
                let detail = format!("the head at {} that was kept is not in the database", head.position);
                self.report.find(head.position, Fault::Head, detail);
                genuine.push(head.clone());
            }
        }
        genuine.sort_by_key(|head| head.position);
    }

    async fn at_entries(&mut self, end: End, heads: &[Head]) -> Result<(), DbError> {
        let mut heads = heads.iter().peekable();
        let (mut here, mut last, mut remade) = (End::default(), i64::MIN, false);
        loop {
            let page = audit::entries(self.db, last).await?;
            let Some(next) = page.last() else { break };
            last = next.position;
            self.report.entries += page.len() as u64;
            for entry in page {
                here = self.at_entry(here, &entry, end);
                self.at_content(&entry);
                while let Some(head) = heads.next_if(|head| head.position <= here.position) {
                    if head.position == here.position && head.chain != here.chain && !remade {
                        let detail = format!("the chain up to {} is another than was signed", head.position);
                        self.report.find(head.position, Fault::Remade, detail);
                        // All that follows is another one too.
                        remade = true;
                    }
                }
            }
        }
        let signed = heads.last().map_or(0, |head| head.position);
        let due = end.position.max(signed);
        if here.position < due {
            let (first, what) = (here.position + 1, if signed > end.position { "a signed head" } else { "the end" });
            self.report.find(first, Fault::Missing, missing(first, due, what));
        }
        let there = here.position == end.position && here.chain != end.chain;
        if there || signed > end.position || here.position > end.position {
            let detail =
                format!("the end of the chain is kept as {}, and its entries end at {}", end.position, here.position);
            self.report.find(end.position, Fault::Changed, detail);
        }
        Ok(())
    }

    /// Where the chain is after an entry, as it is stored: so that one broken link is one finding.
    fn at_entry(&mut self, here: End, entry: &Entry, end: End) -> End {
        let position = entry.position;
        let stored = End { position, chain: entry.chain.as_slice().try_into().unwrap_or_default() };
        if position <= 0 || position > end.position {
            let detail =
                format!("entry {position} ({}) is outside of the chain, which ends at {}", entry.id, end.position);
            self.report.find(position, Fault::Inserted, detail);
            return if position <= 0 { here } else { stored };
        }
        if position != here.position + 1 {
            self.report.find(
                here.position + 1,
                Fault::Missing,
                missing(here.position + 1, position - 1, "what follows"),
            );
        } else if here.followed_by(&entry.link()) != stored || entry.chain.len() != 32 {
            self.report.find(
                position,
                Fault::Changed,
                format!("entry {position} ({}) is not what was chained", entry.id),
            );
        }
        stored
    }

    fn at_content(&mut self, entry: &Entry) {
        let Some(content) = &entry.content else {
            self.report.erased += 1;
            return;
        };
        self.report.contents += 1;
        if content.digest().as_slice() != entry.digest {
            let detail = format!("what entry {} ({}) is about is not what it was", entry.position, entry.id);
            self.report.find(entry.position, Fault::Content, detail);
        }
    }
}

fn missing(first: i64, last: i64, known_by: &str) -> String {
    if first == last {
        format!("entry {first} is missing, as {known_by} shows")
    } else {
        format!("entries {first} to {last} are missing, as {known_by} shows")
    }
}
