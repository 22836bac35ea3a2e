/*
 * libyaml reads the settings of many machines, as a program that sets them up does: loads a document
 * each, with anchors and aliases, walks its tree, changes a value, and writes it again. Prints what it
 * found. Exits with 1 when it fails, out of memory included.
 */
#include <string.h>
#include "yaml.h"
#include "random.h"
#include "text.h"

enum { MACHINES = 60 };

static void make_document(text_t *text, unsigned services) {
  empty(text);
  add(text, "%%YAML 1.1\n---\ndefaults: &defaults\n  owner: %s\n  retries: %u\n", random_word(),
      random_below(9));
  add(text, "services:\n");
  for (unsigned i = 0; i < services; ++i) {
    add(text, "  - name: %s-%u\n    settings: *defaults\n    port: %u\n", random_word(), i,
        1024 + random_below(60000));
    add(text, "    command: [%s, \"--%s=%u\", '%s']\n", random_word(), random_word(), i,
        random_word());
    add(text, "    environment: {%s_%u: %s, PATH: \"/usr/%s\"}\n", random_word(), i, random_word(),
        random_word());
    if (random_below(3) == 0) {
      add(text, "    script: |\n");
      for (unsigned line = 0; line < 6; ++line)
        add(text, "      %s %s %s\n", random_word(), random_word(), random_word());
    }
  }
}

typedef struct {
  unsigned scalars, sequences, mappings;
  size_t bytes;
} counts_t;

/* Aliases lead to the same node twice: the whole is a graph, and it is walked as a list. */
static void count(yaml_document_t *document, counts_t *counts) {
  yaml_node_t *node;
  for (int i = 1; (node = yaml_document_get_node(document, i)); ++i) {
    if (node->type == YAML_SCALAR_NODE) {
      ++counts->scalars;
      counts->bytes += node->data.scalar.length;
    } else if (node->type == YAML_SEQUENCE_NODE) {
      ++counts->sequences;
    } else {
      ++counts->mappings;
    }
  }
}

static int append(void *data, unsigned char *bytes, size_t length) {
  add(data, "%.*s", (int)length, (const char *)bytes);
  return 1;
}

int main(void) {
  text_t text = {0}, written = {0};
  counts_t counts = {0};
  size_t total = 0;
  for (int machine = 0; machine < MACHINES; ++machine) {
    make_document(&text, 5 + random_below(60));
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser)) {
      puts("out of memory");
      return 1;
    }
    yaml_parser_set_input_string(&parser, (unsigned char *)text.bytes, text.length);
    if (!yaml_parser_load(&parser, &document)) {
      puts(parser.problem ? parser.problem : "out of memory");
      return 1;
    }
    count(&document, &counts);
    yaml_node_t *root = yaml_document_get_root_node(&document);
    int key = yaml_document_add_scalar(&document, NULL, (yaml_char_t *)"visited", -1,
                                       YAML_PLAIN_SCALAR_STYLE);
    int value = yaml_document_add_scalar(&document, NULL, (yaml_char_t *)"yes", -1,
                                         YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    if (!key || !value ||
        !yaml_document_append_mapping_pair(&document, (int)(root - document.nodes.start) + 1, key,
                                           value)) {
      puts("out of memory");
      return 1;
    }
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter)) {
      puts("out of memory");
      return 1;
    }
    empty(&written);
    yaml_emitter_set_output(&emitter, append, &written);
    /* It takes the document, and deletes it. */
    if (!yaml_emitter_open(&emitter) || !yaml_emitter_dump(&emitter, &document) ||
        !yaml_emitter_close(&emitter)) {
      puts(emitter.problem ? emitter.problem : "out of memory");
      return 1;
    }
    total += written.length;
    yaml_emitter_delete(&emitter);
    yaml_parser_delete(&parser);
  }
  printf("%u scalars of %zu bytes, %u sequences, %u mappings; %zu bytes written\n", counts.scalars,
         counts.bytes, counts.sequences, counts.mappings, total);
  free(text.bytes);
  free(written.bytes);
  return 0;
}
