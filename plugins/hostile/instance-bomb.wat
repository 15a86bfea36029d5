(component
  ;; A hundred core instances out of a few lines.
  (component $ten
    (core module $m)
    (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
    (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
    (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m))
    (core instance (instantiate $m)))
  (instance (instantiate $ten)) (instance (instantiate $ten)) (instance (instantiate $ten))
  (instance (instantiate $ten)) (instance (instantiate $ten)) (instance (instantiate $ten))
  (instance (instantiate $ten)) (instance (instantiate $ten)) (instance (instantiate $ten))
  (instance (instantiate $ten))
  (core module $main (func (export "run") (result i32) (i32.const 0)))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exports (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exports)))
