/*
 * cmark reads documents in Markdown one after the other, as the server of a wiki does: makes the tree
 * of each, raises the level of its headings, writes it as HTML and as LaTeX, and drops it. Prints what
 * they have in them. Exits with 1 when memory is full.
 */
#include <string.h>
#include "cmark.h"
#include "random.h"
#include "text.h"

enum { DOCUMENTS = 30 };

static void add_words(text_t *text, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    switch (random_below(16)) {
    case 0:
      add(text, "*%s %s* ", random_word(), random_word());
      break;
    case 1:
      add(text, "**%s** ", random_word());
      break;
    case 2:
      add(text, "`%s()` ", random_word());
      break;
    case 3:
      add(text, "[%s](https://example.org/%s/%u \"%s\") ", random_word(), random_word(), i,
          random_word());
      break;
    case 4:
      add(text, "[%s][reference-%u] &amp; ", random_word(), random_below(12));
      break;
    default:
      add(text, "%s ", random_word());
    }
  }
  add(text, "\n");
}

/* A page of some sections: paragraphs, nested lists, quotes and code. */
static void make_document(text_t *text, unsigned sections) {
  empty(text);
  for (unsigned section = 0; section < sections; ++section) {
    add(text, "\n## Section %u\n\n", section);
    add_words(text, 40 + random_below(80));
    switch (random_below(4)) {
    case 0:
      for (unsigned item = 0; item < 12; ++item) {
        add(text, "%*s- ", (int)(item % 3 * 2), "");
        add_words(text, 4 + random_below(12));
      }
      break;
    case 1:
      add(text, "\n> ");
      add_words(text, 30);
      add(text, "> > ");
      add_words(text, 10);
      break;
    case 2:
      add(text, "\n```c\n");
      for (unsigned line = 0; line < 10; ++line)
        add(text, "  %s(%s, %u);\n", random_word(), random_word(), line);
      add(text, "```\n");
      break;
    default:
      add(text, "\n");
      add_words(text, 100);
    }
  }
  for (unsigned i = 0; i < 12; ++i)
    add(text, "\n[reference-%u]: <https://example.org/reference/%u> '%s'\n", i, i, random_word());
}

int main(void) {
  text_t text = {0};
  unsigned nodes[CMARK_NODE_LAST_INLINE + 1] = {0};
  size_t html_bytes = 0, latex_bytes = 0;
  for (int i = 0; i < DOCUMENTS; ++i) {
    make_document(&text, 2 + random_below(i % 10 == 9 ? 40 : 12));
    cmark_node *document = cmark_parse_document(text.bytes, text.length, CMARK_OPT_SMART);
    cmark_iter *iterator = cmark_iter_new(document);
    for (cmark_event_type event; (event = cmark_iter_next(iterator)) != CMARK_EVENT_DONE;) {
      cmark_node *node = cmark_iter_get_node(iterator);
      if (event != CMARK_EVENT_ENTER)
        continue;
      ++nodes[cmark_node_get_type(node)];
      if (cmark_node_get_type(node) == CMARK_NODE_HEADING)
        cmark_node_set_heading_level(node, 1);
    }
    cmark_iter_free(iterator);
    char *html = cmark_render_html(document, CMARK_OPT_DEFAULT);
    char *latex = cmark_render_latex(document, CMARK_OPT_DEFAULT, 80);
    html_bytes += strlen(html);
    latex_bytes += strlen(latex);
    free(html);
    free(latex);
    cmark_node_free(document);
  }
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; ++i)
    printf("%u ", nodes[i]);
  printf("\n%zu bytes of HTML, %zu of LaTeX\n", html_bytes, latex_bytes);
  free(text.bytes);
  return 0;
}
