// A correct C++ program whose operators new and delete, or malloc and free, are its own: -DREPLACE=KIND. It deletes
// with the sizes that it has allocated, which are not those of the allocator's blocks.
// Usage: replaced [FAULT]; with FAULT it deletes an object with a wrong size.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#define NOTHING 0
#define HEADER                                                                                     \
  1 // new takes more from malloc() than it is asked for, and returns what is behind a header
#define POOL 2    // new serves small objects from large blocks
#define ROUNDS 3  // new rounds up; delete is the library's
#define MALLOC 4  // malloc() and free(), with a header
#define ARRAYS 5  // new[] and delete[] alone
#define ALIGNED 6 // the aligned ones alone
#define COUNTS 7  // new and delete count, and pass on to malloc() and free()
#define SIZED 8   // the sized delete alone, which needs no block
#define LARGER 9  // new takes 64 bytes at least, delete calls free()

static long calls;

#if REPLACE == HEADER || REPLACE == POOL || REPLACE == COUNTS || REPLACE == LARGER
static char *pool, *pool_end;
static void *freed[256];

static void *take(size_t size) {
  ++calls;
#if REPLACE == HEADER
  char *block = static_cast<char *>(malloc(size + 16));
  return block ? block + 16 : nullptr;
#elif REPLACE == POOL
  if (size > 255)
    return malloc(size);
  size_t units = (size + 15) / 16;
  if (void *first = freed[units]) {
    memcpy(&freed[units], first, sizeof first);
    return first;
  }
  if (static_cast<size_t>(pool_end - pool) < 16 * (units + !units)) {
    pool = static_cast<char *>(malloc(4096)); // its first object is where the block is
    pool_end = pool + 4096;
  }
  pool += 16 * (units + !units);
  return pool - 16 * (units + !units);
#elif REPLACE == LARGER
  return malloc(size < 64 ? 64 : size);
#else
  return malloc(size);
#endif
}

void *operator new(size_t size) {
  void *block = take(size);
  if (!block)
    abort();
  return block;
}

// Without exceptions the library's does not call the one above.
void *operator new(size_t size, const std::nothrow_t &) noexcept {
  return take(size);
}

void operator delete(void *block) noexcept {
  ++calls;
#if REPLACE == HEADER
  free(block ? static_cast<char *>(block) - 16 : nullptr);
#elif REPLACE == POOL
  (void)pool; // the objects stay where they are
#else
  free(block);
#endif
}
#elif REPLACE == ROUNDS
void *operator new(size_t size) {
  ++calls;
  void *block = aligned_alloc(16, (size + 15) & ~size_t{15});
  if (!block)
    abort();
  return block;
}
#elif REPLACE == MALLOC
extern "C" {
void *emscripten_builtin_malloc(size_t size);
void emscripten_builtin_free(void *block);

void *malloc(size_t size) {
  ++calls;
  char *block = static_cast<char *>(emscripten_builtin_malloc(size + 32));
  return block ? block + 32 : nullptr;
}

void free(void *block) {
  if (block)
    emscripten_builtin_free(static_cast<char *>(block) - 32);
}

void *calloc(size_t count, size_t size) {
  void *block = malloc(count * size);
  return block ? memset(block, 0, count * size) : nullptr;
}

void *aligned_alloc(size_t alignment, size_t size) {
  if (alignment > 32)
    abort();
  return malloc(size);
}
}
#elif REPLACE == ARRAYS
void *operator new[](size_t size) {
  ++calls;
  char *block = static_cast<char *>(malloc(size + 8));
  if (!block)
    abort();
  return block + 8;
}

void operator delete[](void *block) noexcept {
  free(block ? static_cast<char *>(block) - 8 : nullptr);
}
#elif REPLACE == ALIGNED
void *operator new(size_t size, std::align_val_t alignment) {
  ++calls;
  size_t before = static_cast<size_t>(alignment);
  char *block = static_cast<char *>(aligned_alloc(before, size + 2 * before));
  if (!block)
    abort();
  return block + before;
}

void operator delete(void *block, std::align_val_t alignment) noexcept {
  free(block ? static_cast<char *>(block) - static_cast<size_t>(alignment) : nullptr);
}
#elif REPLACE == SIZED
void operator delete(void *block, size_t) noexcept {
  ++calls;
  ::operator delete(block);
}
#else
#endif

struct Shape {
  virtual ~Shape() = default;
  int sides = 0;
};

struct Polygon : Shape {
  int corners[30] = {};
};

struct alignas(64) Line {
  char bytes[100] = {};
};

struct Counted {
  int value = 1;
  ~Counted() {
    ++destroyed;
  }
  static inline int destroyed = 0;
};

struct Plain {
  long values[3] = {};
};

// Has an operator new of its own.
struct Own {
  long values[5] = {};
  static void *operator new(size_t size) {
    return malloc(size * 2);
  }
  static void operator delete(void *block, size_t) {
    free(block);
  }
};

// The compiler must not leave out a pair of new and delete.
template <class T> static T *seen(T *pointer) {
  T *volatile hidden = pointer;
  return hidden;
}

static size_t use_all() {
  size_t sum = 0;
  for (size_t i = 0; i < 300; i++) {
    delete seen<Shape>(new Polygon);
    delete seen(new int(1));
    delete seen(new Own);
    delete[] seen(new Counted[i]);
    delete[] seen(new char[i]);
    delete[] seen(new std::string[i % 7]);
    ::operator delete(seen(::operator new(i)), i);
    ::operator delete(seen(::operator new(i, std::nothrow)), i);
    ::operator delete[](seen(::operator new[](i)), i);
    delete seen(new (std::nothrow) long(2));
#if REPLACE != MALLOC // whose aligned_alloc() is too simple
    delete seen(new Line);
    delete[] seen(new Line[i % 5]);
    ::operator delete (seen(::operator new (i, std::align_val_t{128})), i, std::align_val_t{128});
#endif
    std::allocator<short> allocator;
    allocator.deallocate(seen(allocator.allocate(i)), i);
  }
  std::vector<std::string> words;
  std::map<int, std::string> ordered;
  std::vector<std::function<size_t()>> functions;
  std::vector<std::shared_ptr<Polygon>> shapes;
  for (int i = 0; i < 500; i++) {
    words.push_back(std::string(static_cast<size_t>(i), 'x'));
    ordered[i * 7 % 500] = words.back();
    functions.push_back([copy = words.back(), i] { return copy.size() + static_cast<size_t>(i); });
    shapes.push_back(std::make_shared<Polygon>());
    if (i % 3 == 0)
      ordered.erase(i);
  }
  for (auto &function : functions)
    sum += function();
  return sum + ordered.size() + shapes.size();
}

int main(int argc, char **) {
  std::printf("%d\n", use_all() > 0);
  if (REPLACE != NOTHING && calls == 0)
    return 2;
  if (argc > 1) {
    delete reinterpret_cast<Counted *>(seen(new Plain));
    std::puts("went on");
  }
  return 0;
}
