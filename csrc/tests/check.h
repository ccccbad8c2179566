// What every test program shares: a check that counts, and how it ends.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstring>

namespace ostinato::tests {

inline std::atomic<int> failures{0}, checks{0};

inline void check(bool right, const char* what, const char* detail = "") {
  ++checks;
  if (right) return;
  if (++failures <= 40) std::printf("FAILED %s %s\n", what, detail);
}

inline bool argument(int count, char** values, const char* name) {
  for (int i = 1; i < count; ++i)
    if (std::strcmp(values[i], name) == 0) return true;
  return false;
}

inline int finish(const char* name) {
  std::printf("%s: %d checks, %d failures\n", name, checks.load(), failures.load());
  return failures == 0 && checks > 0 ? 0 : 1;
}

}  // namespace ostinato::tests
