// A parsed PTX module: functions made of decoded instructions, and their symbols.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_PTX_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_PTX_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base.h"

namespace ptxsim {

// One list drives the enumerators and the parser's table of names.
// clang-format off
#define PTXSIM_OPCODES(X)                                                                       \
  X(Abs, "abs") X(Activemask, "activemask") X(Add, "add") X(Addc, "addc") X(And, "and")         \
  X(Applypriority, "applypriority") X(Atom, "atom") X(Bar, "bar") X(Barrier, "barrier")         \
  X(Bfe, "bfe") X(Bfi, "bfi") X(Bfind, "bfind") X(Bra, "bra") X(Brev, "brev") X(Brkpt, "brkpt") \
  X(Brx, "brx") X(Call, "call") X(Clz, "clz") X(Cnot, "cnot") X(Copysign, "copysign")           \
  X(Cos, "cos") X(Cp, "cp") X(Createpolicy, "createpolicy") X(Cvt, "cvt") X(Cvta, "cvta")       \
  X(Discard, "discard") X(Div, "div") X(Dp4a, "dp4a") X(Elect, "elect") X(Ex2, "ex2")           \
  X(Exit, "exit") X(Fence, "fence") X(Fma, "fma") X(Fns, "fns")                                 \
  X(Griddepcontrol, "griddepcontrol") X(Isspacep, "isspacep") X(Ld, "ld") X(Ldu, "ldu")         \
  X(Lg2, "lg2") X(Lop3, "lop3") X(Mad, "mad") X(Mad24, "mad24") X(Madc, "madc")                 \
  X(Match, "match") X(Max, "max") X(Membar, "membar") X(Min, "min") X(Mov, "mov") X(Mul, "mul") \
  X(Mul24, "mul24") X(Nanosleep, "nanosleep") X(Neg, "neg") X(Not, "not") X(Or, "or")           \
  X(Pmevent, "pmevent") X(Popc, "popc") X(Prefetch, "prefetch") X(Prefetchu, "prefetchu")       \
  X(Prmt, "prmt") X(Rcp, "rcp") X(Red, "red") X(Redux, "redux") X(Rem, "rem") X(Ret, "ret")     \
  X(Rsqrt, "rsqrt") X(Sad, "sad") X(Selp, "selp") X(Set, "set") X(Setp, "setp") X(Shf, "shf")   \
  X(Shfl, "shfl") X(Shl, "shl") X(Shr, "shr") X(Sin, "sin") X(Slct, "slct") X(Sqrt, "sqrt")     \
  X(St, "st") X(Sub, "sub") X(Subc, "subc") X(Tanh, "tanh") X(Testp, "testp") X(Trap, "trap")   \
  X(Vote, "vote") X(Xor, "xor")
// clang-format on

enum class Opcode {
#define X(id, name) k##id,
  PTXSIM_OPCODES(X)
#undef X
      kUnsupported
};

// Decides which Exec... function of the interpreter handles an instruction.
enum class Group : uint8_t {
  kFloat,
  kInteger,
  kBits,
  kCompareMove,
  kMemory,
  kControl,
  kCollective
};

// clang-format off
enum Type : uint8_t {
  kNoType, kS8, kS16, kS32, kS64, kU8, kU16, kU32, kU64, kB8, kB16, kB32, kB64, kB128,
  kF16, kF16x2, kBf16, kBf16x2, kF32, kF64, kPred, kTf32, kU16x2, kS16x2
};
// clang-format on

inline int SizeOf(Type type) {
  switch (type) {
    case kS8:
    case kU8:
    case kB8:
    case kPred:
      return 1;
    case kS16:
    case kU16:
    case kB16:
    case kF16:
    case kBf16:
      return 2;
    case kS64:
    case kU64:
    case kB64:
    case kF64:
      return 8;
    case kB128:
      return 16;
    default:
      return 4;
  }
}
inline bool IsSigned(Type type) { return type >= kS8 && type <= kS64; }
inline bool IsFloat(Type type) { return type >= kF16 && type <= kF64; }

enum Space : uint8_t { kGeneric, kGlobal, kShared, kLocal, kParam, kConst };

// A generic address carries its state space in the upper bits; global has none, so that a device
// pointer is a host pointer.
constexpr uint64_t kTagShared = 1ull << 60, kTagLocal = 2ull << 60, kTagParam = 3ull << 60,
                   kTagFunction = 4ull << 60, kTagMask = 7ull << 60;

// Until the parser's Link(), the offset of a shared variable carries one of these marks.
constexpr uint64_t kFunctionShared = 1ull << 40;  // relative to the shared variables of its kernel
constexpr uint64_t kDynamicShared = 1ull << 41;   // relative to the dynamic shared memory
constexpr uint64_t kSharedOffsetMask = kFunctionShared - 1;
constexpr uint64_t kExternShared = ~0ull;  // address of an `extern .shared` symbol

// clang-format off
enum Compare : uint8_t {
  kEq = 1, kNe, kLt, kLe, kGt, kGe, kLo, kLs, kHi, kHs, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu,
  kNum, kNan
};
// clang-format on
enum Combine : uint8_t { kNoCombine, kCombineAnd, kCombineOr, kCombineXor };
enum Reduce : uint8_t { kAnd = 1, kOr, kXor, kCas, kExch, kAdd, kInc, kDec, kMin, kMax, kPopc };
enum RoundInt : uint8_t { kNoRoundInt, kToNearest, kToZero, kDown, kUp };

// The modifier that selects the variant of an opcode (shfl.up, vote.ballot, bar.arrive, ...).
// clang-format off
enum class Mode : uint8_t {
  kNone,
  kUp, kDown, kButterfly, kIndex,                                 // shfl
  kBallot, kAny, kAll, kUniform,                                  // vote, match
  kWarp, kArrive, kReduce,                                        // bar
  kFinite, kInfinite, kNumber, kNotANumber, kNormal, kSubnormal,  // testp
  kF4e, kB4e, kRc8, kEcl, kEcr, kRc16,                            // prmt
  kShiftAmount,                                                   // bfind
  kAsync, kCommitGroup, kWaitGroup, kWaitAll,                     // cp.async
};
// clang-format on

struct Operand {
  enum Kind : uint8_t { kRegister, kImmediate, kSpecial, kVector, kSymbol, kAddress, kSink };
  Kind kind = kImmediate;
  bool negated = false;        // !%p
  int reg = -1;                // register or special register; base register of an address
  uint64_t imm = 0;            // value, or offset of an address
  Space space = kGeneric;      // of a symbol
  std::vector<Operand> items;  // {a, b} and a|b
};

struct Instruction {
  Opcode op = Opcode::kUnsupported;
  Group group = Group::kControl;
  Type type = kNoType, type2 = kNoType, type3 = kNoType;
  Space space = kGeneric;
  bool has_space = false;
  int vector = 1;
  int predicate = -1;
  bool predicate_negated = false;
  uint8_t compare = 0, combine = 0, reduce = 0, round_int = 0;
  int rounding = 0;  // a <cfenv> mode; 0 is round to nearest even
  Mode mode = Mode::kNone;
  // Modifiers under their PTX names.
  bool ftz = false, sat = false, hi = false, lo = false, wide = false, carry = false, nan = false;
  bool xorsign = false, approx = false, clamp = false, left = false, relu = false, to = false;
  bool strong = false;  // volatile, relaxed, acquire, release: not part of race checks
  std::vector<Operand> args;
  int target = -1;                           // of a branch
  int callee = -1;                           // function index; -1 for an indirect call
  std::vector<int> call_args, call_results;  // (offset, size) pairs in the caller's parameters
  int ptx_line = 0, file = 0, source_line = 0;
  uint32_t id = 0;  // unique in the process
  std::string text;
};

struct Parameter {
  int offset, size;
};

struct Symbol {
  Space space;
  uint64_t address;
  uint64_t size;
};

using Extent = std::pair<int, int>;  // offset, bytes

struct Function {
  std::string name;
  bool is_kernel = false;
  std::vector<Instruction> code;
  int registers = 0, local_size = 0, param_size = 0;
  int shared_size = 0;  // with the gaps between variables
  int shared_used = 0;  // without
  int max_threads = 0;  // .maxntid, 0 if absent
  std::vector<Parameter> params, results;
  std::vector<Extent> shared_vars;
};

struct Module {
  std::map<std::string, int> function_index;
  std::vector<std::unique_ptr<Function>> functions;
  std::map<std::string, Symbol> symbols;
  std::map<std::string, uint64_t> globals;
  std::map<int, std::string> files;
  int target = 0;  // 80 for .target sm_80
  int shared_size = 0;
  std::vector<Extent> shared_vars;
};

// One list drives the enumerators of the special registers and the parser's table of names.
// clang-format off
#define PTXSIM_SPECIAL_REGISTERS(X)                                                             \
  X(TidX, "%tid.x") X(TidY, "%tid.y") X(TidZ, "%tid.z") X(NtidX, "%ntid.x") X(NtidY, "%ntid.y") \
  X(NtidZ, "%ntid.z") X(CtaidX, "%ctaid.x") X(CtaidY, "%ctaid.y") X(CtaidZ, "%ctaid.z")         \
  X(NctaidX, "%nctaid.x") X(NctaidY, "%nctaid.y") X(NctaidZ, "%nctaid.z") X(LaneId, "%laneid")  \
  X(WarpId, "%warpid") X(NWarpId, "%nwarpid") X(SmId, "%smid") X(NSmId, "%nsmid")               \
  X(GridId, "%gridid") X(MaskEq, "%lanemask_eq") X(MaskLe, "%lanemask_le")                      \
  X(MaskLt, "%lanemask_lt") X(MaskGe, "%lanemask_ge") X(MaskGt, "%lanemask_gt")                 \
  X(Clock, "%clock") X(Clock64, "%clock64") X(ClockHi, "%clock_hi")                             \
  X(GlobalTimer, "%globaltimer") X(GlobalTimerLo, "%globaltimer_lo") X(EnvReg1, "%envreg1")     \
  X(EnvReg2, "%envreg2") X(DynamicSmem, "%dynamic_smem_size") X(TotalSmem, "%total_smem_size")  \
  X(ClusterRank, "%cluster_ctarank") X(ClusterSize, "%cluster_nctarank")                        \
  X(ClusterNctaidX, "%cluster_nctaid.x") X(ClusterCtaidX, "%cluster_ctaid.x")                   \
  X(IsExplicitCluster, "%is_explicit_cluster")
// clang-format on

enum SpecialRegister {
#define X(id, name) kSr##id,
  PTXSIM_SPECIAL_REGISTERS(X)
#undef X
};

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_PTX_H_
