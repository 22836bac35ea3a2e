/*
 * What a fault of an allocator is to these programs: a function that ends the program with one line.
 *
 *   FAULT(free_is_silent, "free(NULL) does nothing") { free(NULL); EXPECT(…); }
 *
 * The text says what a sound allocator does. A program runs the one fault that its argument names (in the
 * name '-' stands for '_'), because a fault may well damage the heap, and prints
 *
 *   ok
 *   not ok: <why>
 *   missing: <function>
 *
 * or it traps, or aborts, or never ends: who starts it sees which (run.mjs).
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fault {
  const char *name;
  void (*run)(void);
  struct fault *next;
};

void fault_register(struct fault *fault);

#define FAULT(identifier, text)                                                                    \
  static void identifier(void);                                                                    \
  __attribute__((constructor)) static void register_##identifier(void) {                           \
    static struct fault fault = {#identifier, identifier, NULL};                                   \
    fault_register(&fault);                                                                        \
  }                                                                                                \
  static void identifier(void)

/* Ends the program when the condition does not hold. */
#define EXPECT(condition, ...)                                                                     \
  do {                                                                                             \
    if (!(condition))                                                                              \
      fault_found(__VA_ARGS__);                                                                    \
  } while (0)

/* Ends the program when the allocator has no such function (names.h declares it weak). */
#define NEEDS(function)                                                                            \
  do {                                                                                             \
    if (!HAS(function))                                                                            \
      fault_missing(#function);                                                                    \
  } while (0)

__attribute__((format(printf, 1, 2), noreturn)) void fault_found(const char *format, ...);
__attribute__((noreturn)) void fault_missing(const char *function);

/* The bytes above the static data that have been handed out since the program began. */
size_t bytes_taken(void);

#ifdef __cplusplus
}
#endif

#endif
