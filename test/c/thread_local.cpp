// Objects of a thread: their destructors run when the thread ends, before or after the allocator has
// left the thread. What they free and allocate must not add up.
//
//   thread_local [ALLOCATOR]
#include <atomic>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "../../lib/wasmalloc.h"
#include "leeway.h"

namespace {

std::atomic<int> destructions;

struct Words {
  std::vector<std::string> words;
  ~Words() {
    std::map<std::string, int> counted;
    for (const std::string &word : words)
      counted[word + ", which is too long to be without a block"]++;
    if (counted.size() == words.size())
      ++destructions;
  }
};

thread_local Words words;
thread_local std::unique_ptr<Words> later;

void work() {
  for (int i = 0; i < 30; ++i)
    words.words.push_back(std::string(i * 20, 'x'));
  later = std::make_unique<Words>();
  later->words = words.words;
}

std::size_t used_blocks() {
  struct wasmalloc_statistics statistics;
  ::wasmalloc_statistics(&statistics);
  return statistics.used_blocks;
}

} // namespace

int main(int argc, char **argv) {
  const char *allocator = argc > 1 ? argv[1] : "";
  bool never_frees = std::strcmp(allocator, "minimal") == 0;
  int threads = never_frees ? 300 : 2000;
  char *end = nullptr;
  std::size_t used = 0;
  for (int i = 0; i < threads; ++i) {
    std::thread(work).join();
    if (i == 100) {
      end = static_cast<char *>(sbrk(0));
      used = used_blocks();
    }
  }
  int faults = 0;
  if (!never_frees && static_cast<char *>(sbrk(0)) - end > leeway_of(allocator))
    faults += std::printf("not ok the heap grows by %td\n", static_cast<char *>(sbrk(0)) - end);
  if (!never_frees && used_blocks() != used)
    faults += std::printf("not ok %zu blocks are used, and not %zu\n", used_blocks(), used);
  if (destructions != 2 * threads)
    faults += std::printf("not ok %d destructions\n", destructions.load());
  if (wasmalloc_check())
    faults += std::printf("not ok the heap is sound\n");
  if (faults == 0)
    std::printf("ok %d threads\n", threads);
  return faults != 0;
}
