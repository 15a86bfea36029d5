;; Burns fuel until there is none.
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $again (br $again))
  (unreachable))
