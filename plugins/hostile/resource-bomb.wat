(component
  ;; Makes resources of its own type without end, which no host function sees.
  (type $own (resource (rep i32)))
  (core func $new (canon resource.new $own))
  (core module $main
    (import "own" "new" (func $new (param i32) (result i32)))
    (func (export "run") (result i32)
      (loop $again
        (drop (call $new (i32.const 1)))
        (br $again))
      (unreachable)))
  (core instance $main (instantiate $main (with "own" (instance (export "new" (func $new))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exports (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exports)))
