;; The description of every hostile guest that brings none.
(func (export "aaasp:agent/handler@0.1.0#describe") (result i32) (i32.const 4144))
