#include "dlpack_exchange.h"

#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace ostinato::dlpack {

const Exchange* exchange_of(PyTypeObject* type) {
  static PyTypeObject* last = nullptr;
  static const Exchange* found = nullptr;
  if (type == last) return found;
  nb::object capsule = nb::getattr(nb::handle(reinterpret_cast<PyObject*>(type)), "__dlpack_c_exchange_api__", nb::none());
  if (capsule.is_none()) return nullptr;
  const auto* exchange = static_cast<const Exchange*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (exchange == nullptr) throw nb::python_error();
  if (exchange->version.major != 1 || exchange->view == nullptr) return nullptr;
  Py_INCREF(type);
  Py_XDECREF(last);
  last = type, found = exchange;
  return exchange;
}

}  // namespace ostinato::dlpack
