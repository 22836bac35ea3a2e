// JavaScript and C++ pass strings and objects to each other: Embind's glue calls malloc and free.
#include <emscripten/bind.h>
#include <string>
#include <vector>
#include <wasmalloc.h>

static std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> words(1);
  for (char letter : text)
    if (letter == ' ')
      words.emplace_back();
    else
      words.back() += letter;
  return words;
}

static bool sound() {
  return wasmalloc_check() == nullptr;
}

EMSCRIPTEN_BINDINGS(words) {
  emscripten::register_vector<std::string>("Strings");
  emscripten::function("split", &split);
  emscripten::function("sound", &sound);
}
