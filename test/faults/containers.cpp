/*
 * A C++ program that lives in the standard library: containers, strings, smart pointers, functions,
 * streams, exceptions; and all kinds of operator new. When an allocation fails, std::bad_alloc must
 * come up to program_run(), and everything on the way must be destroyed; what asked with std::nothrow
 * must see nullptr.
 *
 * To be compiled with exceptions, of either kind that Emscripten has.
 */
#include "inject.h"

#include <algorithm>
#include <any>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <queue>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

/* What the program answers, as it goes. */
class Digest {
public:
  void add(std::string_view text) {
    value_ = add_to_digest(value_, text.data(), text.size());
  }
  void add(uint64_t number) {
    value_ = add_to_digest(value_, &number, sizeof number);
  }
  uint32_t value() const {
    return value_;
  }

private:
  uint32_t value_ = 0;
};

/* The same numbers in every attempt (Marsaglia's xorshift). */
class Random {
public:
  uint32_t below(uint32_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ % limit;
  }
  std::string name() {
    std::string name(4 + below(40), ' ');
    for (char &letter : name)
      letter = char('a' + below(26));
    return name;
  }

private:
  uint32_t state_ = 2463534242u;
};

/* Objects that have been constructed and not destroyed. */
int living;

struct Counted {
  Counted() {
    ++living;
  }
  Counted(const Counted &) {
    ++living;
  }
  Counted &operator=(const Counted &) = default;
  ~Counted() {
    --living;
  }
};

struct Item : Counted {
  Item(std::string name_, uint32_t price_) : name(std::move(name_)), price(price_) {}
  std::string name;
  uint32_t price;
};

/* The compiler may leave out a new whose result nobody sees. */
template <class T> T *seen(T *pointer) {
  T *volatile visible = pointer;
  return visible;
}

/* ---- the steps: each has objects of its own, which are gone when it ends, whichever way ---- */

void fill_vectors(Digest &digest) {
  Random random;
  std::vector<std::string> names;
  std::vector<bool> bits;
  for (int i = 0; i < 40; ++i) {
    names.push_back(random.name());
    names.insert(names.begin(), names.back() + " again");
    bits.push_back(names.back().size() % 2);
  }
  /* Sorts in place, and slower, where there is no memory for a copy. */
  std::stable_sort(names.begin(), names.end(),
                   [](const auto &a, const auto &b) { return a.size() < b.size(); });
  std::vector<std::string> copy(names);
  copy.erase(copy.begin() + 10, copy.begin() + 30);
  copy.shrink_to_fit();
  for (const auto &name : copy)
    digest.add(name);
  digest.add(uint64_t(std::count(bits.begin(), bits.end(), true)));
}

void keep_a_shop(Digest &digest) {
  Random random;
  std::vector<std::shared_ptr<const Item>> stock;
  for (int i = 0; i < 30; ++i)
    stock.push_back(std::make_shared<Item>(random.name(), 1 + random.below(1000)));
  std::weak_ptr<const Item> first = stock.front();

  struct Order : Counted {
    std::string customer;
    std::list<std::shared_ptr<const Item>> items;
  };
  std::unordered_map<uint32_t, std::unique_ptr<Order>> open;
  std::map<std::string, std::set<uint32_t>> by_customer;
  std::priority_queue<std::pair<uint32_t, uint32_t>> urgent;
  std::deque<uint32_t> waiting;
  for (uint32_t number = 0; number < 80; ++number) {
    auto order = std::make_unique<Order>();
    order->customer = "customer of the shop, number " + std::to_string(random.below(20));
    uint32_t total = 0;
    for (uint32_t count = 1 + random.below(5); count > 0; --count) {
      order->items.push_back(stock[random.below(uint32_t(stock.size()))]);
      total += order->items.back()->price;
    }
    by_customer[order->customer].insert(number);
    urgent.emplace(total, number);
    waiting.push_back(number);
    open.emplace(number, std::move(order));
    if (waiting.size() > 30) {
      auto found = open.find(waiting.front());
      auto customer = by_customer.find(found->second->customer);
      customer->second.erase(found->first);
      if (customer->second.empty())
        by_customer.erase(customer);
      open.erase(found);
      waiting.pop_front();
    }
  }
  stock.front() = std::make_shared<Item>("a new version of the first item in stock", 1);
  digest.add(first.expired());
  for (const auto &[customer, numbers] : by_customer) {
    digest.add(customer);
    for (uint32_t number : numbers)
      digest.add(number);
  }
  for (int i = 0; i < 10; ++i, urgent.pop())
    digest.add(urgent.top().first);
}

void call_functions(Digest &digest) {
  Random random;
  std::vector<std::function<std::string(int)>> functions;
  for (int i = 0; i < 20; ++i) {
    std::string name = random.name();
    functions.emplace_back([name, item = Item(name, 1)](int times) {
      std::string text;
      while (times-- > 0)
        text += item.name;
      return text;
    });
  }
  std::vector<std::function<std::string(int)>> copies(functions);
  for (size_t i = 0; i < copies.size(); ++i)
    digest.add(copies[i](int(i % 4)));

  std::vector<std::variant<int, std::string, std::any>> values;
  for (int i = 0; i < 12; ++i) {
    if (i % 3 == 0)
      values.emplace_back(i);
    else if (i % 3 == 1)
      values.emplace_back(random.name());
    else
      values.emplace_back(std::any(Item(random.name(), uint32_t(i))));
  }
  for (const auto &value : values)
    if (const auto *any = std::get_if<std::any>(&value))
      digest.add(std::any_cast<const Item &>(*any).name);
}

void write_lines(Digest &digest) {
  Random random;
  std::stringstream stream;
  stream.exceptions(std::ios::badbit);
  for (int i = 0; i < 50; ++i)
    stream << i << ' ' << random.name() << ' ' << 0.25 * i << '\n';
  std::string line;
  std::multimap<size_t, std::string> lines;
  while (std::getline(stream, line))
    lines.emplace(line.size(), line);
  for (const auto &[size, text] : lines)
    digest.add(text);
  std::istringstream words("a few words, one of which is longer than a short string can be");
  words.exceptions(std::ios::badbit);
  while (words >> line)
    digest.add(line);
}

/* A stream swallows exceptions, unless it is told not to. Its buffer swallows them all the same: to
 * the stream that looks as if there was no room, which is its own kind of failure. */
void write_streams(Digest &digest) {
  try {
    write_lines(digest);
  } catch (const std::ios_base::failure &) {
    throw std::bad_alloc();
  }
}

/* What the C library allocates for itself, and makes larger by realloc. */
struct Text {
  ~Text() {
    std::free(bytes);
  }
  char *bytes = nullptr;
  size_t size = 0;
};
using File = std::unique_ptr<std::FILE, int (*)(std::FILE *)>;

void write_files(Digest &digest) {
  Text text;
  {
    File file(open_memstream(&text.bytes, &text.size), std::fclose);
    size_t written = 0;
    for (int i = 0; file && i < 50; ++i)
      written += size_t(std::fprintf(file.get(), "%5000d\n", i));
    /* Where there is no memory musl loses what was written, and says nothing: only the size does. */
    if (!file || std::fflush(file.get()) != 0 || text.size != written)
      throw std::bad_alloc();
  }
  File file(fmemopen(text.bytes, text.size, "r"), std::fclose);
  Text line;
  ssize_t length = -1;
  while (file && (length = getline(&line.bytes, &line.size, file.get())) >= 0)
    digest.add(std::string_view(line.bytes, size_t(length)));
  if (!file || !std::feof(file.get()))
    throw std::bad_alloc();
}

class Refused : public std::runtime_error {
public:
  Refused(const std::string &why, int number) : std::runtime_error(why), item_(why, 1) {
    item_.price += uint32_t(number);
  }
  uint32_t price() const {
    return item_.price;
  }

private:
  Item item_;
};

/* Has objects on the stack of each call that must be destroyed when an exception passes. */
uint32_t go_down(int depth, Random &random) {
  Item item(random.name(), 1);
  std::vector<Item> items(2, item);
  if (depth == 0)
    throw Refused(item.name, int(items.size()));
  return go_down(depth - 1, random) + items.front().price;
}

/* Constructs some of an array's elements, and then no more. */
struct Stubborn : Counted {
  Stubborn() : name("a name that does not fit into the string itself") {
    if (++made % 5 == 0)
      throw std::length_error("one too many: " + std::to_string(made));
  }
  std::string name;
  static int made;
};
int Stubborn::made;

void throw_exceptions(Digest &digest) {
  Random random;
  for (int depth = 0; depth < 8; ++depth) {
    try {
      go_down(depth, random);
    } catch (const Refused &refused) {
      digest.add(refused.what());
      digest.add(refused.price());
    }
  }
  Stubborn::made = 0;
  for (int count = 2; count < 6; ++count) {
    try {
      std::unique_ptr<Stubborn[]> array(new Stubborn[size_t(count)]);
      digest.add(array[1].name);
    } catch (const std::length_error &error) {
      digest.add(error.what());
    }
  }
  /* One that is kept, thrown again, and wrapped in another. */
  std::exception_ptr kept;
  try {
    go_down(2, random);
  } catch (...) {
    kept = std::current_exception();
  }
  try {
    try {
      std::rethrow_exception(kept);
    } catch (const Refused &) {
      std::throw_with_nested(std::runtime_error("outer, with a text of more than a few letters"));
    }
  } catch (const std::runtime_error &outer) {
    digest.add(outer.what());
    try {
      std::rethrow_if_nested(outer);
    } catch (const Refused &inner) {
      digest.add(inner.what());
    }
  }
}

struct alignas(64) Line {
  unsigned char bytes[64] = {1};
};
struct alignas(1024) Wide : Counted {
  uint32_t value = 7;
};

void check_alignment(const void *pointer, uintptr_t alignment) {
  if (uintptr_t(pointer) % alignment != 0)
    program_fails("%p is not aligned to %u", pointer, unsigned(alignment));
}

void align(Digest &digest) {
  std::vector<Line> lines;
  std::list<std::unique_ptr<Wide>> wide;
  for (int i = 0; i < 30; ++i) {
    lines.emplace_back();
    wide.push_back(std::make_unique<Wide>());
    check_alignment(&lines.back(), 64);
    check_alignment(wide.back().get(), 1024);
  }
  std::map<int, Line> map;
  for (int i = 0; i < 20; ++i)
    check_alignment(&map[i * 7 % 20], 64);
  for (const auto &one : wide)
    digest.add(one->value);
  digest.add(lines.size() + map.size());
}

/* Asks for memory that it can do without, in all ways, and counts what it has got. */
struct Sparing {
  unsigned refused = 0;
  template <class T> void note(T *pointer) {
    if (!pointer)
      ++refused;
  }
};

void do_without(Digest &digest) {
  Sparing sparing;
  for (size_t i = 1; i <= 20; ++i) {
    auto *one = seen(new (std::nothrow) Item("", 1));
    auto *many = seen(new (std::nothrow) Counted[i]);
    auto *aligned = seen(new (std::nothrow) Line);
    auto *wide = seen(new (std::nothrow) Wide[i]);
    auto *bare = seen(static_cast<char *>(::operator new(100 * i, std::nothrow)));
    sparing.note(one);
    sparing.note(many);
    sparing.note(aligned);
    sparing.note(wide);
    sparing.note(bare);
    delete one;
    delete[] many;
    delete aligned;
    delete[] wide;
    ::operator delete(bare);
  }
  /* In this step each is told as the others are, by an exception. */
  if (sparing.refused)
    throw std::bad_alloc();
  digest.add(uint64_t(living));
}

void use_pools(Digest &digest) {
  Random random;
  std::pmr::monotonic_buffer_resource buffer;
  std::pmr::unsynchronized_pool_resource pools;
  for (std::pmr::memory_resource *resource : {static_cast<std::pmr::memory_resource *>(&buffer),
                                              static_cast<std::pmr::memory_resource *>(&pools)}) {
    std::pmr::map<std::pmr::string, std::pmr::vector<int>> numbers(resource);
    for (int i = 0; i < 60; ++i)
      numbers[std::pmr::string(random.name(), resource)].assign(size_t(i), i);
    for (const auto &[name, values] : numbers) {
      digest.add(name);
      digest.add(values.size());
    }
  }
}

/* As it is done by those who trust every call: the document belongs to nobody when append() throws. */
void append_carelessly(std::string &all, std::unique_ptr<char[]> &document, size_t count) {
  char *bare = document.release();
  try {
    all.append(bare, count);
  } catch (const std::bad_alloc &) {
    if (program_has(OVERRUNS))
      damage(bare);
    throw;
  }
  document.reset(bare);
}

/* Large blocks, so that linear memory has to grow often. */
void read_documents(Digest &digest) {
  std::vector<std::unique_ptr<char[]>> documents;
  std::string all;
  for (size_t i = 0; i < 32; ++i) {
    size_t size = 40000 + 5000 * i;
    auto document = std::make_unique<char[]>(size);
    std::memset(document.get(), char('@' + i), size);
    if (program_has(FORGETS) || program_has(OVERRUNS))
      append_carelessly(all, document, size / 8);
    else
      all.append(document.get(), size / 8);
    if (i % 4 == 3)
      documents.erase(documents.begin() + std::ptrdiff_t(i / 4));
    documents.push_back(std::move(document));
  }
  digest.add(all);
}

const struct {
  const char *name;
  void (*take)(Digest &digest);
} steps[] = {
    {"fill vectors", fill_vectors},
    {"keep a shop", keep_a_shop},
    {"call functions", call_functions},
    {"write streams", write_streams},
    {"write files", write_files},
    {"throw exceptions", throw_exceptions},
    {"align", align},
    {"do without", do_without},
    {"use pools", use_pools},
    {"read documents", read_documents},
};

/* What main() would be: the last one to catch. The digest grows only if the step succeeds. */
template <class Step> enum outcome attempt(const Step &step, Digest &digest) {
  Digest longer = digest;
  try {
    step.take(longer);
    digest = longer;
    return COMPLETE;
  } catch (const std::bad_alloc &) {
    if (program_has(CRASHES))
      std::terminate();
    if (!program_has(MISLEADS))
      return OUT_OF_MEMORY;
    program_fails("%s: something has gone wrong", step.name);
  } catch (const std::exception &error) {
    program_fails("%s: %s", step.name, error.what());
  } catch (...) {
    program_fails("%s: an exception of no known type", step.name);
  }
  return FAILED;
}

} // namespace

enum outcome program_run(uint32_t *answers) {
  Digest digest;
  enum outcome outcome = COMPLETE;
  for (const auto &step : steps) {
    outcome = attempt(step, digest);
    if (living != 0) {
      program_fails("%s: %d objects are not destroyed", step.name, living);
      return FAILED;
    }
    if (outcome == OUT_OF_MEMORY && program_is_told()) {
      outcome = program_has(GUESSES) ? COMPLETE : attempt(step, digest);
    }
    if (outcome != COMPLETE)
      break;
  }
  *answers = digest.value();
  return outcome;
}
