/* mmap, environment variables, atexit and dlerror: what libc itself takes from the allocator. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wasmalloc.h>

static void at_exit(void) {
  puts(wasmalloc_check() ? "broken" : "sound");
}

static void nothing(void) {}

int main(void) {
  for (int i = 0; i < 40; ++i) /* more than atexit keeps without malloc */
    atexit(i ? nothing : at_exit);
  char *pages = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  setenv("COLOUR", "green", 1);
  printf("%d %s\n", pages[99999] + (int)((size_t)pages % 65536), getenv("COLOUR"));
  munmap(pages, 100000);
  return 0;
}
