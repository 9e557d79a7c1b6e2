// What of the kernels' library others may call: all else in it is hidden.
#ifndef STATPOOL_CORE_API_H_
#define STATPOOL_CORE_API_H_

#define STATPOOL_API __attribute__((visibility("default")))

#endif  // STATPOOL_CORE_API_H_
