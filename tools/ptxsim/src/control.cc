// Branches, calls and returns, and the functions that the device runtime provides.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "instructions.h"

namespace ptxsim {
namespace {

constexpr size_t kMaxCallDepth = 200;

// printf of the device: the arguments lie one after the other, 8-byte ones aligned.
void DevicePrintf(Thread& t, const Instruction* in, uint64_t format_address, uint64_t args) {
  std::string format(
      reinterpret_cast<char*>(Resolve(t, in, kGeneric, format_address, 1, Access::kLoad)));
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || format[i + 1] == '%') {
      out += format[i];
      if (format[i] == '%') ++i;
      continue;
    }
    size_t j = i + 1;
    bool is_long = false;
    while (j < format.size() && !isalpha(static_cast<uint8_t>(format[j]))) ++j;
    while (format[j] == 'l' || format[j] == 'h' || format[j] == 'z') is_long |= format[j++] != 'h';
    char kind = format[j];
    std::string spec = format.substr(i, j - i + 1);
    bool is_float = std::strchr("feEgGa", kind);
    int size = is_long || is_float || kind == 's' || kind == 'p' ? 8 : 4;
    if (size == 8) args = (args + 7) & ~7ull;
    uint64_t value = 0;
    std::memcpy(&value, Resolve(t, in, kGeneric, args, size, Access::kLoad), size);
    args += size;
    char text[400];
    if (is_float) {
      snprintf(text, sizeof text, spec.c_str(), DoubleOf(value));
    } else if (kind == 's') {
      snprintf(text, sizeof text, spec.c_str(), reinterpret_cast<char*>(value));
    } else if (size == 8) {
      snprintf(text, sizeof text, spec.c_str(), value);
    } else {
      snprintf(text, sizeof text, spec.c_str(), static_cast<int>(value));
    }
    out += text;
    i = j;
  }
  fputs(out.c_str(), stdout);
}

// Functions that the device runtime provides.
void CallBuiltin(Thread& t, const Instruction& in, const Function& function) {
  Frame& frame = t.frame();
  auto arg = [&](int i) {
    uint64_t value = 0;
    std::memcpy(&value, &frame.params[in.call_args[2 * i]], std::min(8, in.call_args[2 * i + 1]));
    return value;
  };
  if (function.name == "vprintf") {
    DevicePrintf(t, &in, arg(0), arg(1));
    if (!in.call_results.empty()) std::memset(&frame.params[in.call_results[0]], 0, 4);
  } else if (function.name == "__assertfail") {
    t.state = ThreadState::kDone;
    Report(t, &in, "device assert failed: %s at %s:%u", reinterpret_cast<char*>(arg(0)),
           reinterpret_cast<char*>(arg(1)), static_cast<uint32_t>(arg(2)));
  } else if (function.name == "malloc") {
    uint64_t p = reinterpret_cast<uint64_t>(AllocateGlobal(arg(0), "device malloc"));
    std::memcpy(&frame.params[in.call_results[0]], &p, 8);
  } else if (function.name == "free") {
    FreeGlobal(reinterpret_cast<void*>(arg(0)));
  } else {
    Report(t, &in, "call of function %s without a body", function.name.c_str());
  }
}

void Call(Thread& t, const Instruction& in) {
  Frame& caller = t.frame();
  int index = in.callee;
  if (index < 0) {
    uint64_t value = Read(t, in.args[0]);
    if ((value & kTagMask) != kTagFunction) {
      Report(t, &in, "indirect call of a non-function");
      t.state = ThreadState::kDone;
      return;
    }
    index = value & ~kTagMask;
  }
  const Function& function = *t.block->launch->module->functions[index];
  ++caller.pc;
  if (function.code.empty()) return CallBuiltin(t, in, function);
  if (t.frames.size() > kMaxCallDepth) {
    t.state = ThreadState::kDone;
    Report(t, &in, "call depth over %zu", kMaxCallDepth);
    return;
  }
  std::unique_ptr<Frame> frame(new Frame);
  frame->function = &function;
  frame->registers.resize(function.registers);
  frame->params.resize(function.param_size);
  frame->locals.assign(function.local_size, 0xFF);
  frame->call = &in;
  for (size_t i = 0; i < function.params.size() && 2 * i < in.call_args.size(); ++i) {
    std::memcpy(&frame->params[function.params[i].offset], &caller.params[in.call_args[2 * i]],
                std::min(function.params[i].size, in.call_args[2 * i + 1]));
  }
  t.frames.push_back(std::move(frame));
}

void Return(Thread& t) {
  if (t.frames.size() == 1) {
    t.state = ThreadState::kDone;
    return;
  }
  Frame& callee = t.frame();
  Frame& caller = *t.frames[t.frames.size() - 2];
  const auto& results = callee.function->results;
  const auto& places = callee.call->call_results;
  for (size_t i = 0; i < results.size() && 2 * i < places.size(); ++i) {
    std::memcpy(&caller.params[places[2 * i]], &callee.params[results[i].offset], results[i].size);
  }
  t.frames.pop_back();
}

}  // namespace

void ExecControl(const Context& c) {
  Thread& t = c.t;
  switch (c.in.op) {
    case Opcode::kBra:
      t.frame().pc = c.in.target;
      return;
    case Opcode::kCall:
      Call(t, c.in);
      return;
    case Opcode::kRet:
      Return(t);
      return;
    case Opcode::kExit:
      t.state = ThreadState::kDone;
      return;
    case Opcode::kTrap:
      t.state = ThreadState::kDone;
      Report(t, &c.in, "trap");
      return;
    // No effect here: memory is sequentially consistent, and there is no cache.
    case Opcode::kMembar:
    case Opcode::kFence:
    case Opcode::kPrefetch:
    case Opcode::kPrefetchu:
    case Opcode::kNanosleep:
    case Opcode::kCreatepolicy:
    case Opcode::kGriddepcontrol:
    case Opcode::kDiscard:
    case Opcode::kApplypriority:
    case Opcode::kPmevent:
    case Opcode::kBrkpt:
      break;
    default:
      Report(t, &c.in, "NOT SUPPORTED by ptxsim");
      break;
  }
  ++t.frame().pc;
}

}  // namespace ptxsim
