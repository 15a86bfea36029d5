;; Fills its folder until it is refused, and gives up then. The input's one letter says with what:
;; "w"rites, a "s"tream, a file's "z"ize, "f"iles, "d"irectories, symbolic lin"k"s, hard "l"inks, "o"pen files,
;; files un"u"linked while open.
(import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.open-at" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.write" (func $write (param i32 i32 i32 i64 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.append-via-stream" (func $append (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.set-size" (func $resize (param i32 i64 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.create-directory-at" (func $mkdir (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.symlink-at" (func $symlink (param i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.link-at" (func $link (param i32 i32 i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.unlink-file-at" (func $unlink (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[resource-drop]descriptor" (func $close (param i32)))
(import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $stream (param i32 i32 i32 i32)))
(global $root (mut i32) (i32.const 0))
(global $count (mut i32) (i32.const 0))
;; A fresh name of four letters at 512.
(func $name
  (global.set $count (i32.add (global.get $count) (i32.const 1)))
  (i32.store8 (i32.const 512) (i32.add (i32.const 97) (i32.and (global.get $count) (i32.const 15))))
  (i32.store8 (i32.const 513) (i32.add (i32.const 97) (i32.and (i32.shr_u (global.get $count) (i32.const 4)) (i32.const 15))))
  (i32.store8 (i32.const 514) (i32.add (i32.const 97) (i32.and (i32.shr_u (global.get $count) (i32.const 8)) (i32.const 15))))
  (i32.store8 (i32.const 515) (i32.add (i32.const 97) (i32.and (i32.shr_u (global.get $count) (i32.const 12)) (i32.const 15)))))
;; Every result has its discriminant at 128.
(func $must (if (i32.load8_u (i32.const 128)) (then (unreachable))))
;; Creates the named file, open for reading and writing.
(func $create (result i32)
  (call $open (global.get $root) (i32.const 0) (i32.const 512) (i32.const 4) (i32.const 1) (i32.const 3) (i32.const 128))
  (call $must)
  (i32.load (i32.const 132)))
(func (export "aaasp:agent/handler@0.1.0#run") (param $input i32) (param i32) (result i32)
  (local $what i32) (local $file i32) (local $stream i32) (local $offset i64)
  (call $directories (i32.const 64))
  (if (i32.eqz (i32.load (i32.const 68))) (then (return (global.get $null))))
  (global.set $root (i32.load (i32.load (i32.const 64))))
  (local.set $what (i32.load8_u offset=1 (local.get $input)))
  (call $name)
  (local.set $file (call $create))
  (if (i32.eq (local.get $what) (i32.const 115)) (then
    (call $append (local.get $file) (i32.const 128))
    (call $must)
    (local.set $stream (i32.load (i32.const 132)))
    (loop $s
      (call $stream (local.get $stream) (i32.const 16384) (i32.const 4096) (i32.const 128))
      (call $must)
      (br $s))))
  (loop $again
    (if (i32.eq (local.get $what) (i32.const 119)) (then
      (call $write (local.get $file) (i32.const 16384) (i32.const 65536) (local.get $offset) (i32.const 128))
      (call $must)
      (local.set $offset (i64.add (local.get $offset) (i64.const 65536)))))
    (if (i32.eq (local.get $what) (i32.const 122)) (then
      (local.set $offset (i64.add (local.get $offset) (i64.const 1048576)))
      (call $resize (local.get $file) (local.get $offset) (i32.const 128))
      (call $must)))
    (if (i32.eq (local.get $what) (i32.const 102)) (then
      (call $name)
      (call $close (call $create))))
    (if (i32.eq (local.get $what) (i32.const 111)) (then
      (call $name)
      (drop (call $create))))
    (if (i32.eq (local.get $what) (i32.const 117)) (then
      (call $name)
      (local.set $file (call $create))
      (call $resize (local.get $file) (i64.const 1048576) (i32.const 128))
      (call $must)
      (call $unlink (global.get $root) (i32.const 512) (i32.const 4) (i32.const 128))
      (call $must)))
    (if (i32.eq (local.get $what) (i32.const 100)) (then
      (call $name)
      (call $mkdir (global.get $root) (i32.const 512) (i32.const 4) (i32.const 128))
      (call $must)))
    (if (i32.eq (local.get $what) (i32.const 107)) (then
      (call $name)
      (call $symlink (global.get $root) (i32.const 4096) (i32.const 4) (i32.const 512) (i32.const 4) (i32.const 128))
      (call $must)))
    (if (i32.eq (local.get $what) (i32.const 108)) (then
      (call $name)
      (i32.store (i32.const 640) (i32.const 0x61616162))
      (call $link (global.get $root) (i32.const 0) (i32.const 640) (i32.const 4)
        (global.get $root) (i32.const 512) (i32.const 4) (i32.const 128))
      (call $must)))
    (br $again))
  (unreachable))
