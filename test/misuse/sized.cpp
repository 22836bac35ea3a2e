/*
 * Blocks that are freed with a size that is not theirs, by C++'s sized deletes and C23's free_sized(); and deletes that
 * do not fit the new.
 */
#include "misuse.h"

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdlib.h>

/* Not every C library has them: then the size says nothing. */
extern "C" {
__attribute__((weak)) void free_sized(void *block, size_t size);
__attribute__((weak)) void free_aligned_sized(void *block, size_t alignment, size_t size);
}

namespace {

/* The compiler knows neither the type nor the size of what it points to. */
template <class T> T *unknown(void *pointer) {
  void *volatile hidden = pointer;
  return static_cast<T *>(hidden);
}

void finish(size_t size) {
  too_late();
  use_heap(size);
}

/* ---- by C ---- */

void sized_free(void *block, size_t size) {
  if (free_sized)
    free_sized(block, size);
  else
    free(block);
}

void free_sized_by(size_t size, int difference) {
  void *block = take(size);
  take(size);
  forget(block);
  sized_free(block, size + static_cast<size_t>(difference));
  finish(size);
}

void free_sized_of_resized(size_t size, int) {
  void *block = take(size);
  take(size);
  forget(block);
  sized_free(realloc(block, size * 3), size);
  finish(size);
}

void free_aligned_sized_by(size_t size, int difference) {
  void *block = adopt(aligned_alloc(64, size), size);
  take(size);
  forget(block);
  if (free_aligned_sized)
    free_aligned_sized(block, 64, size + static_cast<size_t>(difference));
  else
    free(block);
  finish(size);
}

/* An address that is not aligned so. */
void free_aligned_sized_to(size_t size, int alignment) {
  void *block = take(size);
  while (reinterpret_cast<uintptr_t>(block) % static_cast<size_t>(alignment) == 0)
    block = take(size);
  forget(block);
  if (free_aligned_sized)
    free_aligned_sized(block, static_cast<size_t>(alignment), size);
  else
    free(block);
  finish(size);
}

/* ---- by C++ ---- */

void delete_by(size_t size, int difference) {
  void *block = adopt(::operator new(size), size);
  take(size);
  forget(block);
  ::operator delete(block, size + static_cast<size_t>(difference));
  finish(size);
}

void delete_with_all_bits(size_t size, int) {
  void *block = adopt(::operator new(size), size);
  take(size);
  forget(block);
  ::operator delete(block, SIZE_MAX - 15);
  finish(size);
}

void delete_array_by(size_t size, int difference) {
  void *block = adopt(::operator new[](size), size);
  take(size);
  forget(block);
  ::operator delete[](block, size + static_cast<size_t>(difference));
  finish(size);
}

void delete_aligned_by(size_t size, int difference) {
  std::align_val_t alignment{64};
  void *block = adopt(::operator new(size, alignment), size);
  take(size);
  forget(block);
  ::operator delete(block, size + static_cast<size_t>(difference), alignment);
  finish(size);
}

void delete_aligned_array_by(size_t size, int difference) {
  std::align_val_t alignment{64};
  void *block = adopt(::operator new[](size, alignment), size);
  take(size);
  forget(block);
  ::operator delete[](block, size + static_cast<size_t>(difference), alignment);
  finish(size);
}

void deallocate_by(size_t size, int difference) {
  std::allocator<char> allocator;
  char *block = allocator.allocate(size);
  adopt(block, size);
  take(size);
  forget(block);
  allocator.deallocate(block, size + static_cast<size_t>(difference));
  finish(size);
}

struct Small {
  int values[4];
};

struct Large {
  int values[40];
};

struct Base {
  int base = 1;
};

struct Derived : Base {
  char more[300] = {};
};

struct Counted {
  int value = 0;
  ~Counted() {
    ++destroyed;
  }
  static inline int destroyed = 0;
};

struct alignas(64) Aligned {
  char bytes[64];
};

void delete_as_larger(size_t size, int) {
  delete unknown<Large>(new Small);
  finish(size);
}

void delete_as_smaller(size_t size, int) {
  delete unknown<Small>(new Large);
  finish(size);
}

/* The base has no virtual destructor. */
void delete_as_base(size_t size, int) {
  delete unknown<Base>(new Derived);
  finish(size);
}

void delete_of_array(size_t size, int) {
  delete unknown<int>(new int[size]);
  finish(size);
}

/* p points behind the cookie, which has the number of elements. */
void delete_of_array_with_cookie(size_t size, int) {
  delete unknown<Counted>(new Counted[size]);
  finish(size);
}

void delete_array_as_larger(size_t size, int) {
  struct Other : Counted {
    int values[3] = {};
  };
  delete[] unknown<Other>(new Counted[size]);
  finish(size);
}

void delete_as_not_aligned(size_t size, int) {
  delete unknown<Small>(new Aligned);
  finish(size);
}

void delete_of_malloc(size_t size, int) {
  delete unknown<Small>(malloc(size + sizeof(Small)));
  finish(size);
}

const struct misuse sized[] = {
    {"free-sized-larger-1", "free_sized(p, size + 1)", WRONG_SIZE, ALL_SIZES, free_sized_by, 1},
    {"free-sized-smaller-1", "free_sized(p, size - 1)", WRONG_SIZE, ALL_SIZES, free_sized_by, -1},
    {"free-sized-larger", "free_sized(p, size + 1000)", WRONG_SIZE, ALL_SIZES, free_sized_by, 1000},
    {"free-sized-of-resized", "p = realloc(p, 3 * size), free_sized(p, size)", WRONG_SIZE,
     ALL_SIZES, free_sized_of_resized, 0},
    {"free-aligned-sized-larger", "free_aligned_sized(p, 64, size + 64)", WRONG_SIZE, ALL_SIZES,
     free_aligned_sized_by, 64},
    {"free-aligned-sized-smaller", "free_aligned_sized(p, 64, size - 1)", WRONG_SIZE, ALL_SIZES,
     free_aligned_sized_by, -1},
    {"free-aligned-sized-alignment", "free_aligned_sized(p, 1 MiB, size), p is not aligned so",
     WRONG_SIZE, ALL_SIZES, free_aligned_sized_to, 1 << 20},
    {"delete-larger-1", "operator delete(p, size + 1)", WRONG_SIZE, ALL_SIZES, delete_by, 1},
    {"delete-smaller-1", "operator delete(p, size - 1)", WRONG_SIZE, ALL_SIZES, delete_by, -1},
    {"delete-all-bits", "operator delete(p, SIZE_MAX - 15)", WRONG_SIZE, ALL_SIZES,
     delete_with_all_bits, 0},
    {"delete-array-larger", "operator delete[](p, size + 8)", WRONG_SIZE, ALL_SIZES,
     delete_array_by, 8},
    {"delete-array-smaller", "operator delete[](p, size - 4)", WRONG_SIZE, ALL_SIZES,
     delete_array_by, -4},
    {"delete-aligned-larger", "operator delete(p, size + 64, align_val_t(64))", WRONG_SIZE,
     ALL_SIZES, delete_aligned_by, 64},
    {"delete-aligned-array-larger", "operator delete[](p, size + 64, align_val_t(64))", WRONG_SIZE,
     ALL_SIZES, delete_aligned_array_by, 64},
    {"deallocate-larger", "std::allocator<char>().deallocate(p, size + 1)", WRONG_SIZE, ALL_SIZES,
     deallocate_by, 1},
    {"delete-as-larger", "delete of a pointer to a larger type", WRONG_SIZE, ONE_SIZE,
     delete_as_larger, 0},
    {"delete-as-smaller", "delete of a pointer to a smaller type", WRONG_SIZE, ONE_SIZE,
     delete_as_smaller, 0},
    {"delete-as-base", "delete of a pointer to a base without a virtual destructor", WRONG_SIZE,
     ONE_SIZE, delete_as_base, 0},
    {"delete-of-array", "new int[n], delete", WRONG_SIZE, ALL_SIZES, delete_of_array, 0},
    {"delete-of-array-with-cookie", "new T[n], delete; T has a destructor", NO_BLOCK | UNDERFLOW,
     ALL_SIZES, delete_of_array_with_cookie, 0},
    {"delete-array-as-larger", "new T[n], delete[] of a pointer to a larger type", WRONG_SIZE,
     SIZE_8, delete_array_as_larger, 0},
    {"delete-as-not-aligned", "delete of a pointer to a smaller type, of less alignment",
     WRONG_SIZE, ONE_SIZE, delete_as_not_aligned, 0},
    {"delete-of-malloc", "malloc(sizeof(T) + size), delete", WRONG_SIZE, ALL_SIZES,
     delete_of_malloc, 0},
};

/* ---- a delete that does not fit, but its size does, or it has none ---- */

void delete_array_of_one(size_t size, int) {
  delete[] unknown<Small>(new Small);
  finish(size);
}

void delete_of_malloc_exactly(size_t size, int) {
  delete unknown<Small>(malloc(sizeof(Small)));
  finish(size);
}

void free_of_new(size_t size, int) {
  free(unknown<void>(new Small));
  finish(size);
}

void delete_without_size(size_t size, int) {
  ::operator delete(unknown<void>(new int[size]));
  finish(size);
}

const struct misuse mismatches[] = {
    {"mismatch-delete-array-of-one", "new T, delete[]; T has no destructor", ANY_FAULT, ONE_SIZE,
     delete_array_of_one, 0},
    {"mismatch-delete-of-malloc", "malloc(sizeof(T)), delete", ANY_FAULT, ONE_SIZE,
     delete_of_malloc_exactly, 0},
    {"mismatch-free-of-new", "new T, free()", ANY_FAULT, ONE_SIZE, free_of_new, 0},
    {"mismatch-delete-without-size", "new T[n], operator delete(p)", ANY_FAULT, ONE_SIZE,
     delete_without_size, 0},
};

} // namespace

extern "C" {
const struct misuse_class sized_class = CLASS("free or delete with a wrong size", sized, AT_ONCE);
const struct misuse_class mismatch_class =
    CLASS("free or delete that does not fit, without a wrong size", mismatches, NEVER);
}
