/*
 * libxml2 reads a catalogue and keeps it, and then messages that change it, each of which is read,
 * asked by XPath, and dropped; in the end the catalogue is written. Prints what became of it. Exits
 * with 1 when it fails, out of memory included.
 */
#include <string.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include "random.h"
#include "text.h"

enum { ITEMS = 1500, MESSAGES = 120 };

static void fail(const char *what) {
  puts(what);
  exit(1);
}

static void add_item(text_t *text, unsigned id) {
  add(text,
      "<item id=\"i%u\" kind=\"%s\"><name>%s %s</name><price currency=\"EUR\">%u.%02u</price>", id,
      random_word(), random_word(), random_word(), random_below(1000), random_below(100));
  add(text, "<!-- %s --><description>", random_word());
  for (unsigned words = random_below(24); words > 0; --words)
    add(text, "%s &amp; <em>%s</em> ", random_word(), random_word());
  add(text, "</description></item>\n");
}

static xmlDocPtr read_text(const text_t *text) {
  xmlDocPtr document = xmlReadMemory(text->bytes, (int)text->length, "catalogue.xml", NULL, 0);
  if (!document)
    fail("a document that cannot be read");
  return document;
}

static double number(xmlXPathContextPtr context, const char *expression) {
  xmlXPathObjectPtr object = xmlXPathEvalExpression((const xmlChar *)expression, context);
  if (!object)
    fail(expression);
  double value = xmlXPathCastToNumber(object);
  xmlXPathFreeObject(object);
  return value;
}

/* Puts an item in place of one of the catalogue's. */
static void replace(xmlDocPtr catalogue, xmlNodePtr *items, xmlNodePtr item) {
  xmlNodePtr copy = xmlDocCopyNode(item, catalogue, 1);
  if (!copy)
    fail("out of memory");
  unsigned place = random_below(ITEMS);
  xmlNodePtr old = xmlReplaceNode(items[place], copy);
  xmlFreeNode(old);
  items[place] = copy;
}

int main(void) {
  text_t text = {0};
  add(&text, "<?xml version=\"1.0\"?>\n<catalogue xmlns:x=\"https://example.org/x\">\n");
  for (unsigned i = 0; i < ITEMS; ++i)
    add_item(&text, i);
  add(&text, "</catalogue>\n");
  xmlDocPtr catalogue = read_text(&text);
  static xmlNodePtr items[ITEMS];
  unsigned count = 0;
  for (xmlNodePtr node = xmlDocGetRootElement(catalogue)->children; node; node = node->next)
    if (node->type == XML_ELEMENT_NODE)
      items[count++] = node;
  double sum = 0;
  for (unsigned message = 0; message < MESSAGES; ++message) {
    empty(&text);
    add(&text, "<message number=\"%u\">", message);
    for (unsigned i = 1 + random_below(30); i > 0; --i)
      add_item(&text, ITEMS + message);
    add(&text, "</message>");
    xmlDocPtr document = read_text(&text);
    xmlXPathContextPtr context = xmlXPathNewContext(document);
    if (!context)
      fail("out of memory");
    sum += number(context, "sum(//price) + count(//em[. = 'heap'])");
    sum += number(context, "count(/message/item[@kind = 'slab' or price > 500]/description/em)");
    xmlXPathObjectPtr found =
        xmlXPathEvalExpression((const xmlChar *)"//item[price > 250]", context);
    if (!found)
      fail("out of memory");
    for (int i = 0; found->nodesetval && i < found->nodesetval->nodeNr; ++i)
      replace(catalogue, items, found->nodesetval->nodeTab[i]);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
  }
  xmlChar *written;
  int length;
  xmlDocDumpFormatMemory(catalogue, &written, &length, 1);
  if (!written)
    fail("out of memory");
  printf("%.2f; %d bytes written\n", sum, length);
  xmlFree(written);
  xmlFreeDoc(catalogue);
  xmlCleanupParser();
  free(text.bytes);
  return 0;
}
