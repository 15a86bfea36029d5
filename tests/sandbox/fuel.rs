//! Fuel is exact on every exit, and no guest gets work for nothing.

use std::time::Duration;

use aaasp::limits::RunLimits;
use aaasp::runtime::Outcome;

use crate::support::hostile::{agent, component};
use crate::support::sandbox::{RUNTIME, invocation, load, run};

fn fuel(fuel: u64) -> RunLimits {
    RunLimits { fuel, ..RunLimits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_agent_answers_and_is_metered() {
    let finished = run(&component("honest"), RunLimits::default()).await;
    assert_eq!(
        (finished.outcome, finished.output.as_deref()),
        (Outcome::Succeeded, Some("null")),
        "{:?}",
        finished.error
    );
    assert!(finished.usage.fuel > 0 && finished.usage.fuel < 1_000, "{:?}", finished.usage);
    assert_eq!(finished.usage.trap_slack_fuel, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_burns_its_limit_and_no_more() {
    let finished = run(&component("endless-loop"), fuel(20_000_000)).await;
    assert_eq!(finished.outcome, Outcome::OutOfFuel, "{:?}", finished.error);
    assert_eq!((finished.usage.fuel, finished.usage.trap_slack_fuel), (20_000_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_hides_no_more_than_its_slack() {
    let finished = run(&component("burn-then-trap"), fuel(2_000_000_000)).await;
    assert_eq!(finished.outcome, Outcome::Trapped, "{:?}", finished.error);
    let turns = 50_000_000;
    let charged = finished.usage.fuel + finished.usage.trap_slack_fuel;
    assert!(charged >= turns * 6, "{charged} units for {turns} turns of a loop of six operators");
    assert!(charged <= 2_000_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_never_passes_the_limit() {
    let trap_at_once = agent(
        r#"(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (i32.load (i32.const -4)))"#,
    );
    let finished = run(&trap_at_once, fuel(5_000)).await;
    assert_eq!(finished.outcome, Outcome::Trapped);
    assert_eq!(finished.usage.fuel + finished.usage.trap_slack_fuel, 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_recursion_is_a_trap() {
    let finished = run(&component("deep-recursion"), RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::Trapped, "{:?}", finished.error);
    let innermost = &finished.error.unwrap().backtrace[0];
    assert_eq!(innermost.function, "deeper", "the frames of a trap have the guest's names");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_sleep_ends_at_its_deadline() {
    let limits = RunLimits { wall_clock_ms: 50, ..RunLimits::default() };
    let finished = run(&component("endless-sleep"), limits).await;
    assert_eq!(finished.outcome, Outcome::TimedOut, "{:?}", finished.error);
    assert!(finished.usage.fuel > 0, "what was burned before the wait is charged");
    assert!(finished.usage.wall_clock_us >= 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_stops_and_is_charged_for_what_it_burned() {
    let component = load(&component("endless-loop")).await;
    let invocation = invocation(fuel(u64::MAX / 2));
    let cancel = invocation.cancel.clone();
    let (finished, ()) = tokio::join!(RUNTIME.invoke(&component, invocation), async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        cancel.cancel();
    });
    assert_eq!(finished.outcome, Outcome::Cancelled, "{:?}", finished.error);
    assert!(finished.usage.fuel > 100_000, "{:?}", finished.usage);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_calls_burn_fuel_and_let_the_deadline_pass() {
    let finished = run(&component("busy-calls"), fuel(10_000_000)).await;
    assert_eq!(finished.outcome, Outcome::OutOfFuel, "{:?}", finished.error);
    assert_eq!(finished.usage.fuel, 10_000_000);
    let limits = RunLimits { wall_clock_ms: 50, fuel: u64::MAX / 2, ..RunLimits::default() };
    let finished = run(&component("busy-calls"), limits).await;
    assert_eq!(finished.outcome, Outcome::TimedOut, "{:?}", finished.error);
    assert!(finished.usage.wall_clock_us < 2_000_000, "{:?}", finished.usage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_in_the_start_function_is_out_of_fuel() {
    let finished = run(&component("start-bomb"), fuel(5_000_000)).await;
    assert_eq!((finished.outcome, finished.usage.fuel), (Outcome::OutOfFuel, 5_000_000), "{:?}", finished.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_without_an_output_is_a_failure() {
    let finished = run(&component("exit-zero"), RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::Failed, "{:?}", finished.error);
    assert!(finished.error.unwrap().message.contains("exit(0)"));
}
