;; Returns an output of 64 MiB.
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (if (i32.eq (memory.grow (i32.const 1024)) (i32.const -1)) (then (unreachable)))
  (i32.store (i32.const 64) (i32.const 0))
  (i32.store (i32.const 68) (i32.const 65536))
  (i32.store (i32.const 72) (i32.const 67108864))
  (i32.const 64))
