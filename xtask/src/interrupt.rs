//! Ctrl-C ends a task in order: children stop, temporary clusters and folders go, then the task ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on a first Ctrl-C is noted instead of ending the process at once; a second one ends it.
pub fn watch() -> Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(asked))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(asked)))
            .context("cannot watch for Ctrl-C")?;
    }
    Ok(())
}

/// Whether the person has asked for the end.
pub fn asked() -> bool {
    ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// Fails once the person has asked for the end.
pub fn check() -> Result<()> {
    if asked() { bail!("interrupted") } else { Ok(()) }
}
