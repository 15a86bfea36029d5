;; Burns 50 million turns of a loop, then loads out of bounds: a trap that forgets unflushed fuel.
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (local $n i32)
  (loop $again
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $n) (i32.const 50000000))))
  (i32.load (i32.const -4)))
