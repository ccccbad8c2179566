// What AVX-512 with BF16 and VNNI does better: streams whose weights are bfloat16 or int8.
#define OSTINATO_ISA avx512_bf16
#include "stream_table.h"

namespace ostinato {
extern const StreamTable streams_avx512_bf16;
const StreamTable streams_avx512_bf16 = avx512_bf16::stream_table;
}  // namespace ostinato
