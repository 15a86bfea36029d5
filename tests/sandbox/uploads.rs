//! What is no component that runs here is turned away with a reason.

use aaasp::runtime::{Kind, Rejection, Runtime};
use bytes::Bytes;

use crate::support::hostile::{agent, component};
use crate::support::sandbox::{RUNTIME, settings};

const ANSWER: &str =
    r#"(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (global.get $null))"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_inspected() {
    let inspected = RUNTIME.inspect(component("honest")).await.unwrap();
    assert_eq!((inspected.kind, inspected.manifest.name.as_str()), (Kind::Agent, "hostile"));
    assert!(inspected.digest.to_string().starts_with("sha256:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_import_is_named() {
    match RUNTIME.inspect(component("unknown-import")).await {
        Err(Rejection::UnknownImport { name }) => assert_eq!(name, "evil:backdoor/shell@1.0.0"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_world_is_turned_away() {
    assert!(matches!(RUNTIME.inspect(component("unknown-world")).await, Err(Rejection::UnknownWorld { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_in_describe_is_turned_away() {
    let rejection = RUNTIME.inspect(component("describe-bomb")).await.unwrap_err();
    assert!(matches!(rejection, Rejection::DescribeFailed { .. }), "{rejection:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_in_the_start_function_is_turned_away() {
    let rejection = RUNTIME.inspect(component("start-bomb")).await.unwrap_err();
    assert!(matches!(rejection, Rejection::DescribeFailed { .. }), "{rejection:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_modules_and_noise_are_no_components() {
    let text = Bytes::from_static(b"(component)");
    assert!(matches!(RUNTIME.inspect(text).await, Err(Rejection::NotAComponent)));
    assert!(matches!(RUNTIME.inspect(Bytes::new()).await, Err(Rejection::NotAComponent)));
    let module = Bytes::from_static(b"\0asm\x01\0\0\0");
    assert!(matches!(RUNTIME.inspect(module).await, Err(Rejection::CoreModule)));
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_and_damaged_components_are_turned_away() {
    let whole = component("honest");
    for len in (8..whole.len()).step_by(97) {
        let rejection = RUNTIME.inspect(whole.slice(..len)).await.unwrap_err();
        assert!(
            matches!(rejection, Rejection::CompileFailed { .. } | Rejection::UnknownWorld { .. }),
            "{len} bytes: {rejection:?}"
        );
    }
    let mut noise = whole.to_vec();
    for (at, byte) in noise.iter_mut().enumerate().skip(8) {
        *byte = (at as u8).wrapping_mul(167).wrapping_add(13);
    }
    assert!(matches!(RUNTIME.inspect(noise.into()).await, Err(Rejection::CompileFailed { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_larger_than_any_run_may_have_is_turned_away() {
    let rejection = RUNTIME.inspect(agent(&format!("(table 200000 funcref) {ANSWER}"))).await.unwrap_err();
    assert!(matches!(rejection, Rejection::CompileFailed { .. }), "{rejection:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compiling_is_bounded_in_memory_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path().to_owned());
    settings.compile.memory_bytes = 20 << 20;
    let short_of_memory = Runtime::new(settings.clone()).unwrap();
    let large = Bytes::from(crate::support::components::built("lock-audit"));
    let rejection = short_of_memory.inspect(large.clone()).await.unwrap_err();
    assert!(matches!(rejection, Rejection::CompileLimit { limit: "memory" }), "{rejection:?}");
    settings.compile.memory_bytes = 4 << 30;
    settings.compile.wall_clock_ms = 1;
    let short_of_time = Runtime::new(settings).unwrap();
    let rejection = short_of_time.inspect(large).await.unwrap_err();
    assert!(matches!(rejection, Rejection::CompileLimit { limit: "time" }), "{rejection:?}");
}
