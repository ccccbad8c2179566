#define OSTINATO_ISA avx2
#include "table.h"

namespace ostinato {
extern const Isa isa_avx2;
const Isa isa_avx2 = avx2::make("avx2");
}  // namespace ostinato
