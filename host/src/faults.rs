//! Deaths that tests ask for. A host that is built for debugging ends itself before a step of a duty, as
//! `AAASP_DIE_AT=erasure:7` says, so that a test can let it die at each step in turn. One that is released counts none.

#[cfg(debug_assertions)]
use std::sync::LazyLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(debug_assertions)]
tokio::task_local! {
    /// The duty that is being done.
    static DUTY: &'static str;
}

/// The duty to die in, and the step to die before.
#[cfg(debug_assertions)]
static DEATH: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
    let told = std::env::var("AAASP_DIE_AT").ok()?;
    let (duty, step) = told.split_once(':')?;
    Some((duty.to_owned(), step.parse().ok()?))
});

/// Does a duty, whose steps are counted from the start of the process on.
pub(crate) async fn duty<W: Future>(name: &'static str, work: W) -> W::Output {
    #[cfg(debug_assertions)]
    let work = async move {
        let done = DUTY.scope(name, work).await;
        if DEATH.as_ref().is_some_and(|(duty, _)| duty == name) {
            tracing::warn!(name, "a duty is over that was to die");
        }
        done
    };
    let _ = name;
    work.await
}

/// A step begins: a commit, or whatever else a death could leave undone between two commits.
pub(crate) fn step() {
    #[cfg(debug_assertions)]
    {
        static STEPS: AtomicU64 = AtomicU64::new(0);
        let Some((duty, last)) = DEATH.as_ref() else { return };
        if DUTY.try_with(|name| name == duty).unwrap_or(false) && STEPS.fetch_add(1, Ordering::SeqCst) + 1 == *last {
            std::process::abort();
        }
    }
}
