#include "team.h"

#include <pthread.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <climits>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
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

// How the processor rounds and whether it flushes what is smaller than the smallest normal number. Each thread has its own:
// members that took another than the caller's would make the result depend on their number.
#if defined(__x86_64__)
inline unsigned float_mode() { return __builtin_ia32_stmxcsr() & ~0x3fu; }
inline void set_float_mode(unsigned mode) { __builtin_ia32_ldmxcsr(mode); }
#elif defined(__aarch64__)
inline unsigned long float_mode() {
  unsigned long mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void set_float_mode(unsigned long mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
inline int float_mode() { return 0; }
inline void set_float_mode(int) {}
#endif

// A number that threads wait for: awake for some ten microseconds, for the other is most often at work, and then asleep,
// since it may have lost its core.
class Signal {
 public:
  uint32_t get() const { return value_.load(std::memory_order_acquire); }
  void set(uint32_t value) { value_.store(value, std::memory_order_relaxed); }  // while nobody waits
  void advance() {
    value_.fetch_add(1);
    wake();
  }
  void count_down(uint32_t by = 1) {
    if (value_.fetch_sub(by) == by) wake();
  }
  // Returns once the number is another; perhaps before, if the thread was woken for another reason.
  void wait_for_change(uint32_t old) {
    for (int i = 0; i < 2000; ++i) {
      if (get() != old) return;
      pause_briefly();
    }
#if defined(__linux__)
    sleepers_.fetch_add(1);
    if (value_.load() == old) syscall(SYS_futex, &value_, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
    sleepers_.fetch_sub(1);
#else
    std::this_thread::yield();
#endif
  }

 private:
  void wake() {
#if defined(__linux__)
    if (sleepers_.load() > 0) syscall(SYS_futex, &value_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#endif
  }
  alignas(64) std::atomic<uint32_t> value_{0};
  std::atomic<int> sleepers_{0};
};

class Team {
 public:
  bool take() { return !busy_.test_and_set(std::memory_order_acquire); }
  void release() { busy_.clear(std::memory_order_release); }

  // Whether there are `count` threads beside the caller's; false if the system gives no more.
  bool grow(int count) {
    try {
      while (static_cast<int>(threads_.size()) < count) {
        const int id = static_cast<int>(threads_.size()) + 1;
        const uint64_t seen = call_;  // read before the thread starts: it must not miss this call
        threads_.emplace_back([this, id, seen] { serve(id, seen); });
      }
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }

  void run(int members, void (*work)(void*, const Member&), void* context, bool helped) {
    {
      // All of it under the lock: a thread that has no part in the call before may wake only now, and read it.
      std::lock_guard<std::mutex> lock(mutex_);
      members_ = members;
      work_ = work;
      context_ = context;
      helped_ = helped;
      begun_ = 0;
      mode_ = float_mode();
      error_ = nullptr;
      broken_.store(false);
      arrived_.store(0, std::memory_order_relaxed);
      left_.set(static_cast<uint32_t>(members - 1));
      ++call_;
    }
    wake_.notify_all();
    do_share(work, context, Member{0, members, helped ? nullptr : &Team::wait, this});
    if (helped) {
      std::lock_guard<std::mutex> lock(mutex_);
      members_ = 0;  // who wakes now has no part
      if (begun_ < members - 1) left_.count_down(static_cast<uint32_t>(members - 1 - begun_));
    }
    for (uint32_t left; (left = left_.get()) != 0;) left_.wait_for_change(left);
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  static void wait(void* team) {
    Team& self = *static_cast<Team*>(team);
    const uint32_t round = self.round_.get();
    if (self.arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == self.members_) {
      self.arrived_.store(0, std::memory_order_relaxed);
      self.round_.advance();
    } else {
      while (self.round_.get() == round && !self.broken_.load()) self.round_.wait_for_change(round);
    }
  }

  // An exception ends the call: nobody waits for the member that threw, and the caller gets it.
  void do_share(void (*work)(void*, const Member&), void* context, const Member& member) {
    try {
      work(context, member);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (error_ == nullptr) error_ = std::current_exception();
      broken_.store(true);
      round_.advance();
    }
  }

  void serve(int id, uint64_t seen) {
    for (;;) {
      void (*work)(void*, const Member&);
      void* context;
      int members;
      bool helped;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return call_ != seen; });
        seen = call_;
        if (id >= members_) continue;
        work = work_, context = context_, members = members_, helped = helped_;
        ++begun_;
        set_float_mode(mode_);
      }
      do_share(work, context, Member{id, members, helped ? nullptr : &Team::wait, this});
      left_.count_down();
    }
  }

  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;
  uint64_t call_ = 0;
  int members_ = 0;
  bool helped_ = false;
  int begun_ = 0;  // of the threads beside the caller's
  void (*work_)(void*, const Member&) = nullptr;
  void* context_ = nullptr;
  decltype(float_mode()) mode_{};
  std::exception_ptr error_;
  alignas(64) std::atomic<int> arrived_{0};
  std::atomic<bool> broken_{false};
  Signal round_, left_;
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

struct Released {
  void operator()(Team* team) const { team->release(); }
};

struct Freed {
  void operator()(char* memory) const { std::free(memory); }
};

void run(int members, void (*work)(void*, const Member&), void* context, bool helped) {
  if (members > 1) {
    Team& shared = the_team();
    if (shared.take()) {
      const std::unique_ptr<Team, Released> taken(&shared);
      if (shared.grow(members - 1)) return shared.run(members, work, context, helped);
    }
  }
  work(context, Member{});
}

}  // namespace

void run_team(int members, void (*work)(void*, const Member&), void* context) { run(members, work, context, false); }

void run_helped(int members, void (*work)(void*, const Member&), void* context) { run(members, work, context, true); }

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
#if defined(OSTINATO_POISON)
  std::memset(memory.get(), 0xff, static_cast<size_t>(bytes));  // NaN in every format
#endif
  return memory.get();
}

}  // namespace ostinato
