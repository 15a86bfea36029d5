//! Moves runs that take longer than a moment to threads of lower priority, so that the short ones
//! beside them keep their pace.

use std::cell::Cell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// Processor time on a fast thread after which a run has to move.
const MOMENT: Duration = Duration::from_millis(1);
/// Added to the niceness of the threads for long runs.
const NICENESS: i32 = 10;
/// Processor time after which a thread for long runs rests as long again, while short runs are about. A kernel lets a
/// busy thread have its slice of some milliseconds whatever its niceness, and a hypervisor whose cores are all busy is
/// late with the disk; nothing but a core that is idle for a moment helps a short run through both.
const STRETCH: Duration = Duration::from_micros(500);
/// A thread rests no longer than this at once.
const LONGEST_REST: Duration = Duration::from_millis(5);
/// Short runs are about while one ended less than this ago.
const ABOUT: Duration = Duration::from_millis(100);

/// Threads for long runs; dropping it does not wait for them.
pub(crate) struct Background {
    runtime: Option<Runtime>,
    short: Arc<Short>,
}

/// When the last short run ended.
struct Short {
    epoch: Instant,
    ended_us: AtomicU64,
}

thread_local! {
    /// Processor time that this thread has used since it last rested.
    static WORKED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

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
        let short = Short { epoch: Instant::now(), ended_us: AtomicU64::new(0) };
        Ok(Self { runtime: Some(runtime), short: Arc::new(short) })
    }

    /// Runs the future here while it is short, and on the background threads from then on.
    pub(crate) fn escort<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Escort<T> {
        let guarded = Box::pin(AssertUnwindSafe(future).catch_unwind().map(Result::ok));
        Escort {
            stage: Stage::Here(guarded, Duration::ZERO),
            background: self.handle(),
            short: Arc::clone(&self.short),
        }
    }

    /// Does this here, on the threads for long runs. None when it panicked, or when they are gone.
    pub(crate) async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.handle()?.spawn(async move { work() }).await.ok()
    }

    fn handle(&self) -> Option<Handle> {
        self.runtime.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A future on its way; its output is missing only when it panicked. Dropping it stops the future.
pub(crate) struct Escort<T> {
    stage: Stage<T>,
    background: Option<Handle>,
    short: Arc<Short>,
}

type Guarded<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;

enum Stage<T> {
    Here(Guarded<T>, Duration),
    Moved(JoinHandle<Option<T>>),
    Gone,
}

impl<T: Send + 'static> Future for Escort<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            match &mut self.stage {
                Stage::Here(future, busy) => {
                    let (polled, took) = timed_poll(future, context);
                    if polled.is_ready() {
                        self.short.ended();
                        return polled;
                    }
                    *busy += took;
                    if *busy < MOMENT {
                        return Poll::Pending;
                    }
                    let Some(background) = self.background.take() else { return Poll::Pending };
                    if let Stage::Here(future, _) = std::mem::replace(&mut self.stage, Stage::Gone) {
                        let paced = Paced { future, short: Arc::clone(&self.short) };
                        self.stage = Stage::Moved(background.spawn(paced));
                    }
                }
                Stage::Moved(handle) => return Poll::Ready(ready!(Pin::new(handle).poll(context)).ok().flatten()),
                Stage::Gone => return Poll::Ready(None),
            }
        }
    }
}

/// A long run, whose thread rests between its polls.
struct Paced<T> {
    future: Guarded<T>,
    short: Arc<Short>,
}

impl<T> Future for Paced<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.short.rest();
        let (polled, took) = timed_poll(&mut self.future, context);
        WORKED.set(WORKED.get() + took);
        polled
    }
}

impl Short {
    fn ended(&self) {
        self.ended_us.store(self.now_us(), Ordering::Relaxed);
    }

    fn are_about(&self) -> bool {
        let ago = self.now_us().saturating_sub(self.ended_us.load(Ordering::Relaxed));
        u128::from(ago) < ABOUT.as_micros()
    }

    /// Microseconds since the threads were started.
    fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Lets a thread that has worked for a stretch rest. It blocks the thread, since to give up the core is the
    /// point: nothing is on it but long runs and work that was put aside.
    fn rest(&self) {
        let worked = WORKED.get();
        if worked >= STRETCH {
            WORKED.set(Duration::ZERO);
            if self.are_about() {
                std::thread::sleep(worked.min(LONGEST_REST));
            }
        }
    }
}

/// Polls a run, and says how much processor time that took.
fn timed_poll<T>(future: &mut Guarded<T>, context: &mut Context<'_>) -> (Poll<Option<T>>, Duration) {
    let start = thread_time();
    let polled = future.as_mut().poll(context);
    (polled, thread_time().saturating_sub(start))
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
