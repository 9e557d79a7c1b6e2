// Both ops on any device: they validate and allocate; a device only launches.
#ifndef STATPOOL_TF_GLOBAL_STATS_OPS_H_
#define STATPOOL_TF_GLOBAL_STATS_OPS_H_

#include "cc/tf/pooling_inputs.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace statpool {
namespace tf {

// Statpool>GlobalStats.
class GlobalStatsOp : public tensorflow::OpKernel {
 public:
  explicit GlobalStatsOp(tensorflow::OpKernelConstruction* ctx);
  void Compute(tensorflow::OpKernelContext* ctx) final;

 protected:
  // Runs the kernels. `y` has at least one element.
  virtual absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                              tensorflow::Tensor* y, tensorflow::Tensor* saved) = 0;

 private:
  PoolingNode node_;
};

// Statpool>GlobalStatsGrad.
class GlobalStatsGradientOp : public tensorflow::OpKernel {
 public:
  explicit GlobalStatsGradientOp(tensorflow::OpKernelConstruction* ctx);
  void Compute(tensorflow::OpKernelContext* ctx) final;

 protected:
  // Whether dx may take the memory of x if nothing else reads x.
  virtual bool CanOverwriteInput() const { return false; }

  // Runs the kernels. `dx` has at least one element.
  virtual absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                              const tensorflow::Tensor& upstream, const tensorflow::Tensor& saved,
                              tensorflow::Tensor* dx) = 0;

 private:
  PoolingNode node_;
};

// Memory for one call, null if `bytes` is 0. The tensor `holder` owns it.
absl::Status AllocateWorkspace(tensorflow::OpKernelContext* ctx, int64_t bytes,
                               tensorflow::Tensor* holder, void** workspace);

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_GLOBAL_STATS_OPS_H_
