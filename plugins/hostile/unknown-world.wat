(component
  ;; Exports nothing that anybody knows how to run.
  (core module $main (func (export "run")))
  (core instance $main (instantiate $main))
  (func (export "run") (canon lift (core func $main "run"))))
