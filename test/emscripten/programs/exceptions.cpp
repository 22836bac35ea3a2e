// new, delete, containers, and std::bad_alloc when there is no memory.
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>
#include <wasmalloc.h>

struct alignas(256) aligned {
  char bytes[256];
};

static void *volatile kept; // or the compiler leaves out a new that nobody looks at

int main() {
  std::map<std::string, std::vector<int>> lists;
  for (int i = 0; i < 5000; ++i)
    lists["list number " + std::to_string(i % 50)].push_back(i);
  long sum = 0;
  for (const auto &[name, list] : lists)
    for (int i : list)
      sum += i;
  lists.clear();
  auto object = std::make_unique<aligned>();
  std::printf("%ld %d\n", sum,
              static_cast<int>(reinterpret_cast<std::uintptr_t>(object.get()) % 256));

  std::vector<std::unique_ptr<char[]>> pieces;
  try {
    for (;;)
      pieces.emplace_back(new char[1000000]);
  } catch (const std::bad_alloc &) {
    kept = new (std::nothrow) char[100000000];
    std::printf("bad_alloc: %d, nothrow: %d\n", pieces.size() > 5, kept == nullptr);
  }
  pieces.clear();
  try {
    std::string text(std::size_t{1} << 30, ' ');
    kept = text.data();
  } catch (const std::bad_alloc &) {
    std::printf("again, heap %s\n", wasmalloc_check() ? "broken" : "sound");
  }
}
