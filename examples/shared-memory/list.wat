;; A client of an allocator: a linked list of integers.
;;
;; It imports the memory and the allocator's functions; all three are shared with every other module
;; that is linked to the same heap. Its own static data stand in page 0, which the heap leaves alone.
;;
;; An element is two words:   +0 the next element's address, or 0   +4 the value
(module
  (import "env" "memory" (memory 1))
  (import "env" "alloc" (func $alloc (param $words i32) (result i32)))
  (import "env" "dealloc" (func $dealloc (param $address i32)))

  ;; The one static variable: the address of the first element is at address 16.
  (global $first i32 (i32.const 16))

  ;; Puts a value in front of the list. Returns its element's address, or 0 when there is no memory.
  (func (export "push") (param $value i32) (result i32)
    (local $element i32)
    (local.set $element (call $alloc (i32.const 2)))
    (if (local.get $element)
      (then
        (i32.store (local.get $element) (i32.load (global.get $first)))
        (i32.store offset=4 (local.get $element) (local.get $value))
        (i32.store (global.get $first) (local.get $element))))
    (local.get $element))

  ;; The sum of all values.
  (func (export "sum") (result i32)
    (local $element i32)
    (local $sum i32)
    (local.set $element (i32.load (global.get $first)))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $element)))
        (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $element))))
        (local.set $element (i32.load (local.get $element)))
        (br $next)))
    (local.get $sum))

  ;; Gives every element back.
  (func (export "clear")
    (local $element i32)
    (local $next i32)
    (local.set $element (i32.load (global.get $first)))
    (i32.store (global.get $first) (i32.const 0))
    (block $end
      (loop $again
        (br_if $end (i32.eqz (local.get $element)))
        (local.set $next (i32.load (local.get $element)))
        (call $dealloc (local.get $element))
        (local.set $element (local.get $next))
        (br $again)))))
