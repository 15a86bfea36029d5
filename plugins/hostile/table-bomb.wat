;; Four tables that together pass what one may have.
(table $a 1 funcref) (table $b 1 funcref) (table $c 1 funcref) (table $d 1 funcref)
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (if (i32.eq (table.grow $a (ref.null func) (i32.const 40000)) (i32.const -1)) (then (unreachable)))
  (if (i32.eq (table.grow $b (ref.null func) (i32.const 40000)) (i32.const -1)) (then (unreachable)))
  (if (i32.eq (table.grow $c (ref.null func) (i32.const 40000)) (i32.const -1)) (then (unreachable)))
  (global.get $null))
