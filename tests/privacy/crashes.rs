//! A host that dies at any step of what it does by itself: started again it ends it, nothing is half done, nothing comes
//! back. Each step is died at in turn, until there is none left; several servers share the steps.

mod erasure;
mod retention;
mod rotation;

/// Servers that share the steps.
const LANES: usize = 6;

/// Each lane dies at every so many steps, from its own first one on, until it comes to the end alive. How often they died.
async fn in_lanes<F>(lane: impl Fn(usize) -> F) -> usize
where
    F: Future<Output = usize> + Send + 'static,
{
    let lanes: Vec<_> = (1..=LANES).map(|first| tokio::spawn(lane(first))).collect();
    let mut deaths = 0;
    for lane in lanes {
        deaths += lane.await.unwrap();
    }
    deaths
}
