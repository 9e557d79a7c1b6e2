// The table of functions through which handlers talk to XLA.
#ifndef STATPOOL_XLA_FFI_API_H_
#define STATPOOL_XLA_FFI_API_H_

#include "xla/ffi/api/ffi.h"

namespace xla {
namespace ffi {

// Exported by libtensorflow_cc. Declared here because its own header, xla/ffi/ffi_api.h, includes
// MLIR.
const XLA_FFI_Api* GetXlaFfiApi();

}  // namespace ffi
}  // namespace xla

#endif  // STATPOOL_XLA_FFI_API_H_
