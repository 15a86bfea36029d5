;; Does what no instance may do, two calls deep.
(func $inner (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
(func $outer (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (call $inner (i32.const 0)))
