// SPDX-License-Identifier: Apache-2.0
// Broken invariants abort, in every build: going on could lose or leak data.
#pragma once
#include <cstdio>
#include <cstdlib>

#define TARN_CHECK(condition)                                                                \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
