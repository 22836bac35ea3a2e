/*
 * A fuzzer for the allocators: bytes become calls, and every call is checked against a model.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Makes the calls that the bytes stand for, on a heap that is new, and checks them. Ends when the bytes do:
 * then frees what is left and checks that the heap is empty. A fault prints a line and ends the program
 * by abort(). Returns the number of calls.
 *
 * Any bytes will do, and every prefix of them makes the same first calls.
 */
uint64_t fuzz_run(const uint8_t *bytes, size_t size);

/* The same with so many random bytes. */
uint64_t fuzz_seed(uint64_t seed, size_t size);

/* The number of calls since the program began, for what has to report a crash. */
extern uint64_t fuzz_calls;

/* Set before the first run: free gives nothing back, as in 1_minimal. */
extern bool fuzz_never_frees;

/* ---- from the platform: native.c, wasm.c ---- */

/* Makes linear memory as it is when a program starts, and the allocator forget its heap. Returns the
 * lowest address that the heap may have. Linear memory may grow to `maximum` bytes. */
uintptr_t platform_reset(size_t maximum);

/* So many growths of linear memory succeed, all after them are refused; SIZE_MAX refuses none. */
void platform_allow_growths(size_t growths);

/* So many bytes above the break could still be had, if growth is granted or without it. */
size_t platform_room(bool growing);

#endif
