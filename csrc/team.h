// A team of threads that lives as long as the process, sleeps between calls, and is made anew after a fork.
#pragma once

#include "layer.h"

namespace ostinato {

// Runs work(context, member) on `members` threads, the calling one among them, and returns when all are done. All compute
// in the caller's floating-point mode (rounding, flushing of denormal numbers). While one call has the team, a call from
// another thread runs on its own thread alone; so does one for which the system has no more threads. What `work` throws
// in any member reaches the caller.
void run_team(int members, void (*work)(void* context, const Member& member), void* context);

// The same, but nobody is waited for who has not begun when the caller is done: a thread takes long to wake, and may have no
// core. `work` takes of what is left until nothing is; its members do not wait for one another.
void run_helped(int members, void (*work)(void* context, const Member& member), void* context);

// Memory for one call, from a buffer that the calling thread keeps; aligned to a cache line. It is valid until the
// thread asks again.
char* scratch(int64_t bytes);

}  // namespace ostinato
