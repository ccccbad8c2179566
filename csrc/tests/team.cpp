// The team of threads: barriers, changing numbers of members, several callers, exceptions, fork, sleep, exit.
#include "../pool.h"
#include "../team.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"

using namespace ostinato;
using namespace ostinato::tests;

extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

namespace {

constexpr int most = 4, rounds = 5;

// Work that is right only if every member comes once and nobody leaves a barrier before all have reached it: in each
// round every member adds to its own plain number, and then reads those of all.
struct Call {
  std::array<int, most> plain{};
  std::atomic<int> right{0}, came{0}, members{0};

  static void work(void* context, const Member& member) {
    Call& call = *static_cast<Call*>(context);
    call.came.fetch_add(1);
    call.members.store(member.count);
    for (int round = 1; round <= rounds; ++round) {
      ++call.plain[static_cast<size_t>(member.id)];
      member.sync();
      int sum = 0;
      for (int i = 0; i < member.count; ++i) sum += call.plain[static_cast<size_t>(i)];
      if (sum == round * member.count) call.right.fetch_add(1);
      member.sync();
    }
  }

  // Whether a call with at most `wanted` members went right.
  static bool goes_right(int wanted) {
    Call call;
    run_team(wanted, &Call::work, &call);
    const int count = call.members.load();
    return (count == wanted || count == 1) && call.came.load() == count && call.right.load() == rounds * count;
  }
};

void many_calls(int calls) {
  std::mt19937 random(3);
  bool right = true;
  for (int i = 0; i < calls; ++i) right = Call::goes_right(1 + static_cast<int>(random() % most)) && right;
  check(right, "calls with 1 to 4 members");
}

void concurrent_callers(int calls) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < calls; ++i)
        if (!Call::goes_right(1 + static_cast<int>(random() % most))) wrong.fetch_add(1);
    });
  for (std::thread& caller : callers) caller.join();
  check(wrong.load() == 0, "calls from several threads");
}

void a_call_within_a_call() {
  std::atomic<int> right{0};
  run_team(
      2, [](void* context, const Member&) { *static_cast<std::atomic<int>*>(context) += Call::goes_right(3) ? 1 : 0; },
      &right);
  check(right.load() == 2, "a call within a call");
}

// Work that members take of until nothing is left, each thing once, and none of it after the call.
struct Taken {
  std::array<std::atomic<int>, 50> times{};
  std::atomic<size_t> next{0};
  std::atomic<int> inside{0};

  static void work(void* context, const Member&) {
    Taken& taken = *static_cast<Taken*>(context);
    taken.inside.fetch_add(1);
    for (size_t i; (i = taken.next.fetch_add(1)) < taken.times.size();) taken.times[i].fetch_add(1);
    taken.inside.fetch_sub(1);
  }

  static bool goes_right(int wanted) {
    Taken taken;
    run_helped(wanted, &Taken::work, &taken);
    bool right = taken.inside.load() == 0;
    for (const auto& times : taken.times) right = right && times.load() == 1;
    return right;
  }
};

void helped_calls(int calls) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 2; ++t)
    callers.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < calls; ++i) {
        const int members = 1 + static_cast<int>(random() % most);
        wrong += Taken::goes_right(members) && (i % 3 != 0 || Call::goes_right(members)) ? 0 : 1;
      }
    });
  for (std::thread& caller : callers) caller.join();
  check(wrong.load() == 0, "helped calls, among others");
}

void a_helper_without_a_part() {
  // The caller is done before anybody can have woken; what wakes later finds another call, or none.
  struct Nothing {
    static void work(void*, const Member&) {}
  };
  for (int i = 0; i < 100; ++i) run_helped(most, &Nothing::work, nullptr);
  check(Call::goes_right(most), "a call after helpers that came too late");
}

void exceptions() {
  for (int thrower = 0; thrower < most; ++thrower) {
    bool caught = false;
    try {
      run_team(
          most,
          [](void* context, const Member& member) {
            if (member.id == *static_cast<int*>(context)) throw std::runtime_error("thrown");
            member.sync();
          },
          &thrower);
    } catch (const std::runtime_error& error) {
      caught = std::strcmp(error.what(), "thrown") == 0;
    }
    check(caught, "an exception reaches the caller");
    check(Call::goes_right(most), "a call after an exception");
  }
}

// The exit status of what a child does, or -1 if it does not end in time.
template <class F> int in_child(F&& function) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) function();
  for (int i = 0; i < 600; ++i) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return -1;
}

void forks(int count) {
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::thread caller([&] {
    while (!stop.load()) wrong += Call::goes_right(3) ? 0 : 1;
  });
  for (int i = 0; i < count; ++i) {
    const int status = in_child([] {
      bool right = true;
      for (int k = 0; k < 20; ++k) right = Call::goes_right(1 + k % most) && right;
      const int grandchild = in_child([] { _exit(Call::goes_right(3) ? 0 : 1); });
      _exit(right && grandchild == 0 ? 0 : 1);
    });
    check(status == 0, "calls in a child of fork, and in its child");
    check(Call::goes_right(3), "a call of the parent after fork");
  }
  stop.store(true);
  caller.join();
  check(wrong.load() == 0, "calls of the parent during fork");
}

double seconds_of_processor() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void sleep_between_calls() {
  check(Call::goes_right(most), "a call before sleep");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double before = seconds_of_processor();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const double used = seconds_of_processor() - before;
  check(used < 0.02, "threads that are not called sleep");
  std::printf("  processor time in half a second without a call: %.4f s\n", used);
}

#if defined(__x86_64__)
unsigned long float_mode() { return __builtin_ia32_stmxcsr(); }
void set_float_mode(unsigned long mode) { __builtin_ia32_ldmxcsr(static_cast<unsigned>(mode)); }
constexpr unsigned long flushing = 0x8040;
#elif defined(__aarch64__)
unsigned long float_mode() {
  unsigned long mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(unsigned long mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
constexpr unsigned long flushing = 1ul << 24;
#endif

#if defined(__x86_64__) || defined(__aarch64__)
void float_modes() {
  const auto flushes = [](void* context, const Member& member) {
    volatile float least = 1e-40f;
    static_cast<int*>(context)[member.id] = least * 1.0f == 0.0f;
  };
  const unsigned long before = float_mode();
  for (const bool flush : {false, true, false}) {
    set_float_mode(flush ? before | flushing : before);
    int found[most] = {};
    run_team(most, flushes, found);
    set_float_mode(before);
    bool same = true;
    for (int one : found) same = same && one == (flush ? 1 : 0);
    check(same, "members flush denormal numbers exactly when the caller does");
  }
}
#else
void float_modes() {}
#endif

void ends_while_called() {
  const int status = in_child([] {
    std::thread([] {
      for (;;) Call::goes_right(3);
    }).detach();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    std::exit(0);
  });
  check(status == 0, "a process ends while another thread is in a call");
}

void scratch_memory() {
  char* first = scratch(1000);
  check(reinterpret_cast<uintptr_t>(first) % 64 == 0, "scratch memory is aligned");
  std::memset(first, 1, 1000);
  check(scratch(500) == first, "scratch memory is kept");
  char* large = scratch(5 << 20);
  std::memset(large, 1, 5 << 20);
  char* other = nullptr;
  std::thread([&] { other = scratch(64); }).join();
  check(other != nullptr && other != large, "each thread has scratch memory of its own");
}

void pool_of_buffers(int count) {
  void* first = take_buffer(100);
  check(reinterpret_cast<uintptr_t>(first) % (2 << 20) == 0, "a buffer is aligned");
  give_buffer(first);
  check(take_buffer(1000) == first, "a buffer is used again");
  void* second = take_buffer(1000);
  check(second != first, "a buffer is taken once");
  give_buffer(first), give_buffer(second);

  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> takers;
  for (int t = 0; t < 3; ++t)
    takers.emplace_back([&, t] {
      while (!stop.load()) {
        auto* own = static_cast<std::atomic<int>*>(take_buffer(1 + t * (3 << 20)));
        own->store(t);
        std::this_thread::yield();
        wrong += own->load() == t ? 0 : 1;
        give_buffer(own);
      }
    });
  for (int i = 0; i < count; ++i)
    check(in_child([] { give_buffer(take_buffer(5)), _exit(0); }) == 0, "a buffer in a child of fork");
  stop.store(true);
  for (std::thread& taker : takers) taker.join();
  check(wrong.load() == 0, "a buffer belongs to one thread");
}

}  // namespace

int main(int count, char** values) {
  const bool quick = argument(count, values, "quick");
  ends_while_called();  // before there are threads, which a child of fork would not have
  many_calls(quick ? 300 : 5000);
  concurrent_callers(quick ? 100 : 1500);
  a_call_within_a_call();
  helped_calls(quick ? 100 : 1500);
  a_helper_without_a_part();
  exceptions();
  float_modes();
  scratch_memory();
  sleep_between_calls();
  pool_of_buffers(quick ? 5 : 50);
  forks(quick ? 2 : 10);
  return finish("team");
}
