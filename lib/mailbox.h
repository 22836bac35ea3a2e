/*
 * A mailbox: any thread puts freed objects into it, and a thread that needs some takes all of them at once.
 *
 *      mailbox        put last     before       first of all
 *      +-------+     +------+     +------+     +------+
 *      | last  |---->| next |---->| next |---->| NULL |
 *      +-------+     +------+     +------+     +------+
 *
 * This is Treiber's stack ("Systems Programming: Coping with Parallelism", 1986), whose one weakness, that an element
 * may be taken and put back between another's look at it and its exchange, needs somebody who takes single elements. To
 * take all is one exchange. A chain can also be put in, by one exchange too: for what was there.
 *
 * Order: putting is a release, and every later put goes on with what it has released, for it is a read-modify-write
 * (ISO C11, 5.1.2.4, release sequence). Taking is an acquire: all links are there for whoever takes. So is what
 * the threads have written into the objects before they freed them. To exchange is both.
 *
 * Cost: one atomic instruction, or a few if several threads put at the same time. Nobody waits.
 */
#ifndef WASMALLOC_MAILBOX_H
#define WASMALLOC_MAILBOX_H

#include <stdatomic.h>
#include <stddef.h>

#include "compiler.h"

/* The objects are what who includes this defers: struct deferred, with a link `next`. */
typedef _Atomic(struct deferred *) mailbox;

/* Puts an object into a mailbox. Its link is written here. */
NOT_INLINED static void mailbox_put(mailbox *box, struct deferred *object) {
  struct deferred *old = atomic_load_explicit(box, memory_order_relaxed);
  do
    object->next = old;
  while (!atomic_compare_exchange_weak_explicit(box, &old, object, memory_order_release,
                                                memory_order_relaxed));
}

/* Takes all that is in a mailbox: a chain that ends with NULL. */
NOT_INLINED static struct deferred *mailbox_take(mailbox *box) {
  if (!atomic_load_explicit(box, memory_order_relaxed))
    return NULL;
  return atomic_exchange_explicit(box, NULL, memory_order_acquire);
}

/* Puts a chain, which ends with NULL, into a mailbox in exchange for all that is in it. */
static inline struct deferred *mailbox_exchange(mailbox *box, struct deferred *chain) {
  return atomic_exchange_explicit(box, chain, memory_order_acq_rel);
}

/* Puts back what is left of a chain that was taken. For who is the only one that puts anything into this mailbox. */
static inline void mailbox_put_back(mailbox *box, struct deferred *chain) {
  atomic_store_explicit(box, chain, memory_order_release);
}

#endif
