/*
 * HTML Tidy cleans up web pages, one after the other: unclosed and misplaced elements, missing quotes,
 * old presentation, scripts. Prints what it made of them. Exits with 1 when it fails.
 */
#include <string.h>
#include "tidy.h"
#include "tidybuffio.h"
#include "random.h"
#include "text.h"

enum { PAGES = 25 };

static void add_words(text_t *text, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    switch (random_below(14)) {
    case 0:
      add(text, "<b>%s <i>%s</b></i> ", random_word(), random_word());
      break;
    case 1:
      add(text, "<a href=/%s/%u title='%s'>%s</a> ", random_word(), i, random_word(),
          random_word());
      break;
    case 2:
      add(text, "<font color=#%06x size=+1>%s</font> & ", random_below(1u << 24), random_word());
      break;
    case 3:
      add(text, "<br>%s ", random_word());
      break;
    default:
      add(text, "%s ", random_word());
    }
  }
}

static void make_page(text_t *text, unsigned parts) {
  empty(text);
  add(text, "<title>%s</title><meta name=keywords content=%s>\n", random_word(), random_word());
  for (unsigned part = 0; part < parts; ++part) {
    add(text, "<h%u>%s\n<p>", 1 + part % 4, random_word());
    add_words(text, 20 + random_below(40));
    switch (random_below(4)) {
    case 0:
      add(text, "<table border=0 bgcolor=white>");
      for (unsigned row = 0; row < 6; ++row) {
        add(text, "<tr><td align=left>%u<td nowrap>", row);
        add_words(text, 6);
      }
      add(text, "</table>");
      break;
    case 1:
      add(text, "<ul>");
      for (unsigned item = 0; item < 8; ++item) {
        add(text, "<li>");
        add_words(text, 5);
      }
      break; /* Not closed. */
    case 2:
      add(text, "<center><div style='color: red' class=%s>", random_word());
      add_words(text, 12);
      add(text, "</center>");
      break;
    default:
      add(text, "<script>if (%s < %s) %s();</script>", random_word(), random_word(), random_word());
    }
  }
}

int main(void) {
  text_t text = {0};
  unsigned long bytes = 0, warnings = 0, hash = 5381;
  for (int i = 0; i < PAGES; ++i) {
    make_page(&text, 3 + random_below(i % 10 == 9 ? 60 : 20));
    TidyDoc page = tidyCreate();
    TidyBuffer output = {0}, complaints = {0};
    tidyBufInit(&output);
    tidyBufInit(&complaints);
    tidyOptSetBool(page, TidyXhtmlOut, yes);
    tidyOptSetBool(page, TidyMakeClean, yes);
    tidyOptSetBool(page, TidyMark, no);
    tidyOptSetInt(page, TidyIndentContent, 1);
    tidySetErrorBuffer(page, &complaints);
    if (tidyParseString(page, text.bytes) < 0 || tidyCleanAndRepair(page) < 0 ||
        tidyRunDiagnostics(page) < 0 || tidySaveBuffer(page, &output) < 0) {
      puts("a page that cannot be cleaned up");
      return 1;
    }
    bytes += output.size;
    warnings += tidyWarningCount(page) + tidyErrorCount(page);
    for (unsigned k = 0; k < output.size; ++k)
      hash = (hash * 33 + output.bp[k]) & 0xffffffff;
    tidyBufFree(&output);
    tidyBufFree(&complaints);
    tidyRelease(page);
  }
  printf("%lu bytes, %lu warnings, %08lx\n", bytes, warnings, hash);
  free(text.bytes);
  return 0;
}
