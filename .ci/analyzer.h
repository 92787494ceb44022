/* Included before each file by the lint, never by the compiler: tells the analyzer, which looks at one file at a time,
 * that err_set and err_context always return false. */
#ifndef CI_ANALYZER_H
#define CI_ANALYZER_H

#include "common/err.h"

#define err_set(...)     (err_set(__VA_ARGS__), false)
#define err_context(...) (err_context(__VA_ARGS__), false)

#endif
