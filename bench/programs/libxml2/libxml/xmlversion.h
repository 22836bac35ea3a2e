/* The parts of libxml2 that the program has: reading, the tree, XPath, writing. */
#ifndef __XML_VERSION_H__
#define __XML_VERSION_H__

#include <libxml/xmlexports.h>

#define LIBXML_DOTTED_VERSION "2.9.14"
#define LIBXML_VERSION 20914
#define LIBXML_VERSION_STRING "20914"
#define LIBXML_VERSION_EXTRA ""
#define LIBXML_TEST_VERSION xmlCheckVersion(LIBXML_VERSION);

#define LIBXML_OUTPUT_ENABLED
#define LIBXML_PUSH_ENABLED
#define LIBXML_SAX1_ENABLED
#define LIBXML_TREE_ENABLED
#define LIBXML_XPATH_ENABLED
#define WITHOUT_TRIO

#define ATTRIBUTE_UNUSED __attribute__((unused))
#define LIBXML_ATTR_ALLOC_SIZE(parameter)
#define LIBXML_ATTR_FORMAT(format, arguments)

#endif
