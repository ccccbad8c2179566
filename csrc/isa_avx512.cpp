#define OSTINATO_ISA avx512
#include "table.h"

namespace ostinato {
extern const Isa isa_avx512;
const Isa isa_avx512 = avx512::make("avx512");
}  // namespace ostinato
