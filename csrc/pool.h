// Large buffers that are taken and given back call after call: fresh pages cost more than what is computed in them.
#pragma once

#include <cstdint>

namespace ostinato {

// A buffer of at least `bytes`, aligned to a page of 2 MiB, with whatever was in it. Null if there is no memory.
void* take_buffer(int64_t bytes);

// Back to the pool, which keeps 1 GiB at most and frees the longest unused beyond that.
void give_buffer(void* buffer);

}  // namespace ostinato
