;; Opens stdout again and again and lets none of the handles go.
(import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $again
    (drop (call $stdout))
    (br $again))
  (unreachable))
