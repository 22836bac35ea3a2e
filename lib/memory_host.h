/*
 * Control over the simulated linear memory of the host version, for tests.
 */
#ifndef WASMALLOC_MEMORY_HOST_H
#define WASMALLOC_MEMORY_HOST_H

#include <stddef.h>
#include <stdint.h>

/* Sets the maximum of linear memory in bytes (256 MiB to begin with, at most MEMORY_HOST_RESERVED).
 */
void memory_host_set_maximum(size_t bytes);

/* The next `growths` growths of linear memory succeed, all after them are refused; SIZE_MAX (as it
 * is to begin with) refuses none. */
void memory_host_allow_growths(size_t growths);

/* Number of growths of linear memory so far. */
size_t memory_host_growths(void);

/* Size of linear memory in bytes, a multiple of 64 KiB. */
size_t memory_host_size(void);

/* Takes all memory back, and returns its lowest address: linear memory has a single page again, none of it
 * handed out, and may grow. For a test that has made its allocator forget its heap as well. The bytes stay
 * as they were. */
void *memory_host_reset(void);

/* The program's sbrk() and brk(), as memory_wasm.c has them. */
void *wasmalloc_sbrk(intptr_t increment);
int wasmalloc_brk(void *address);

#define MEMORY_HOST_RESERVED ((size_t)1 << 32)

#endif
