/*
 * tree-sitter parses the C sources of Lua: all at first, then again and again after an edit each, as
 * an editor does while somebody types. Prints how many nodes of which kinds the trees have. Exits
 * with 1 when it cannot parse.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "tree_sitter/api.h"

const TSLanguage *tree_sitter_c(void);

/* clang-format off */
static char api[] = {
#embed "lapi.c"
};
static char auxiliary[] = {
#embed "lauxlib.c"
};
static char code[] = {
#embed "lcode.c"
};
static char debug[] = {
#embed "ldebug.c"
};
static char collector[] = {
#embed "lgc.c"
};
static char parser_source[] = {
#embed "lparser.c"
};
static char strings[] = {
#embed "lstrlib.c"
};
static char tables[] = {
#embed "ltable.c"
};
static char machine[] = {
#embed "lvm.c"
};
/* clang-format on */

#define SOURCE(array)                                                                              \
  { array, sizeof array }
static const struct {
  char *text;
  uint32_t length;
} sources[] = {SOURCE(api),     SOURCE(auxiliary), SOURCE(code),
               SOURCE(debug),   SOURCE(collector), SOURCE(parser_source),
               SOURCE(strings), SOURCE(tables),    SOURCE(machine)};

enum { SOURCES = sizeof sources / sizeof *sources, EDITS = 12 };

/* Walks the whole tree, and adds up the kinds of its nodes. */
static void walk(const TSTree *tree, unsigned *nodes, unsigned *kinds) {
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
  for (;;) {
    TSNode node = ts_tree_cursor_current_node(&cursor);
    ++*nodes;
    *kinds = *kinds * 31 + ts_node_symbol(node) + ts_node_start_byte(node);
    if (ts_tree_cursor_goto_first_child(&cursor) || ts_tree_cursor_goto_next_sibling(&cursor))
      continue;
    do {
      if (!ts_tree_cursor_goto_parent(&cursor)) {
        ts_tree_cursor_delete(&cursor);
        return;
      }
    } while (!ts_tree_cursor_goto_next_sibling(&cursor));
  }
}

/* Types a semicolon over the space or the line's end at or behind the offset, and takes the edit
 * into the tree. */
static void edit(char *text, uint32_t length, uint32_t offset, TSTree *tree) {
  while (offset < length - 1 && text[offset] != ' ')
    ++offset;
  text[offset] = ';';
  TSInputEdit change = {
      .start_byte = offset, .old_end_byte = offset + 1, .new_end_byte = offset + 1};
  for (uint32_t i = 0; i < offset; ++i) {
    if (text[i] == '\n') {
      ++change.start_point.row;
      change.start_point.column = 0;
    } else {
      ++change.start_point.column;
    }
  }
  change.old_end_point = change.new_end_point = change.start_point;
  ++change.old_end_point.column;
  ++change.new_end_point.column;
  ts_tree_edit(tree, &change);
}

int main(void) {
  TSParser *parser = ts_parser_new();
  TSTree *trees[SOURCES];
  ts_parser_set_language(parser, tree_sitter_c());
  for (int round = 0; round <= EDITS; ++round) {
    unsigned nodes = 0, kinds = 0;
    for (int i = 0; i < SOURCES; ++i) {
      TSTree *old = round ? trees[i] : NULL;
      if (old)
        edit(sources[i].text, sources[i].length, sources[i].length / (EDITS + 1) * round, old);
      trees[i] = ts_parser_parse_string(parser, old, sources[i].text, sources[i].length);
      if (!trees[i]) {
        puts("out of memory");
        return 1;
      }
      ts_tree_delete(old);
      walk(trees[i], &nodes, &kinds);
    }
    printf("%d: %u nodes, %08x\n", round, nodes, kinds);
  }
  for (int i = 0; i < SOURCES; ++i)
    ts_tree_delete(trees[i]);
  ts_parser_delete(parser);
  return 0;
}
