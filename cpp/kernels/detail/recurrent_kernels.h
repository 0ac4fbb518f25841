// The table of a recurrent family, from its cell. `Choose` calls body(Cell{}) with the cell of a
// layer: a family may have several, by options that its inner loops must not look at.
#pragma once

#include "kernels/detail/recurrent_backward.h"
#include "kernels/detail/recurrent_forward.h"
#include "kernels/detail/recurrent_tangent.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T, class Choose>
struct RecurrentPasses {
  static void forward(const RecurrentForward<T>& a) noexcept {
    Choose::cell(a.layer, [&](auto cell) { recurrent_forward<T, decltype(cell)>(a); });
  }
  static void backward(const RecurrentBackward<T>& a) noexcept {
    Choose::cell(a.layer, [&](auto cell) { recurrent_backward<T, decltype(cell)>(a); });
  }
  static void tangent(const RecurrentTangent<T>& a) noexcept {
    Choose::cell(a.layer, [&](auto cell) { recurrent_tangent<T, decltype(cell)>(a); });
  }
  static void step(const RecurrentStep<T>& a) noexcept {
    Choose::cell(a.layer, [&](auto cell) { recurrent_step<T, decltype(cell)>(a); });
  }

  // Sizes and packing are the same for all cells of a family.
  using Cell = typename Choose::Plain;
  static void pack(const RecurrentLayer<T>& layer, void* packed) noexcept {
    pack_layer<T, Cell>(layer, packed);
  }
  static std::int64_t forward_workspace(const RecurrentForward<T>& a) noexcept {
    return ForwardPlan<T, Cell>(a, nullptr).bytes;
  }
  static std::int64_t backward_workspace(const RecurrentBackward<T>& a) noexcept {
    return BackwardPlan<T, Cell>(a, nullptr).bytes;
  }
  static std::int64_t tangent_workspace(const RecurrentTangent<T>& a) noexcept {
    return TangentPlan<T, Cell>(a, nullptr).bytes;
  }
  static std::int64_t step_workspace(const RecurrentLayer<T>& layer) noexcept {
    return StepRoom<T, Cell>(layer, nullptr).bytes;
  }
  static std::int64_t packed_bytes(const RecurrentLayer<T>& layer) noexcept {
    return PackedLayer<T, Cell>(layer, nullptr).bytes;
  }

  static constexpr RecurrentKernels<T> table() {
    return {Cell::kGates,   Cell::kStates, forward,           backward,           tangent,
            step,           pack,          forward_workspace, backward_workspace, tangent_workspace,
            step_workspace, packed_bytes};
  }
};

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
