// Plan: a call over equal lengths that has been checked once. Of the calls that follow it is enough that their tensors are
// mere ones on the CPU, dense, and of the shapes and the dtype they had; that is read through DLPack's C exchange, where
// asking each tensor in Python would cost more than a short sequence.
#include "plan_binding.h"

#include <nanobind/stl/vector.h>

#include <algorithm>

#include "dlpack_exchange.h"
#include "layer_binding.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

using Sizes = std::vector<int64_t>;

// torch.Tensor and torch.nn.Parameter, and how they are read. Tensors of any other type may be more than their numbers.
struct Plain {
  PyTypeObject *tensor = nullptr, *parameter = nullptr;
  const dlpack::Exchange* exchange = nullptr;
} plain;

bool know(nb::type_object tensor, nb::type_object parameter) {
  plain.tensor = reinterpret_cast<PyTypeObject*>(tensor.release().ptr());  // kept for good, as the module is
  plain.parameter = reinterpret_cast<PyTypeObject*>(parameter.release().ptr());
  plain.exchange = dlpack::exchange_of(plain.tensor);
  return plain.exchange != nullptr;
}

// Where the numbers of a mere, dense tensor on the CPU lie.
bool read(PyObject* object, dlpack::Tensor& view) {
  PyTypeObject* type = Py_TYPE(object);
  if (type != plain.tensor && type != plain.parameter) return false;
  if (plain.exchange->view(object, &view) != 0) {
    PyErr_Clear();
    return false;
  }
  if (view.device.type != dlpack::cpu || view.dtype.lanes != 1) return false;
  int64_t dense = 1;
  for (int d = view.ndim - 1; d >= 0; --d) {
    if (view.strides != nullptr && view.shape[d] > 1 && view.strides[d] != dense) return false;
    dense *= view.shape[d];
  }
  return true;
}

uintptr_t start(const dlpack::Tensor& view) { return reinterpret_cast<uintptr_t>(view.data) + view.byte_offset; }

class Plan {
 public:
  // `shapes` of x, the `states` parts of the state and the weights, direction by direction; `slots`: of the weights of one
  // direction, the place of each among those of the module.
  Plan(const Shape& shape, int parts, int states, std::vector<Sizes> shapes, std::vector<int> slots)
      : s_(shape), parts_(parts), states_(states), shapes_(std::move(shapes)), slots_(std::move(slots)) {
    if (states_ != 0 && states_ != parts_) throw nb::value_error("all parts of the state or none");
    if (shapes_.size() != 1 + static_cast<size_t>(states_) + slots_.size() * static_cast<size_t>(s_.directions))
      throw nb::value_error("a shape for each tensor");
    if (s_.sizes != 0 || s_.reset != 0 || s_.noise.on) throw nb::value_error("equal lengths alone");
    y_ = shapes_[0];
    y_.back() = s_.directions * s_.shown();
  }

  int64_t kept() const { return Kept(s_, parts_ > 1, false).each; }

  // Whether a call with these tensors is the one that was checked.
  bool fits(nb::list tensors) const {
    Addresses unused;
    return addresses(tensors, unused);
  }

  // Into y, the parts of the final state and, if it is there, what backward needs.
  bool forward(nb::list tensors, nb::list made) const {
    Addresses in, out;
    if (!addresses(tensors, in) || !own(made, out)) return false;
    const bool keep = out.size() > 1 + static_cast<size_t>(parts_);
    Addresses a = {in[0], state(in, 0), state(in, 1), out[0], out[1], parts_ > 1 ? out[2] : 0, keep ? out.back() : 0};
    for (int d = 0; d < s_.directions; ++d) place(in, first_weight(), d, a);
    ostinato::forward(s_, parts_ > 1, false, a);
    return true;
  }

  // From y, what forward kept, and the gradients of y and of the final state, where None is zero, into the gradients of x
  // of each direction, where None is not wanted, of the initial state and of the weights.
  bool backward(nb::list tensors, nb::list given, nb::list made) const {
    Addresses in, out, above;
    const auto directions = static_cast<size_t>(s_.directions), states = static_cast<size_t>(states_);
    if (!addresses(tensors, in) || !own(made, out) || !gradients(given, above)) return false;
    if (out.size() != directions + states + slots_.size() * directions) throw nb::value_error("a place for each gradient");
    const uintptr_t* dstates = out.data() + directions;
    Addresses a = {in[0],    state(in, 0), state(in, 1),           above[0],
                   above[1], above[2],     above[3],               parts_ > 1 ? above[4] : 0,
                   states > 0 ? dstates[0] : 0, states > 1 ? dstates[1] : 0};
    for (int d = 0; d < s_.directions; ++d) {
      place(in, first_weight(), d, a);
      place(out, directions + states, d, a);
      a.push_back(out[static_cast<size_t>(d)]);
    }
    ostinato::backward(s_, parts_ > 1, false, a);
    return true;
  }

 private:
  size_t first_weight() const { return 1 + static_cast<size_t>(states_); }
  uintptr_t state(const Addresses& in, int part) const { return part < states_ ? in[1 + static_cast<size_t>(part)] : 0; }

  bool matches(PyObject* object, const Sizes& shape, dlpack::Tensor& view) const {
    if (!read(object, view) || view.dtype.code != dlpack::floating || view.dtype.bits != 8 * s_.width()) return false;
    if (view.ndim != static_cast<int32_t>(shape.size())) return false;
    return std::equal(shape.begin(), shape.end(), view.shape);
  }

  bool addresses(const nb::list& tensors, Addresses& found) const {
    if (tensors.size() != shapes_.size()) return false;
    dlpack::Tensor view;
    for (size_t i = 0; i < shapes_.size(); ++i) {
      if (!matches(PyList_GET_ITEM(tensors.ptr(), static_cast<Py_ssize_t>(i)), shapes_[i], view)) return false;
      found.push_back(start(view));
    }
    return true;
  }

  // Tensors that the caller has made for this call.
  static bool own(const nb::list& tensors, Addresses& found) {
    dlpack::Tensor view;
    for (size_t i = 0; i < tensors.size(); ++i) {
      PyObject* object = PyList_GET_ITEM(tensors.ptr(), static_cast<Py_ssize_t>(i));
      if (object != Py_None && !read(object, view)) return false;
      found.push_back(object == Py_None ? 0 : start(view));
    }
    return true;
  }

  // y, kept, and the gradients of y and of the parts of the final state.
  bool gradients(const nb::list& given, Addresses& found) const {
    dlpack::Tensor view;
    const Sizes kept_shape = {s_.directions, kept()};
    for (size_t i = 0; i < given.size(); ++i) {
      const bool is_y = i == 0 || i == 2;
      const Sizes wanted = is_y ? y_ : i == 1 ? kept_shape : Sizes{s_.directions, s_.slots, i == 3 ? s_.shown() : s_.units};
      PyObject* object = PyList_GET_ITEM(given.ptr(), static_cast<Py_ssize_t>(i));
      if (object == Py_None) {
        if (i < 2) return false;
        found.push_back(0);
      } else {
        if (!matches(object, wanted, view)) return false;
        found.push_back(start(view));
      }
    }
    return given.size() == 3 + static_cast<size_t>(parts_);
  }

  // The weights of one direction, or their gradients, in their places.
  void place(const Addresses& from, size_t first, int direction, Addresses& a) const {
    const size_t base = a.size();
    a.resize(base + places, 0);
    for (size_t i = 0; i < slots_.size(); ++i)
      a[base + static_cast<size_t>(slots_[i])] = from[first + static_cast<size_t>(direction) * slots_.size() + i];
  }

  Shape s_;
  int parts_, states_;
  std::vector<Sizes> shapes_;
  Sizes y_;
  std::vector<int> slots_;
};

}  // namespace

void bind_plan(nb::module_& m) {
  m.def("know", &know);
  nb::class_<Plan>(m, "Plan")
      .def(nb::init<const Shape&, int, int, std::vector<Sizes>, std::vector<int>>())
      .def("kept", &Plan::kept)
      .def("fits", &Plan::fits)
      .def("forward", &Plan::forward)
      .def("backward", &Plan::backward);
}

}  // namespace ostinato
