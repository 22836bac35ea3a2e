/*
 * The main program of the tests.
 *
 *   library [--list] [--never-frees] [--slow] [--sealed] [--no-exhaustion] [--seed=N]
 *           [--operations=N] [--maximum=N] [--stop] [--after=DESCRIPTION] [DESCRIPTION ...]
 *
 * runs all tests, or those after the one named, or only those named; --stop
 * ends the run with the first failure, because what comes after it may fail
 * for no other reason. The exit code is 0 when none has failed.
 */
#include "testing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

struct test_options test_options = {.exhausts = true, .seed = 1, .operations = 200000};

static struct test *first_test;
static struct test **last_link = &first_test;

static enum { PASSED, FAILED, SKIPPED } outcome;
static char reason[512];

void test_register(struct test *test) {
  *last_link = test;
  last_link = &test->next;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

void test_failed(const char *file, int line, const char *condition, const char *format, ...) {
  if (outcome == FAILED) {
    return;
  }
  outcome = FAILED;
  int length = snprintf(reason, sizeof reason, "%s:%d: %s: ", base_name(file), line, condition);
  va_list arguments;
  va_start(arguments, format);
  if (length > 0 && (size_t)length < sizeof reason) {
    vsnprintf(reason + length, sizeof reason - (size_t)length, format, arguments);
  }
  va_end(arguments);
}

void test_skipped(const char *why) {
  outcome = SKIPPED;
  snprintf(reason, sizeof reason, "%s", why);
}

bool test_has_failed(void) {
  return outcome == FAILED;
}

#ifdef TEST_OTHER_ALLOCATOR

size_t used_blocks(void) {
  return 0;
}
bool heap_is_sound(void) {
  return true;
}

#else

size_t used_blocks(void) {
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  return statistics.used_blocks;
}

bool heap_is_sound(void) {
  void *broken = wasmalloc_check();
  if (broken) {
    test_failed(__FILE__, __LINE__, "the heap is sound", "broken at %p", broken);
  }
  return !broken;
}

#endif

/* Returns false when the test has failed. */
static bool run(struct test *test) {
  static const char *const words[] = {"ok", "not ok", "skip"};
  outcome = PASSED;
  reason[0] = 0;
  static const char *file = "";
  if (strcmp(file, test->file) != 0) {
    file = test->file;
    printf("file %s\n", base_name(file));
  }
  printf("run %s\n", test->description);
  fflush(stdout);
  size_t blocks = used_blocks();
  test->run();
  if (outcome != FAILED && heap_is_sound() && !test_options.never_frees) {
    size_t left = used_blocks();
    if (left != blocks) {
      test_failed(__FILE__, __LINE__, "no block is left", "%zu before the test, %zu after it",
                  blocks, left);
    }
  }
  printf("%s %s%s%s\n", words[outcome], test->description, reason[0] ? ": " : "", reason);
  fflush(stdout);
  return outcome != FAILED;
}

/* The text after `name=`, or NULL when the argument is another. */
static const char *value_of(const char *argument, const char *name) {
  size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1
                                                                         : NULL;
}

static bool is_named(const char *description, char **names, int count) {
  for (int i = 0; i < count; i++) {
    if (strcmp(names[i], description) == 0) {
      return true;
    }
  }
  return false;
}

int main(int argc, char **argv) {
  const char *after = NULL;
  bool list = false;
  bool stop = false;
  int option = 1;
  for (; option < argc && strncmp(argv[option], "--", 2) == 0; option++) {
    const char *argument = argv[option];
    const char *value = NULL;
    if (strcmp(argument, "--list") == 0) {
      list = true;
    } else if (strcmp(argument, "--stop") == 0) {
      stop = true;
    } else if (strcmp(argument, "--never-frees") == 0) {
      test_options.never_frees = true;
    } else if (strcmp(argument, "--slow") == 0) {
      test_options.slow = true;
    } else if (strcmp(argument, "--sealed") == 0) {
      test_options.sealed = true;
    } else if (strcmp(argument, "--no-exhaustion") == 0) {
      test_options.exhausts = false;
    } else if ((value = value_of(argument, "--seed"))) {
      test_options.seed = strtoull(value, NULL, 10);
    } else if ((value = value_of(argument, "--operations"))) {
      test_options.operations = (size_t)strtoull(value, NULL, 10);
    } else if ((value = value_of(argument, "--maximum"))) {
      test_options.maximum = (size_t)strtoull(value, NULL, 10);
    } else if ((value = value_of(argument, "--after"))) {
      after = value;
    } else {
      fprintf(stderr, "unknown option: %s\n", argument);
      return 2;
    }
  }

#ifdef TEST_NATIVE
  if (test_options.maximum == 0) {
    test_options.maximum = (size_t)64 << 20;
  }
  memory_host_set_maximum(test_options.maximum);
#endif

  int failures = 0;
  int found = 0;
  for (struct test *test = first_test; test; test = test->next) {
    if (after) {
      if (strcmp(after, test->description) == 0) {
        after = NULL;
      }
      continue;
    }
    if (option < argc && !is_named(test->description, argv + option, argc - option)) {
      continue;
    }
    found++;
    if (list) {
      printf("%s\n", test->description);
    } else if (!run(test)) {
      failures++;
      if (stop) {
        break;
      }
    }
  }
  if (failures == 0 && found < argc - option) {
    fprintf(stderr, "no such test: only %d of %d names are known\n", found, argc - option);
    return 2;
  }
  if (failures > 0) {
    printf("# %d failed, seed %llu\n", failures, (unsigned long long)test_options.seed);
  }
  return failures > 0;
}
