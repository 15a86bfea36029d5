;; Fails in the way that its input, a JSON number, names: the position of a case of `failure`.
(data (i32.const 1024) "as asked")
(func (export "aaasp:agent/handler@0.1.0#run") (param $input i32) (param $len i32) (result i32)
  (i32.store (i32.const 64) (i32.const 1))
  (i32.store (i32.const 68) (i32.wrap_i64 (call $number (local.get $input) (local.get $len))))
  (i32.store (i32.const 72) (i32.const 1024))
  (i32.store (i32.const 76) (i32.const 8))
  (i32.const 64))
