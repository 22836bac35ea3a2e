/*
 * Notices a call that does not end, by its steps instead of its time: so the bound holds on any machine, however slow
 * or busy it is. The allocator must be compiled with -fsanitize-coverage=trace-pc.
 *
 * Who includes this defines STEPS_CALL, the number of the call, and STEPS_ENDLESS(), which does not return.
 */
#ifndef STEPS_H
#define STEPS_H

#include <stdint.h>

/* No call goes through so many basic blocks. The longest ones, which check a large heap, need less than a twentieth. */
#define MOST_STEPS ((uint64_t)100000000)

/* Each basic block calls this, so it must be fast in a sanitized program too. */
__attribute__((no_sanitize("address", "undefined"))) void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) {
  static uint64_t last_call;
  static uint64_t steps;
  if (STEPS_CALL != last_call) {
    last_call = STEPS_CALL;
    steps = 0;
  }
  if (++steps > MOST_STEPS)
    STEPS_ENDLESS();
}

#endif
