;; Not hostile at all: answers `null` at once.
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (global.get $null))
