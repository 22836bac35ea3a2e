/*
 * Counts the words of a text that it makes up, in a hash table that grows: malloc, calloc, realloc,
 * free, aligned_alloc and a foreign sbrk(), and a check of the heap after each round. Prints the
 * same with every allocator.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasmalloc.h>

struct entry {
  struct entry *next;
  char *word;
  unsigned count;
};

static struct entry **table;
static size_t table_size = 8, entries;

static unsigned random_number(void) {
  static uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return state >> 8;
}

static size_t hash(const char *word) {
  size_t value = 5381;
  while (*word)
    value = value * 33 + (unsigned char)*word++;
  return value;
}

static void grow(void) {
  struct entry **larger = calloc(2 * table_size, sizeof *larger);
  for (size_t i = 0; i < table_size; ++i)
    for (struct entry *entry = table[i], *next; entry; entry = next) {
      next = entry->next;
      struct entry **slot = &larger[hash(entry->word) % (2 * table_size)];
      entry->next = *slot;
      *slot = entry;
    }
  free(table);
  table = larger;
  table_size *= 2;
}

static void count(const char *word) {
  for (struct entry *entry = table[hash(word) % table_size]; entry; entry = entry->next)
    if (strcmp(entry->word, word) == 0) {
      ++entry->count;
      return;
    }
  if (entries == table_size)
    grow();
  struct entry *entry = malloc(sizeof *entry);
  entry->word = strdup(word);
  entry->count = 1;
  struct entry **slot = &table[hash(word) % table_size];
  entry->next = *slot;
  *slot = entry;
  ++entries;
}

static void expect(bool holds, const char *what) {
  if (!holds) {
    printf("wrong: %s\n", what);
    exit(1);
  }
}

int main(void) {
  for (int round = 0; round < 4; ++round) {
    table = calloc(table_size, sizeof *table);
    for (int i = 0; i < 5000; ++i) {
      /* A word that grows letter by letter. */
      char *word = NULL;
      size_t length = 1 + random_number() % 4;
      for (size_t j = 0; j < length; ++j) {
        word = realloc(word, j + 2);
        word[j] = (char)('a' + random_number() % 6);
        word[j + 1] = 0;
      }
      count(word);
      free(word);
    }
    unsigned words = 0, once = 0;
    size_t distinct = entries;
    for (size_t i = 0; i < table_size; ++i)
      for (struct entry *entry = table[i], *next; entry; entry = next) {
        next = entry->next;
        words += entry->count;
        once += entry->count == 1;
        free(entry->word);
        free(entry);
        --entries;
      }
    free(table);
    table_size = 8;
    char *aligned = aligned_alloc(4096, 8192);
    expect((uintptr_t)aligned % 4096 == 0, "aligned_alloc");
    expect(malloc_usable_size(aligned) >= 8192, "malloc_usable_size");
    char *foreign = sbrk(64);
    memset(foreign, 0x5A, 64);
    memset(aligned, round, 8192);
    free(aligned);
    free(malloc(100000));
    for (int i = 0; i < 64; ++i)
      expect(foreign[i] == 0x5A, "foreign memory was changed");
    expect(wasmalloc_check() == NULL, "heap check");
    printf("%u words, %zu distinct, %u once\n", words, distinct, once);
  }
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  expect(statistics.heap_size > 0 && statistics.peak_size >= statistics.heap_size, "statistics");
  return 0;
}
