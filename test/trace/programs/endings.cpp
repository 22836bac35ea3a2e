// Allocates, leaves a block behind, and ends as its argument says. Its destructors and atexit() function free.
#include <cstdlib>
#include <cstring>
#include <emscripten.h>
#include <stdexcept>
#include <vector>

struct Holder {
  std::vector<int> numbers = std::vector<int>(1000);
};

static Holder holder;
static void *kept;

static void free_kept() {
  free(kept);
}

__attribute__((noinline)) static void *innermost(size_t size) {
  return std::malloc(size);
}

__attribute__((noinline)) static void *outer(size_t size) {
  void *block = innermost(size);
  memset(block, 1, size);
  return block;
}

int main(int argc, char **argv) {
  const char *ending = argc > 1 ? argv[1] : "return";
  kept = outer(123);
  std::atexit(free_kept);
  int *one = new int(argc);
  int *many = new int[100];
  delete one;
  delete[] many;
  if (!strcmp(ending, "exit"))
    std::exit(4);
  if (!strcmp(ending, "abort"))
    std::abort();
  if (!strcmp(ending, "trap"))
    __builtin_trap();
  if (!strcmp(ending, "throw"))
    throw std::runtime_error("thrown");
  if (!strcmp(ending, "javascript"))
    EM_ASM({ throw new Error('of JavaScript'); });
  return 3;
}
