#include "cc/pybind/own_threads.h"

#include <system_error>
#include <utility>

namespace statpool {
namespace pybind {

OwnThreads::~OwnThreads() {
  for (std::thread& thread : threads_) thread.join();
}

void OwnThreads::Schedule(std::function<void()> task) {
  try {
    threads_.emplace_back(std::move(task));
  } catch (const std::system_error&) {
    // The system has no thread left: those that run do its share, too.
  }
}

}  // namespace pybind
}  // namespace statpool
