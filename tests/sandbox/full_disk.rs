//! The disk of the artifacts and of the scratch folders is full.

use std::sync::Arc;

use aaasp::grants::Grants;
use aaasp::limits::RunLimits;
use aaasp::runtime::{Digest, Finished, Loaded, Outcome, Rejection, Runtime};

use crate::support::hostile::component;
use crate::support::sandbox::{invocation, settings};
use crate::support::tiny_disk::TinyDisk;

async fn load(runtime: &Runtime, guest: &str) -> Arc<Loaded> {
    let bytes = component(guest);
    runtime.load(&Digest::of(&bytes), || async { Ok::<_, String>(bytes.clone()) }).await.unwrap()
}

/// Fills its folder, by writes or by a stream, until it is refused.
async fn bomb(runtime: &Runtime, loaded: &Arc<Loaded>, how: &str) -> Finished {
    let mut invocation = invocation(RunLimits { scratch_bytes: 4 << 20, ..RunLimits::default() });
    invocation.input = format!("\"{how}\"");
    invocation.grants = Grants { scratch: true, ..Grants::default() }.into();
    runtime.invoke(loaded, invocation).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_the_hosts_fault_and_passes() {
    let disk = TinyDisk::new(16);
    let runtime = Runtime::new(settings(disk.outside())).unwrap();
    let loaded = load(&runtime, "scratch-bomb").await;
    disk.fill();
    for how in ["w", "s"] {
        let finished = bomb(&runtime, &loaded, how).await;
        assert_eq!(finished.outcome, Outcome::Lost, "{how}: {:?}", finished.error);
        assert!(finished.error.unwrap().message.contains("disk is full"));
    }
    let rejection = runtime.inspect(component("honest")).await.unwrap_err();
    assert!(matches!(rejection, Rejection::DiskFull), "{rejection:?}");

    disk.free();
    for how in ["w", "s"] {
        let finished = bomb(&runtime, &loaded, how).await;
        assert_eq!(finished.outcome, Outcome::LimitExceeded("scratch_bytes".into()), "{how}: {:?}", finished.error);
    }
    runtime.inspect(component("honest")).await.unwrap();
}
