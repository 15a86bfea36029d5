;; The number that a text of decimal digits is; what comes after the digits is left out.
(func $number (param $at i32) (param $len i32) (result i64)
  (local $number i64) (local $digit i32)
  (block $done
    (loop $again
      (br_if $done (i32.eqz (local.get $len)))
      (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
      (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
      (local.set $number (i64.add (i64.mul (local.get $number) (i64.const 10)) (i64.extend_i32_u (local.get $digit))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $len (i32.sub (local.get $len) (i32.const 1)))
      (br $again)))
  (local.get $number))
