;; Between steps, asks for more than any memory can be: a host that takes back what it counted last
;; for each refusal counts down to zero.
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $again
    (drop (memory.grow (i32.const -1)))
    (drop (memory.grow (i32.const 65536)))
    (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (unreachable))
