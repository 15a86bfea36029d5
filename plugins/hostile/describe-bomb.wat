;; Can't be described: `describe` never returns.
(func (export "aaasp:agent/handler@0.1.0#describe") (result i32) (loop $again (br $again)) (unreachable))
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (global.get $null))
