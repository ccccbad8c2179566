// What the Python module has for numbers of bfloat16.
#pragma once

#include <nanobind/nanobind.h>

namespace ostinato {

void bind_convert(nanobind::module_& m);

}  // namespace ostinato
