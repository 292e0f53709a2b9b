/*
 * escape_portable_test.c
 *		escape_test.c, of the form for any target.
 */
#define ESCAPE_PORTABLE
#include "escape_test.c"
