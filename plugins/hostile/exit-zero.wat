;; Leaves with a good conscience and without an output.
(import "wasi:cli/exit@0.2.12" "exit" (func $exit (param i32)))
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (call $exit (i32.const 0))
  (unreachable))
