//! Moves runs that take longer than a moment to threads of lower priority, so that the short ones
//! beside them keep their pace.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// Processor time on a fast thread after which a run has to move.
const MOMENT: Duration = Duration::from_millis(1);
/// Added to the niceness of the threads for long runs.
const NICENESS: i32 = 10;

/// Threads for long runs; dropping it does not wait for them.
pub(crate) struct Background(Option<Runtime>);

impl Background {
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("aaasp-long-runs")
            .enable_all()
            .on_thread_start(|| {
                // On Linux a niceness is a thread's own. Without it long runs compete as equals, no worse.
                if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                    tracing::warn!(%error, "the threads for long runs keep their priority");
                }
            })
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs the future here while it is short, and on the background threads from then on.
    pub(crate) fn escort<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Escort<T> {
        let guarded = Box::pin(AssertUnwindSafe(future).catch_unwind().map(Result::ok));
        Escort { stage: Stage::Here(guarded, Duration::ZERO), background: self.handle() }
    }

    /// Does this here, on the threads for long runs. None when it panicked, or when they are gone.
    pub(crate) async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.handle()?.spawn(async move { work() }).await.ok()
    }

    fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A future on its way; its output is missing only when it panicked. Dropping it stops the future.
pub(crate) struct Escort<T> {
    stage: Stage<T>,
    background: Option<Handle>,
}

enum Stage<T> {
    Here(Pin<Box<dyn Future<Output = Option<T>> + Send>>, Duration),
    Moved(JoinHandle<Option<T>>),
    Gone,
}

impl<T: Send + 'static> Future for Escort<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            match &mut self.stage {
                Stage::Here(future, busy) => {
                    let start = thread_time();
                    if let Poll::Ready(output) = future.as_mut().poll(context) {
                        return Poll::Ready(output);
                    }
                    *busy += thread_time().saturating_sub(start);
                    if *busy < MOMENT {
                        return Poll::Pending;
                    }
                    let Some(background) = self.background.take() else { return Poll::Pending };
                    if let Stage::Here(future, _) = std::mem::replace(&mut self.stage, Stage::Gone) {
                        self.stage = Stage::Moved(background.spawn(future));
                    }
                }
                Stage::Moved(handle) => return Poll::Ready(ready!(Pin::new(handle).poll(context)).ok().flatten()),
                Stage::Gone => return Poll::Ready(None),
            }
        }
    }
}

/// Processor time that this thread has used. Time on the wall would also count the waits for a busy core, and so send
/// short runs aside just when they should not be.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl<T> Drop for Escort<T> {
    fn drop(&mut self) {
        if let Stage::Moved(handle) = &self.stage {
            handle.abort();
        }
    }
}
