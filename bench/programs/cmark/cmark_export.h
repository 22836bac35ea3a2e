/* Nothing is exported from a program. */
#define CMARK_EXPORT
