/*
 * Failures on purpose: a program is run again and again, and each time another of its allocations, or
 * another growth of linear memory, fails.
 *
 * inject.c defines malloc and the rest around the allocator's own functions, and
 * emscripten_resize_heap(), by which the allocator grows linear memory. A program (sqlite.c,
 * containers.cpp) implements program_run() and is told nothing of what is to fail; faults.js calls
 * inject_run() for one failure after the other.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a program implements ---- */

/* How a run ended. */
enum outcome {
  COMPLETE = 0,      /* all answers are there */
  OUT_OF_MEMORY = 1, /* it stopped, because memory ran out and was not to be had again */
  FAILED = 2,        /* it stopped for a reason that is none: program_fails() has said which */
};

/*
 * Does the program's work from the beginning and gives back all that it has allocated. *answers is
 * a digest of what it found, the same in every run. Where memory runs out the program takes back
 * what it was about to do, calls program_is_told(), and tries once more if that returns true.
 */
enum outcome program_run(uint32_t *answers);

/* ---- what a program calls ---- */

/* The program has had the error that means "out of memory". Returns whether memory is to be had
 * again. */
bool program_is_told(void);

/* The program has had another error, or an answer that cannot be. */
__attribute__((format(printf, 1, 2))) void program_fails(const char *format, ...);

/* A digest of bytes, after those that `digest` stands for; the first is 0. */
uint32_t add_to_digest(uint32_t digest, const void *bytes, size_t count);

/*
 * Flaws that a program has on demand, to show that each is found. All are in what the program does
 * when memory has run out, where programs do have them; the last is the allocator's.
 */
enum flaw {
  NO_FLAW = 0,
  FORGETS = 1,  /* a block is not given back */
  OVERRUNS = 2, /* changes the word before a block */
  CRASHES = 3,  /* goes on as if it had the memory */
  MISLEADS = 4, /* reports another error */
  GUESSES = 5,  /* leaves something out, and goes on */
  SILENT = 6,   /* NULL, and errno says nothing */
};

/* Whether the program is to have this flaw. */
bool program_has(enum flaw flaw);

/* Writes to the word before a block, for a program that OVERRUNS. */
void damage(void *block);

/* ---- what faults.js calls ---- */

/* What fails. */
enum target { NOTHING = 0, ALLOCATION = 1, GROWTH = 2 };

/* What is wrong with a run: bits of inject_run()'s result. */
enum fault {
  LEAK = 1,         /* the program holds blocks after its end */
  BROKEN_HEAP = 2,  /* so says the heap check, or the heap has other blocks than it should */
  WRONG_ERROR = 4,  /* another than "out of memory", or without cause */
  WRONG_ANSWER = 8, /* complete, but not the answers of a run without failures */
  WRONG_ERRNO = 16, /* NULL without ENOMEM or without cause, or the block changed by realloc */
};

/*
 * Runs the program, while the `number`th of its allocations or growths, counted from 1, fails, or all
 * from that one on. Afterwards nothing fails any more. `answers` are those that are right, or 0 where
 * nobody knows them yet. `never_frees` says that free() gives nothing back, as in 1_minimal.
 */
unsigned inject_run(enum target target, bool all, uint32_t number, uint32_t answers,
                    bool never_frees, enum flaw flaw);

/* Of the last run. */
uint32_t inject_allocations(void); /* calls of malloc, realloc and the others */
uint32_t inject_growths(void);     /* calls of emscripten_resize_heap() */
uint32_t inject_injected(void);    /* how many of them have failed on purpose */
uint32_t inject_told(void);        /* how often the program was told */
uint32_t inject_answers(void);
const char *inject_explanation(void); /* of the first fault */

#ifdef __cplusplus
}
#endif

#endif
