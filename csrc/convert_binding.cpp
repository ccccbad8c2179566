// Numbers of bfloat16 into float32 and back: by the team of this module, as other threads that wait busily would slow the
// kernels.
#include "convert_binding.h"

#include "bfloat16.h"
#include "team.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

template <class T> T* at(uintptr_t address) { return reinterpret_cast<T*>(address); }

struct Conversion {
  uintptr_t from, to;
  int64_t count;
};

// What member `member` of a team does.
Conversion part(const void* context, const Member& member, int64_t from_bytes, int64_t to_bytes) {
  const Conversion& all = *static_cast<const Conversion*>(context);
  const int64_t first = all.count * member.id / member.count, last = all.count * (member.id + 1) / member.count;
  return {all.from + static_cast<uintptr_t>(first * from_bytes), all.to + static_cast<uintptr_t>(first * to_bytes),
          last - first};
}

void convert(uintptr_t from, uintptr_t to, int64_t count, int threads, void (*work)(void*, const Member&)) {
  Conversion all{from, to, count};
  nb::gil_scoped_release released;
  run_team(count < 1 << 16 ? 1 : threads, work, &all);
}

void widen(uintptr_t from, uintptr_t to, int64_t count, int threads) {
  convert(from, to, count, threads, [](void* context, const Member& member) {
    const Conversion mine = part(context, member, 2, 4);
    const auto* source = at<const uint16_t>(mine.from);
    auto* target = at<uint32_t>(mine.to);
    for (int64_t i = 0; i < mine.count; ++i) target[i] = static_cast<uint32_t>(source[i]) << 16;
  });
}

void narrow(uintptr_t from, uintptr_t to, int64_t count, int threads) {
  convert(from, to, count, threads, [](void* context, const Member& member) {
    const Conversion mine = part(context, member, 4, 2);
    const auto* source = at<const uint32_t>(mine.from);
    auto* target = at<uint16_t>(mine.to);
    for (int64_t i = 0; i < mine.count; ++i) target[i] = static_cast<uint16_t>(rounded_to_bfloat16(source[i]));
  });
}

}  // namespace

void bind_convert(nb::module_& m) {
  m.def("widen", &widen);
  m.def("narrow", &narrow);
}

}  // namespace ostinato
