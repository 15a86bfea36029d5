;; Tries to leave its folder along the path in its input, whose first letter says how: "o"pen, open "c"reating,
;; by a "s"ymbolic link to it, by a hard "l"ink to it, by "r"enaming a file to it, by "m"aking a directory.
;; Answers with the error code, or with 99 when it got through.
(import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.open-at" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.create-directory-at" (func $mkdir (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.symlink-at" (func $symlink (param i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.link-at" (func $link (param i32 i32 i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.rename-at" (func $rename (param i32 i32 i32 i32 i32 i32 i32)))
(data (i32.const 512) "file")
(data (i32.const 520) "link")
(data (i32.const 1024) "\00\00\00\00\40\04\00\00\02\00\00\00")
;; The answer: the code in `$code`, in two digits at 1088.
(func $answer (param $code i32) (result i32)
  (i32.store8 (i32.const 1088) (i32.add (i32.const 48) (i32.div_u (local.get $code) (i32.const 10))))
  (i32.store8 (i32.const 1089) (i32.add (i32.const 48) (i32.rem_u (local.get $code) (i32.const 10))))
  (if (i32.lt_u (local.get $code) (i32.const 10)) (then
    (i32.store8 (i32.const 1088) (i32.const 32))))
  (i32.const 1024))
;; The code of the result at 128, whose error is at 128 + `$at`.
(func $code (param $at i32) (result i32)
  (if (result i32) (i32.load8_u (i32.const 128))
    (then (i32.load8_u (i32.add (i32.const 128) (local.get $at))))
    (else (i32.const 99))))
(func (export "aaasp:agent/handler@0.1.0#run") (param $input i32) (param $len i32) (result i32)
  (local $how i32) (local $path i32) (local $root i32)
  (local.set $how (i32.load8_u offset=1 (local.get $input)))
  (local.set $path (i32.add (local.get $input) (i32.const 2)))
  (local.set $len (i32.sub (local.get $len) (i32.const 3)))
  (call $directories (i32.const 64))
  (if (i32.eqz (i32.load (i32.const 68))) (then (return (global.get $null))))
  (local.set $root (i32.load (i32.load (i32.const 64))))
  (call $open (local.get $root) (i32.const 0) (i32.const 512) (i32.const 4) (i32.const 1) (i32.const 3) (i32.const 128))
  (if (i32.eq (local.get $how) (i32.const 111)) (then
    (call $open (local.get $root) (i32.const 1) (local.get $path) (local.get $len) (i32.const 0) (i32.const 1) (i32.const 128))
    (return (call $answer (call $code (i32.const 4))))))
  (if (i32.eq (local.get $how) (i32.const 99)) (then
    (call $open (local.get $root) (i32.const 1) (local.get $path) (local.get $len) (i32.const 1) (i32.const 3) (i32.const 128))
    (return (call $answer (call $code (i32.const 4))))))
  (if (i32.eq (local.get $how) (i32.const 115)) (then
    (call $symlink (local.get $root) (local.get $path) (local.get $len) (i32.const 520) (i32.const 4) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then (return (call $answer (call $code (i32.const 1))))))
    (call $open (local.get $root) (i32.const 1) (i32.const 520) (i32.const 4) (i32.const 0) (i32.const 1) (i32.const 128))
    (return (call $answer (call $code (i32.const 4))))))
  (if (i32.eq (local.get $how) (i32.const 108)) (then
    (call $link (local.get $root) (i32.const 0) (local.get $path) (local.get $len)
      (local.get $root) (i32.const 520) (i32.const 4) (i32.const 128))
    (return (call $answer (call $code (i32.const 1))))))
  (if (i32.eq (local.get $how) (i32.const 114)) (then
    (call $rename (local.get $root) (i32.const 512) (i32.const 4) (local.get $root) (local.get $path) (local.get $len) (i32.const 128))
    (return (call $answer (call $code (i32.const 1))))))
  (call $mkdir (local.get $root) (local.get $path) (local.get $len) (i32.const 128))
  (call $answer (call $code (i32.const 1))))
