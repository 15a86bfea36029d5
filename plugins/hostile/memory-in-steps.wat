;; Grows a page at a time until it is refused, and gives up then.
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $again
    (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (unreachable))
