// Holds much until its end, and nothing after that.
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

static std::map<std::string, std::vector<int>> table;
static char *by_hand = new char[100]; // from before main: nobody asks for it

static char *last;
static void free_last() {
  free(last);
}

int main() {
  atexit(free_last);
  last = static_cast<char *>(malloc(1000));
  static std::string late(1000, 'x');
  for (int i = 0; i < 100; i++)
    table[std::to_string(i)].resize(static_cast<size_t>(i));
  std::cout << table.size() << ' ' << late.size() << ' ' << (by_hand != nullptr) << '\n';
}
