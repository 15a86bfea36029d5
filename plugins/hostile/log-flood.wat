;; Logs lines without end.
(import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $again
    (call $log (i32.const 2) (i32.const 4096) (i32.const 4) (i32.const 4096) (i32.const 4))
    (br $again))
  (unreachable))
