// An aligned request just under 2 GiB, as the C++ library rounds it up, where there is room for it; and one more, where
// there is none.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

int main() {
  std::align_val_t alignment{4096};
  auto block = static_cast<char *>(::operator new(0x7fffff00, alignment, std::nothrow));
  if (block)
    block[0] = block[0x7fffff00 - 1] = 1;
  void *another = ::operator new(0x7fffff00, alignment, std::nothrow);
  void *small = std::aligned_alloc(4096, 4096);
  bool is_aligned = reinterpret_cast<std::uintptr_t>(block) % 4096 == 0;
  std::printf("%s, %s, %s\n", block && is_aligned ? "served" : "refused",
              another ? "served" : "refused", small ? "served" : "refused");
  ::operator delete(block, alignment);
  std::printf("%s\n", ::operator new(0x7fffff00, alignment, std::nothrow) ? "served" : "refused");
}
