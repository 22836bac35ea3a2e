/*
 * nlohmann::json in a service that keeps its state as one document: reads requests, patches the state
 * with them, answers with parts of it, and at times writes all of it. Prints what it answered.
 */
#include <cstdio>
#include <string>
#include "nlohmann/json.hpp"
#include "random.h"
#include "text.h"

using nlohmann::json;

namespace {

constexpr uint32_t users = 600, requests = 3000;

/* A request, or a user, as text. */
void make_user(text_t *text, uint32_t id) {
  add(text, "{\"id\": %u, \"name\": \"%s %s\", \"balance\": %u.%02u, ", id, random_word(),
      random_word(), random_below(1000), random_below(100));
  add(text, "\"tags\": [");
  for (uint32_t i = 0, count = random_below(6); i < count; ++i)
    add(text, "%s\"%s\"", i ? ", " : "", random_word());
  add(text, "], \"address\": {\"street\": \"%s street\", \"number\": %u, \"%s\": %s}, ",
      random_word(), random_below(100), random_word(), random_below(3) ? "true" : "null");
  add(text, "\"notes\": \"");
  for (uint32_t i = random_below(20); i > 0; --i)
    add(text, "%s \\u00e9\\n", random_word());
  add(text, "\"}");
}

} // namespace

int main() {
  text_t text = {};
  add(&text, "{\"users\": {");
  for (uint32_t i = 0; i < users; ++i) {
    add(&text, "%s\"u%u\": ", i ? ", " : "", i);
    make_user(&text, i);
  }
  add(&text, "}, \"served\": 0, \"log\": []}");
  json state = json::parse(text.bytes, text.bytes + text.length);
  size_t answered = 0, written = 0;
  for (uint32_t i = 0; i < requests; ++i) {
    empty(&text);
    const std::string key = "u" + std::to_string(random_below(users));
    make_user(&text, i);
    json request = json::parse(text.bytes, text.bytes + text.length);
    json &user = state["users"][key];
    switch (random_below(4)) {
    case 0:
      user.merge_patch(request);
      break;
    case 1:
      user["history"].push_back(std::move(request["address"]));
      if (user["history"].size() > 4)
        user["history"].erase(0);
      break;
    case 2:
      answered += request.flatten().size() + json::diff(user, request).size();
      break;
    default:
      answered += user.dump().size();
    }
    state["served"] = i;
    if (random_below(4) == 0)
      state["log"].push_back({{"request", i}, {"user", key}, {"ok", true}});
    if (i % 1000 == 999) {
      const std::string all = state.dump(2);
      written += all.size();
      state = json::parse(all);
    }
  }
  std::printf("%zu answered, %zu written, %zu in the log\n", answered, written,
              state["log"].size());
  std::free(text.bytes);
  return 0;
}
