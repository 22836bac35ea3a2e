/*
 * The attacker's fuzz: random writes into freed blocks and past the end of live ones, and then a thousand ordinary
 * calls against a model.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Plays one round on a heap that is new. Returns the number of ordinary calls if the allocator goes on correctly;
 * it may end the program, as a hardened one does. Anything else is told by attack_failed().
 *
 * `may_refuse`: memory is so short that a request may be refused.
 */
size_t attack_round(uint64_t seed, bool may_refuse);

/* Whether nobody attacks in this round, so that nothing may stop it: one in four. */
bool attack_is_absent(uint64_t seed);

/* Of the calls of attack_round() after the attack, for a round that did not return. */
extern size_t attack_calls;

/* The end of what the attack has written to. It may lie behind the break, where a heap was that has been trimmed. */
extern char *attack_end;

/* ---- from the platform: attack_native.c, misuse.c ---- */

/* The heap may have addresses from this one to the break. */
extern char *heap_start;

/* Ends the round: something is wrong. */
__attribute__((format(printf, 1, 2), noreturn)) void attack_failed(const char *format, ...);

/* How the allocator under test stops, on the development machine. */
#ifdef TEST_NATIVE
_Noreturn void attack_stopped(const char *fault, const void *block);
#define WASMALLOC_STOP(fault, block) attack_stopped(fault, block)
#endif

#endif
