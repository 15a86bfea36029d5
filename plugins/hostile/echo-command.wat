;; A command that knows nothing of us: copies its standard input to its standard output, and exits with 1
;; when there was none. A core module against `wasi:cli/command`.
(module
  (import "wasi:cli/stdin@0.2.12" "get-stdin" (func $stdin (result i32)))
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 2)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
  (func (export "wasi:cli/run@0.2.12#run") (result i32)
    (local $in i32) (local $out i32) (local $copied i32)
    (local.set $in (call $stdin))
    (local.set $out (call $stdout))
    (loop $again
      (call $read (local.get $in) (i64.const 4096) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (i32.eqz (local.get $copied)))))
      (call $write (local.get $out) (i32.load (i32.const 68)) (i32.load (i32.const 72)) (i32.const 96))
      (local.set $copied (i32.const 1))
      (br $again))
    (unreachable)))
