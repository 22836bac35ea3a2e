/* A program of the development machine that links the host version. */
#include <memory.h>
#include <stdio.h>
#include <wasmalloc.h>

void *wasmalloc_malloc(size_t bytes);
void wasmalloc_free(void *payload);

int main(void) {
  void *payload = wasmalloc_malloc(1000);
  memset(payload, 1, 1000);
  puts(wasmalloc_check() ? "broken" : "sound");
  wasmalloc_free(payload);
  return 0;
}
