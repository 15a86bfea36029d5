;; Calls itself until the stack is gone.
(func $deeper (param i64) (result i64)
  (i64.add (call $deeper (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (drop (call $deeper (i64.const 0)))
  (global.get $null))
