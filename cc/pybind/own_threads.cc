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
    // The system has no thread to give: those that run do this one's work too.
  }
}

}  // namespace pybind
}  // namespace statpool
