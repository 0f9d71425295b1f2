#pragma once
// c = f(a * scale_a + b * scale_b), element by element: the residual sum as an operator of its own.
#include "kernels/builder.h"
#include "kernels/tensor.h"

namespace systole::kernels {

struct AddArguments {
  Matrix a, b;                 // int8 or int32
  float scale_a = 1.0f, scale_b = 1.0f;  // fp32 scales of the loads (E2)
  Matrix c;                    // int8 through `store`, or int32
  StoreConfig store;
};

void add(Builder& builder, const AddArguments& arguments);

}  // namespace systole::kernels
