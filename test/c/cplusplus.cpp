// new and delete, containers, and std::bad_alloc.
// Usage: cplusplus ALLOCATOR
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "../../lib/wasmalloc.h"

namespace {

struct alignas(64) Line {
  unsigned char bytes[64] = {};
};

struct alignas(1024) Wide {
  int value = 7;
};

int live_objects = 0;

struct Counted {
  Counted() {
    ++live_objects;
  }
  ~Counted() {
    --live_objects;
  }
  long payload[5] = {1, 2, 3, 4, 5};
};

// The compiler may leave out a new whose result nobody sees.
template <class T> T *seen(T *pointer) {
  T *volatile visible = pointer;
  return visible;
}

bool aligned(const void *pointer, std::uintptr_t alignment) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0;
}

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      std::printf("not ok %s: line %d: %s\n", __func__, __LINE__, #condition);                     \
      return false;                                                                                \
    }                                                                                              \
  } while (false)

bool new_and_delete() {
  for (int i = 0; i < 1000; ++i) {
    auto *one = seen(new Counted);
    auto *many = seen(new Counted[i % 50 + 1]);
    CHECK(one->payload[4] == 5 && many[i % 50].payload[4] == 5);
    CHECK(aligned(one, alignof(std::max_align_t)) && aligned(many, alignof(Counted)));
    delete one;
    delete[] many;
  }
  CHECK(live_objects == 0);
  auto *nothing = seen(::operator new(0));
  CHECK(nothing);
  ::operator delete(nothing);
  delete static_cast<Counted *>(nullptr);
  return true;
}

bool aligned_new() {
  for (int i = 1; i < 200; ++i) {
    auto *line = seen(new Line);
    auto *lines = seen(new Line[static_cast<std::size_t>(i)]);
    auto *wide = seen(new Wide);
    CHECK(aligned(line, 64) && aligned(lines, 64) && aligned(wide, 1024));
    CHECK(wide->value == 7);
    std::memset(lines, i, sizeof(Line) * static_cast<std::size_t>(i));
    CHECK(line->bytes[0] == 0 && lines[i - 1].bytes[63] == i);
    delete line;
    delete[] lines;
    delete wide;
  }
  auto *other = seen(::operator new(100, std::align_val_t(256), std::nothrow));
  CHECK(other && aligned(other, 256));
  ::operator delete(other, std::align_val_t(256));
  return true;
}

// Each size is one that no memory has.
bool bad_alloc_for_huge_requests() {
  const volatile std::size_t sizes[] = {SIZE_MAX,         SIZE_MAX - 8,     SIZE_MAX - 64,
                                        SIZE_MAX - 70000, SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 4096};
  for (std::size_t size : sizes) {
    int caught = 0;
    try {
      seen(::operator new(size));
    } catch (const std::bad_alloc &) {
      ++caught;
    }
    try {
      seen(new char[size]);
    } catch (const std::bad_alloc &) {
      ++caught;
    }
    try {
      seen(::operator new(size, std::align_val_t(64)));
    } catch (const std::bad_alloc &) {
      ++caught;
    }
    CHECK(caught == 3);
    CHECK(!seen(::operator new(size, std::nothrow)));
    CHECK(!seen(::operator new[](size, std::nothrow)));
    CHECK(!seen(::operator new(size, std::align_val_t(128), std::nothrow)));
  }
  bool thrown = false;
  try {
    const volatile std::size_t count = SIZE_MAX / sizeof(Counted) + 2;
    seen(new Counted[count]);
  } catch (const std::bad_alloc &) { // perhaps the more special std::bad_array_new_length
    thrown = true;
  }
  CHECK(thrown);
  std::vector<char> vector(100, 'x');
  thrown = false;
  try {
    vector.resize(SIZE_MAX / 2 - 100);
  } catch (const std::bad_alloc &) {
    thrown = true;
  } catch (const std::length_error &) {
    thrown = true;
  }
  CHECK(thrown && vector.size() == 100 && vector[99] == 'x');
  return true;
}

bool containers() {
  std::map<int, std::string> map;
  std::unordered_map<std::string, std::vector<int>> table;
  std::list<std::unique_ptr<Counted>> list;
  for (int i = 0; i < 5000; ++i) {
    map[i * 7919 % 5003] =
        std::string(static_cast<std::size_t>(i % 60), static_cast<char>('a' + i % 26));
    table["key " + std::to_string(i % 100)].push_back(i);
    list.push_back(std::make_unique<Counted>());
    if (i % 3 == 0) {
      list.pop_front();
    }
  }
  std::size_t length = 0;
  for (const auto &entry : map) {
    length += entry.second.size();
  }
  CHECK(map.size() == 5000 && length == 147100);
  long sum = 0;
  for (const auto &entry : table) {
    sum = std::accumulate(entry.second.begin(), entry.second.end(), sum);
  }
  CHECK(sum == 4999L * 5000 / 2);
  CHECK(live_objects == static_cast<int>(list.size()));
  list.clear();
  CHECK(live_objects == 0);
  std::vector<std::string> strings;
  for (int i = 0; i < 20000; ++i) {
    strings.emplace_back(static_cast<std::size_t>(i % 40), 'y');
  }
  CHECK(strings[12345].size() == 12345 % 40);
  return true;
}

// Until there is no more; then everything must work again.
bool bad_alloc_at_exhaustion(bool never_frees) {
  std::list<std::vector<int>> list;
  bool thrown = false;
  try {
    for (;;) {
      list.emplace_back(20000, static_cast<int>(list.size()));
    }
  } catch (const std::bad_alloc &) {
    thrown = true;
  }
  CHECK(thrown && list.size() > 100);
  int expected = 0;
  for (const auto &vector : list) {
    CHECK(vector.front() == expected && vector.back() == expected);
    ++expected;
  }
  std::size_t size = list.size();
  list.clear();
  if (!never_frees) {
    std::vector<char> large(size * 20000 * sizeof(int) / 10 * 9);
    CHECK(large[large.size() - 1] == 0);
  }
  return true;
}

} // namespace

int main(int argc, char **argv) {
  bool never_frees = argc > 1 && std::strcmp(argv[1], "minimal") == 0;
  bool passed = new_and_delete() && aligned_new() && bad_alloc_for_huge_requests() &&
                containers() && bad_alloc_at_exhaustion(never_frees);
  if (passed && wasmalloc_check()) {
    std::printf("not ok: the heap is broken at %p\n", wasmalloc_check());
    passed = false;
  }
  if (passed) {
    std::printf("ok C++\n");
  }
  return !passed;
}
