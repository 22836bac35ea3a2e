/*
 * Theorems about lib/mailbox.h, for any number of threads: whenever one touches the mailbox, others may have put something
 * into it or taken all out since it last looked.
 *
 * Memory is sequentially consistent here. In what order the links become visible is argued in mailbox.h.
 */
#include "prove.h"

#include <stdatomic.h>

enum { OBJECTS = 3, TURNS = 3 };

struct deferred {
  struct deferred *next;
};

/* The last is this thread's, the others' objects are what they say is in the mailbox. */
static struct deferred objects[OBJECTS + 1];

/* What was in the mailbox when this thread last wrote to it. */
static struct deferred *replaced;

static unsigned turns;

static struct deferred *any_object(void) {
  uint32_t number = nondet_word();
  assume(number <= OBJECTS);
  return number < OBJECTS ? &objects[number] : NULL;
}

/* Whether others only take. */
static bool others_only_take;

static void others_go_on(struct deferred **box) {
  if (turns < TURNS && nondet_bool()) {
    ++turns;
    *box = others_only_take ? NULL : any_object();
  }
}

static struct deferred *load(struct deferred **box) {
  others_go_on(box);
  return *box;
}

static struct deferred *exchange(struct deferred **box, struct deferred *value) {
  others_go_on(box);
  replaced = *box;
  *box = value;
  return replaced;
}

static void store(struct deferred **box, struct deferred *value) {
  exchange(box, value);
}

static bool exchange_if(struct deferred **box, struct deferred **expected, struct deferred *value) {
  others_go_on(box);
  if (*box != *expected || (turns < TURNS && nondet_bool())) { /* a weak one may fail for nothing */
    ++turns;
    *expected = *box;
    return false;
  }
  replaced = *box;
  *box = value;
  return true;
}

#define _Atomic(type) type
#define atomic_load_explicit(box, order) load(box)
#define atomic_store_explicit(box, value, order) store(box, value)
#define atomic_exchange_explicit(box, value, order) exchange(box, value)
#define atomic_compare_exchange_weak_explicit(box, expected, value, order, other)                  \
  exchange_if(box, expected, value)

#include "mailbox.h"

void put_into_mailbox(void) {
  mailbox box = any_object();
  struct deferred *own = &objects[OBJECTS];
  mailbox_put(&box, own);
  claim(box == own, "the object is in the mailbox");
  claim(own->next == replaced, "what was there follows");
  reached(turns == TURNS, "others go on meanwhile");
}

void take_out_of_mailbox(void) {
  mailbox box = any_object();
  replaced = NULL;
  struct deferred *all = mailbox_take(&box);
  claim(all == replaced, "all is taken that was there");
  claim(!all || !box, "and nothing is left");
  reached(turns > 0, "others go on meanwhile");
}

void exchange_with_mailbox(void) {
  mailbox box = any_object();
  struct deferred *own = &objects[OBJECTS];
  struct deferred *all = mailbox_exchange(&box, own);
  claim(all == replaced, "all is taken that was there");
  claim(box == own, "and the chain is there");
  reached(turns > 0, "others go on meanwhile");
}

void take_one_out_of_mailbox(void) {
  others_only_take = true;
  mailbox box = any_object();
  struct deferred *all = mailbox_take(&box);
  if (!all)
    return;
  mailbox_put_back(&box, all->next);
  claim(!replaced, "nothing is lost, for nothing was there");
  claim(box == all->next, "the rest is there again");
  reached(turns > 0, "others go on meanwhile");
}
