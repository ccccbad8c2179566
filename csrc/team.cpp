#include "team.h"

#include <pthread.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace ostinato {

namespace {

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until `value` is no longer `old`: briefly awake, then giving its time to others, since the one it waits for may
// have lost its core.
inline void await_change(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; value.load(std::memory_order_acquire) == old; ++i) {
    if (i < 4000) {
      pause_briefly();
    } else {
      std::this_thread::yield();
    }
  }
}

class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  ~Team() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  bool take() { return busy_.try_lock(); }
  void release() { busy_.unlock(); }

  void run(int members, void (*work)(void*, const Member&), void* context) {
    while (static_cast<int>(threads_.size()) < members - 1) {
      const int id = static_cast<int>(threads_.size()) + 1;
      const uint64_t seen = call_;  // read before the thread starts: it must not miss this call
      threads_.emplace_back([this, id, seen] { serve(id, seen); });
    }
    members_ = members;
    work_ = work;
    context_ = context;
    arrived_.store(0, std::memory_order_relaxed);
    left_.store(members - 1, std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++call_;
    }
    wake_.notify_all();
    work(context, Member{0, members, &Team::wait, this});
    for (int i = 0; left_.load(std::memory_order_acquire) > 0; ++i) {
      if (i < 4000) {
        pause_briefly();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  static void wait(void* team) {
    Team& self = *static_cast<Team*>(team);
    const uint32_t round = self.round_.load(std::memory_order_acquire);
    if (self.arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == self.members_) {
      self.arrived_.store(0, std::memory_order_relaxed);
      self.round_.store(round + 1, std::memory_order_release);
    } else {
      await_change(self.round_, round);
    }
  }

  void serve(int id, uint64_t seen) {
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return closing_ || call_ != seen; });
        if (closing_) return;
        seen = call_;
        if (id >= members_) continue;
      }
      work_(context_, Member{id, members_, &Team::wait, this});
      left_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  std::mutex busy_, mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;
  uint64_t call_ = 0;
  bool closing_ = false;
  int members_ = 0;
  void (*work_)(void*, const Member&) = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> round_{0};
  alignas(64) std::atomic<int> left_{0};
};

std::mutex making;
Team* team = nullptr;

// A child of fork has none of its parent's threads: it forgets the team (whose memory is lost once) and makes its own.
void forget_team() {
  team = nullptr;
  new (&making) std::mutex;
}

Team& the_team() {
  std::lock_guard<std::mutex> lock(making);
  if (team == nullptr) {
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, forget_team); });
    team = new Team;  // never destroyed: its threads sleep until the process ends
  }
  return *team;
}

struct Freed {
  void operator()(char* memory) const { std::free(memory); }
};

}  // namespace

void run_team(int members, void (*work)(void*, const Member&), void* context) {
  if (members > 1) {
    Team& shared = the_team();
    if (shared.take()) {
      shared.run(members, work, context);
      shared.release();
      return;
    }
  }
  work(context, Member{});
}

char* scratch(int64_t bytes) {
  thread_local std::unique_ptr<char, Freed> memory;
  thread_local int64_t size = 0;
  if (bytes > size) {
    memory.reset();
    size = 0;
    // Large buffers on large pages: a panel of weights spans more small ones than the processor keeps track of.
    constexpr size_t page = 2 << 20;
    const size_t unit = bytes >= static_cast<int64_t>(page) ? page : 4096;
    const size_t rounded = (static_cast<size_t>(bytes) + unit - 1) / unit * unit;
    memory.reset(static_cast<char*>(std::aligned_alloc(unit, rounded)));
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    if (unit == page) madvise(memory.get(), rounded, MADV_HUGEPAGE);
#endif
    size = static_cast<int64_t>(rounded);
  }
  return memory.get();
}

}  // namespace ostinato
