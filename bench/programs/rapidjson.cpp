/*
 * RapidJSON in a collector of messages: each is read into a document of its own, some of it is copied
 * into a long-lived one, and an answer is written. Messages use RapidJSON's pool, as documents do
 * unless told; the long-lived document gives back what is removed from it. Prints what came of it.
 */
#include <cstdio>
#include "rapidjson/document.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"
#include "random.h"
#include "text.h"

using namespace rapidjson;

namespace {

using Kept = GenericDocument<UTF8<>, CrtAllocator>;

constexpr uint32_t messages = 3000, sensors = 300;

void make_message(text_t *text, uint32_t number) {
  add(text, "{\"sensor\": \"s%u\", \"number\": %u, \"where\": [%u.5, -%u.25], ",
      random_below(sensors), number, random_below(90), random_below(180));
  add(text, "\"readings\": [");
  for (uint32_t i = 0, count = 1 + random_below(30); i < count; ++i)
    add(text, "%s{\"kind\": \"%s\", \"value\": %u, \"flags\": [true, null, \"%s\"]}", i ? ", " : "",
        random_word(), random_below(10000), random_word());
  add(text, "], \"comment\": \"%s %s\\t%s\"}", random_word(), random_word(), random_word());
}

} // namespace

int main() {
  text_t text = {};
  CrtAllocator allocator;
  Kept kept(kObjectType, &allocator);
  unsigned long sum = 0, answered = 0;
  for (uint32_t i = 0; i < messages; ++i) {
    empty(&text);
    make_message(&text, i);
    Document message;
    if (message.Parse(text.bytes, text.length).HasParseError())
      return 1;
    for (const auto &reading : message["readings"].GetArray())
      sum += reading["value"].GetUint();
    /* The last message of each sensor is kept. */
    const Value &sensor = message["sensor"];
    Kept::ValueType copy(message, allocator);
    const auto member = kept.FindMember(sensor.GetString());
    if (member != kept.MemberEnd())
      member->value.Swap(copy);
    else
      kept.AddMember(Kept::ValueType(sensor.GetString(), allocator), copy, allocator);
    if (i % 64 == 63)
      kept.EraseMember(kept.MemberBegin() + random_below(kept.MemberCount()));
    message.AddMember("seen", true, message.GetAllocator());
    message.RemoveMember("comment");
    StringBuffer buffer;
    Writer<StringBuffer> writer(buffer);
    message.Accept(writer);
    answered += buffer.GetSize();
  }
  StringBuffer buffer;
  Writer<StringBuffer> writer(buffer);
  kept.Accept(writer);
  std::printf("%lu, %lu bytes answered, %u kept in %zu bytes\n", sum, answered, kept.MemberCount(),
              buffer.GetSize());
  std::free(text.bytes);
  return 0;
}
