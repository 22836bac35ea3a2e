/*
 * jq asks JSON documents, as a script does that watches a service: each of its programs is compiled,
 * and then gets one document after the other. Prints a part of what they answer. Exits with 1 when
 * one fails.
 */
#include <string.h>
#include "jq.h"
#include "jv.h"
#include "random.h"
#include "text.h"

enum { DOCUMENTS = 16 };

static const char *const programs[] = {
    "[.pods[] | select(.cpu > 50) | {name, node: .labels.node}] | group_by(.node)"
    " | map({node: .[0].node, count: length})",
    "reduce (.pods[] | .restarts) as $n (0; . + $n)",
    ".pods |= map(.labels.seen = true | del(.cpu)) | [paths(type == \"string\")] | length",
    "[.pods | sort_by(.name, .cpu)[] | .name | ascii_upcase | ltrimstr(\"SLAB\")] | unique"
    " | join(\",\") | length",
    "[limit(5; .. | numbers)] | add",
    "def path_of(f): [paths(f)]; path_of(. == \"heap\") | map(map(tostring) | join(\"/\")) | "
    ".[0:3]",
};

static void make_document(text_t *text, unsigned pods) {
  empty(text);
  add(text, "{\"time\": %u, \"pods\": [", random_below(1u << 30));
  for (unsigned i = 0; i < pods; ++i) {
    add(text, "%s{\"name\": \"%s-%s-%u\", \"cpu\": %u.%u, \"restarts\": %u, ", i ? ", " : "",
        random_word(), random_word(), i, random_below(100), random_below(10), random_below(4));
    add(text, "\"labels\": {\"node\": \"node-%u\", \"%s\": \"%s\", \"%s\": null}, ",
        random_below(8), random_word(), random_word(), random_word());
    add(text, "\"events\": [\"%s\\n%s\", true, {\"why\": \"%s\"}]}", random_word(), random_word(),
        random_word());
  }
  add(text, "]}");
}

int main(void) {
  text_t text = {0};
  for (size_t i = 0; i < sizeof programs / sizeof *programs; ++i) {
    jq_state *jq = jq_init();
    if (!jq || !jq_compile(jq, programs[i])) {
      puts("a program that cannot be compiled");
      return 1;
    }
    for (int k = 0; k < DOCUMENTS; ++k) {
      make_document(&text, 5 + random_below(40));
      jq_start(jq, jv_parse_sized(text.bytes, (int)text.length), 0);
      jv answer;
      while (jv_is_valid(answer = jq_next(jq))) {
        jv string = jv_dump_string(answer, JV_PRINT_SORTED);
        if (k % 8 == 0)
          printf("%s\n", jv_string_value(string));
        jv_free(string);
      }
      if (jv_invalid_has_msg(jv_copy(answer))) {
        jv message = jv_dump_string(jv_invalid_get_msg(answer), 0);
        puts(jv_string_value(message));
        return 1;
      }
      jv_free(answer);
    }
    jq_teardown(&jq);
  }
  free(text.bytes);
  return 0;
}
