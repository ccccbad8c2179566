#include "pool.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ostinato {

namespace {

constexpr int64_t page = 2 << 20, most_kept = int64_t{1} << 30;

struct Pool {
  std::mutex mutex;
  std::unordered_map<void*, int64_t> sizes;  // of all, taken or not
  std::vector<void*> kept;                   // the longest unused first
  int64_t bytes_kept = 0;
};

Pool& pool() {
  static Pool* made = new Pool;  // buffers may come back while the process ends
  return *made;
}

// A child of fork must not find the pool locked by a thread that it has not.
[[maybe_unused]] const int watched =
    pthread_atfork([] { pool().mutex.lock(); }, [] { pool().mutex.unlock(); }, [] { pool().mutex.unlock(); });

// What is handed out: in tests filled with what is NaN in every format.
void* handed_out(void* buffer, [[maybe_unused]] int64_t bytes) {
#if defined(OSTINATO_POISON)
  std::memset(buffer, 0xff, static_cast<size_t>(bytes));
#endif
  return buffer;
}

}  // namespace

void* take_buffer(int64_t bytes) {
  const int64_t wanted = (std::max<int64_t>(bytes, 1) + page - 1) / page * page;
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  auto best = p.kept.end();
  for (auto it = p.kept.begin(); it != p.kept.end(); ++it) {
    const int64_t size = p.sizes[*it];
    if (size >= wanted && size <= 2 * wanted && (best == p.kept.end() || size < p.sizes[*best])) best = it;
  }
  if (best != p.kept.end()) {
    void* found = *best;
    p.kept.erase(best);
    p.bytes_kept -= p.sizes[found];
    return handed_out(found, p.sizes[found]);
  }
  void* made = std::aligned_alloc(static_cast<size_t>(page), static_cast<size_t>(wanted));
  if (made == nullptr) return nullptr;
#if defined(__linux__)
  madvise(made, static_cast<size_t>(wanted), MADV_HUGEPAGE);
#endif
  p.sizes[made] = wanted;
  return handed_out(made, wanted);
}

void give_buffer(void* buffer) {
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.kept.push_back(buffer);
  p.bytes_kept += p.sizes[buffer];
  while (p.bytes_kept > most_kept) {
    void* oldest = p.kept.front();
    p.kept.erase(p.kept.begin());
    p.bytes_kept -= p.sizes[oldest];
    p.sizes.erase(oldest);
    std::free(oldest);
  }
}

}  // namespace ostinato
