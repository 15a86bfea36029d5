;; Asks for 64 MiB of randomness in one call.
(import "wasi:random/random@0.2.12" "get-random-bytes" (func $random (param i64 i32)))
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (call $random (i64.const 67108864) (i32.const 64))
  (global.get $null))
