;; What every hostile guest has besides its attack: a memory, an allocator that never frees, an honest
;; description, and `$null`, the address of a result that holds the output `null`.
(memory (export "memory") 2)
(global $heap (mut i32) (i32.const 8192))
(func (export "cabi_realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
  (global.set $heap (i32.add (local.get $at) (local.get $len)))
  (block $fits
    (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
    (br_if $fits (i32.ne (memory.grow (i32.add (i32.shr_u (local.get $len) (i32.const 16)) (i32.const 1))) (i32.const -1)))
    (unreachable))
  (local.get $at))
(data (i32.const 4096) "null")
(data (i32.const 4104) "\00\00\00\00\00\10\00\00\04\00\00\00")
(data (i32.const 4128) "hostile")
;; A manifest whose name is `hostile` and whose other six fields are empty.
(data (i32.const 4144) "\20\10\00\00\07\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
(global $null i32 (i32.const 4104))
