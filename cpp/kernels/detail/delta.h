// The delta rule for one layer of a directed net (ictus/rbm.h): prediction, difference, and the
// step of weights and bias.
#pragma once

#include "kernels/detail/layer.h"
#include "kernels/detail/phases.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Where the parts of the workspace lie.
template <class T>
struct DeltaParts {
  T* difference;     // (rows, units of the layer): its means, then target - mean
  T* gradient;       // (visible, hidden)
  T* bias_gradient;  // (units of the layer)
  void* lists;
  std::int64_t bytes;

  explicit DeltaParts(const DeltaArguments<T>& a) {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    const std::int64_t units = a.hidden ? hidden : visible;
    char* at = static_cast<char*>(a.workspace);
    const auto take = [&](std::int64_t elements) {
      T* const part = reinterpret_cast<T*>(at);
      at += aligned_bytes<T>(elements);
      return part;
    };
    difference = take(a.rows * units);
    gradient = take(visible * hidden);
    bias_gradient = take(units);
    lists = at;
    const std::int64_t layers = layer_workspace<T>(a.rows, visible, hidden);
    const std::int64_t statistics = SparseRows<T>::bytes(visible, a.rows);
    bytes = at - static_cast<char*>(a.workspace) + (layers > statistics ? layers : statistics);
  }
};

template <class T>
std::int64_t delta_workspace(const DeltaArguments<T>& a) noexcept {
  return DeltaParts<T>(a).bytes;
}

template <class T>
class Delta {
 public:
  explicit Delta(const DeltaArguments<T>& arguments)
      : a(arguments), p(arguments), scale(T(1) / static_cast<T>(arguments.rows)) {}

  void run() {
    predict();
    const std::int64_t units = a.hidden ? a.model.hidden : a.model.visible;
    add_column_sums(p.difference, units, a.rows, units, scale, T(0), p.bias_gradient);
    if (!a.hidden && a.model.variance != nullptr) {
      divide_columns(p.bias_gradient, units, a.model.variance, 1, units, p.bias_gradient);
    }
    weights();
    step_parameters(a.rule, a.rule.bias_rate, false, p.bias_gradient, a.bias, a.bias_velocity,
                    units);
  }

 private:
  void predict() {
    const Side<T> side = a.hidden ? hidden_side(a.model) : visible_side(a.model);
    LayerArguments<T> l = {};
    l.model = a.model;
    l.rows = a.rows;
    l.given = a.given;
    l.given_row_stride = a.given_row_stride;
    l.mean = p.difference;
    l.workspace = p.lists;
    layer(l, side);
    parallel_blocks(a.rows, side.columns, [&](auto row, auto rows, auto column, auto columns) {
      for (std::int64_t i = row; i < row + rows; ++i) {
        T* const mean = p.difference + i * side.columns + column;
        const T* const target = a.target + i * a.target_row_stride + column;
        for_column_vectors<T>(columns, [&](std::int64_t j, auto read, auto write) {
          write(mean + j, read(target + j) - read(mean + j));
        });
      }
    });
  }

  void weights() {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    if (!a.hidden) {
      transposed_product(scale, p.difference, visible, visible, a.given, a.given_row_stride, hidden,
                         a.rows, T(0), p.gradient);
    } else if (!mostly_zero(a.given, a.given_row_stride, a.rows, visible, hidden)) {
      transposed_product(scale, a.given, a.given_row_stride, visible, p.difference, hidden, hidden,
                         a.rows, T(0), p.gradient);
    } else {
      const Stacked<T> given = {a.given, a.given_row_stride, a.rows, scale, nullptr, 0, T(0)};
      const SparseProduct<T> product = {SparseRows<T>::in(p.lists, visible, a.rows),
                                        p.difference,
                                        hidden,
                                        1,
                                        T(0),
                                        nullptr,
                                        hidden,
                                        hidden};
      compress_columns<T>(given, product.a);
      multiply_sparse(product, [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                                   std::int64_t columns, T* gradient, std::int64_t stride) {
        for (std::int64_t i = 0; i < rows; ++i) {
          step_weights(row + i, column, columns, gradient + i * stride);
        }
      });
      return;
    }
    parallel_ranges(visible, 1 + kElementsPerChunk / hidden, [&](auto begin, auto end) {
      for (std::int64_t i = begin; i < end; ++i) {
        step_weights(i, 0, hidden, p.gradient + i * hidden);
      }
    });
  }

  // Columns [column, column + columns) of a row of the weights; `gradient` is theirs.
  void step_weights(std::int64_t row, std::int64_t column, std::int64_t columns,
                    const T* gradient) {
    const T factor = a.model.variance == nullptr ? T(1) : T(1) / a.model.variance[row];
    const std::int64_t at = row * a.model.hidden + column;
    for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
      step_vector(a.rule, a.rule.weight_rate, true, access.read(gradient + j) * factor,
                  a.weights + at + j, a.weights_velocity + at + j, access);
    });
  }

  const DeltaArguments<T>& a;
  const DeltaParts<T> p;
  const T scale;
};

template <class T>
void delta_rule(const DeltaArguments<T>& a) noexcept {
  if (a.rows > 0) Delta<T>(a).run();
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
