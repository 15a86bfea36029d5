;; Waits for an hour.
(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
(import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (call $block (call $timer (i64.const 3600000000000)))
  (global.get $null))
