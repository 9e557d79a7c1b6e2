// Marks the functions that the kernel library exports; all others are hidden.
#ifndef STATPOOL_CORE_API_H_
#define STATPOOL_CORE_API_H_

#define STATPOOL_API __attribute__((visibility("default")))

#endif  // STATPOOL_CORE_API_H_
