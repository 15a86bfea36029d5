;; Logs one line for each unit of its input, a JSON number, and returns `"hello"`.
(import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
(data (i32.const 1024) "greet")
(data (i32.const 1032) "hello, whoever reads this")
(data (i32.const 1064) "\"hello\"")
(data (i32.const 1080) "\00\00\00\00\28\04\00\00\07\00\00\00")
(func (export "aaasp:agent/handler@0.1.0#run") (param $input i32) (param $len i32) (result i32)
  (local $n i32)
  (local.set $n (i32.wrap_i64 (call $number (local.get $input) (local.get $len))))
  (block $done
    (loop $again
      (br_if $done (i32.eqz (local.get $n)))
      (call $log (i32.const 2) (i32.const 1024) (i32.const 5) (i32.const 1032) (i32.const 25))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $again)))
  (i32.const 1080))
