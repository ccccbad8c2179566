// What the Python module has for calls that come again.
#pragma once

#include <nanobind/nanobind.h>

namespace ostinato {

void bind_plan(nanobind::module_& m);

}  // namespace ostinato
