// Statpool>GlobalStatsGrad: validates and allocates once; a device only launches.
#ifndef STATPOOL_TF_GLOBAL_STATS_GRADIENT_OP_H_
#define STATPOOL_TF_GLOBAL_STATS_GRADIENT_OP_H_

#include "cc/tf/problem_attributes.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace statpool {
namespace tf {

class GlobalStatsGradientOp : public tensorflow::OpKernel {
 public:
  explicit GlobalStatsGradientOp(tensorflow::OpKernelConstruction* ctx);
  void Compute(tensorflow::OpKernelContext* ctx) final;

 protected:
  const ProblemAttributes& attributes() const { return attributes_; }

  // Whether dx may take the memory of an x that nobody else reads.
  virtual bool CanOverwriteInput() const { return false; }

  // Runs the kernels. `dx` has at least one element.
  virtual absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                              const tensorflow::Tensor& upstream, const tensorflow::Tensor& saved,
                              tensorflow::Tensor* dx) = 0;

 private:
  ProblemAttributes attributes_;
};

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_GLOBAL_STATS_GRADIENT_OP_H_
