// The tables of opcodes and modifiers.
#include "opcodes.h"

#include <cfenv>
#include <map>

#include "ptx_words.h"

namespace ptxsim {
namespace {

using std::string;

const std::map<string, Opcode> kOpcodes = {
#define X(id, name) {name, Opcode::k##id},
    PTXSIM_OPCODES(X)
#undef X
};

const std::map<string, Compare> kCompares = {
    {"eq", kEq},   {"ne", kNe},   {"lt", kLt},   {"le", kLe},   {"gt", kGt},   {"ge", kGe},
    {"lo", kLo},   {"ls", kLs},   {"hi", kHi},   {"hs", kHs},   {"equ", kEqu}, {"neu", kNeu},
    {"ltu", kLtu}, {"leu", kLeu}, {"gtu", kGtu}, {"geu", kGeu}, {"num", kNum}, {"nan", kNan}};

const std::map<string, Combine> kCombines = {
    {"and", kCombineAnd}, {"or", kCombineOr}, {"xor", kCombineXor}};

const std::map<string, Reduce> kReduces = {
    {"and", kAnd}, {"or", kOr},   {"xor", kXor}, {"cas", kCas}, {"exch", kExch}, {"add", kAdd},
    {"inc", kInc}, {"dec", kDec}, {"min", kMin}, {"max", kMax}, {"popc", kPopc}};

const std::map<string, Mode> kModes = {{"up", Mode::kUp},
                                       {"down", Mode::kDown},
                                       {"bfly", Mode::kButterfly},
                                       {"idx", Mode::kIndex},
                                       {"ballot", Mode::kBallot},
                                       {"any", Mode::kAny},
                                       {"all", Mode::kAll},
                                       {"warp", Mode::kWarp},
                                       {"arrive", Mode::kArrive},
                                       {"red", Mode::kReduce},
                                       {"finite", Mode::kFinite},
                                       {"infinite", Mode::kInfinite},
                                       {"number", Mode::kNumber},
                                       {"notanumber", Mode::kNotANumber},
                                       {"normal", Mode::kNormal},
                                       {"subnormal", Mode::kSubnormal},
                                       {"f4e", Mode::kF4e},
                                       {"b4e", Mode::kB4e},
                                       {"rc8", Mode::kRc8},
                                       {"ecl", Mode::kEcl},
                                       {"ecr", Mode::kEcr},
                                       {"rc16", Mode::kRc16},
                                       {"shiftamt", Mode::kShiftAmount},
                                       {"async", Mode::kAsync}};

const std::map<string, Mode> kAsyncModes = {{"commit_group", Mode::kCommitGroup},
                                            {"wait_group", Mode::kWaitGroup},
                                            {"wait_all", Mode::kWaitAll}};

// Modifiers that mean the same wherever they stand.
const std::map<string, bool Instruction::*> kFlags = {
    {"wide", &Instruction::wide},       {"cc", &Instruction::carry},
    {"ftz", &Instruction::ftz},         {"sat", &Instruction::sat},
    {"relu", &Instruction::relu},       {"NaN", &Instruction::nan},
    {"approx", &Instruction::approx},   {"to", &Instruction::to},
    {"clamp", &Instruction::clamp},     {"xorsign", &Instruction::xorsign},
    {"volatile", &Instruction::strong}, {"relaxed", &Instruction::strong},
    {"acquire", &Instruction::strong},  {"release", &Instruction::strong},
    {"mmio", &Instruction::strong}};

const std::map<string, int> kRoundings = {
    {"rz", FE_TOWARDZERO}, {"rm", FE_DOWNWARD}, {"rp", FE_UPWARD}};
const std::map<string, RoundInt> kRoundInts = {
    {"rni", kToNearest}, {"rzi", kToZero}, {"rmi", kDown}, {"rpi", kUp}};

// Modifiers that change nothing here: cache hints, memory scopes, the default rounding, ...
bool IsIgnorable(const string& word) {
  static const char* kWords[] = {
      "rn",           "rna",   "full", "sync",    "aligned",    "uni",
      "nc",           "ca",    "cg",   "cs",      "lu",         "cv",
      "wb",           "wt",    "gpu",  "cta",     "sys",        "sc",
      "acq_rel",      "noftz", "weak", "level",   "gl",         "mmio",
      "proxy",        "alias", "L1",   "L2",      "entry",      "cluster",
      "wait",         "wrap",  "r",    "L1evict", "fractional", "launch_dependents",
      "pending_count"};
  for (const char* known : kWords) {
    if (word == known) return true;
  }
  return word.compare(0, 4, "L1::") == 0 || word.compare(0, 4, "L2::") == 0;
}

// Returns false for a modifier that isn't known: the instruction is then unsupported.
bool ParseModifier(const string& word, Instruction* in) {
  Opcode op = in->op;
  auto type = kTypes.find(word);
  if (type != kTypes.end()) {
    Type& slot = in->type == kNoType ? in->type : in->type2 == kNoType ? in->type2 : in->type3;
    slot = type->second;
    return true;
  }
  if (op == Opcode::kSetp || op == Opcode::kSet) {
    bool hit = false;
    if (kCompares.count(word)) in->compare = kCompares.at(word), hit = true;
    if (kCombines.count(word)) in->combine = kCombines.at(word), hit = true;
    if (hit) return true;
  }
  bool reduces = op == Opcode::kAtom || op == Opcode::kRed || op == Opcode::kRedux ||
                 op == Opcode::kBar || op == Opcode::kBarrier;
  if (reduces && kReduces.count(word)) in->reduce = kReduces.at(word);
  if (op == Opcode::kCp && kAsyncModes.count(word)) {
    in->mode = kAsyncModes.at(word);
    return true;
  }

  bool multiplies = op == Opcode::kMul || op == Opcode::kMad || op == Opcode::kMadc ||
                    op == Opcode::kMul24 || op == Opcode::kMad24;
  string space = word.substr(0, word.find(':'));  // of shared::cta or param::entry
  if (kSpaces.count(space)) {
    // Where two are named, shared gives way to the other.
    if (space != "shared" || !in->has_space) in->space = kSpaces.at(space);
    in->has_space = true;
  } else if (kFlags.count(word)) {
    in->*kFlags.at(word) = true;
  } else if (kVectors.count(word)) {
    in->vector = kVectors.at(word);
  } else if (kRoundings.count(word)) {
    in->rounding = kRoundings.at(word);
  } else if (kRoundInts.count(word)) {
    in->round_int = kRoundInts.at(word);
  } else if (word == "hi" && multiplies) {
    in->hi = true;
  } else if (word == "lo" && multiplies) {
    in->lo = true;
  } else if (word == "l" && op == Opcode::kShf) {
    in->left = true;
  } else if (word == "uni" && op == Opcode::kVote) {
    in->mode = Mode::kUniform;
  } else if (kModes.count(word)) {
    in->mode = kModes.at(word);
  } else if (!in->reduce && !IsIgnorable(word)) {
    return false;
  }
  return true;
}

}  // namespace

bool ParseOpcode(const string& name, Instruction* in) {
  const std::vector<string> words = SplitDots(name);
  auto opcode = kOpcodes.find(words[0]);
  bool known = opcode != kOpcodes.end() && opcode->second != Opcode::kBrx;
  if (known) in->op = opcode->second;
  for (size_t i = 1; known && i < words.size(); ++i) known = ParseModifier(words[i], in);
  return known;
}

Group GroupOf(const Instruction& in) {
  switch (in.op) {
    case Opcode::kAdd:
    case Opcode::kSub:
    case Opcode::kMul:
    case Opcode::kDiv:
    case Opcode::kMin:
    case Opcode::kMax:
    case Opcode::kAbs:
    case Opcode::kNeg:
    case Opcode::kMad:
      return IsFloat(in.type) ? Group::kFloat : Group::kInteger;
    case Opcode::kFma:
    case Opcode::kSqrt:
    case Opcode::kRsqrt:
    case Opcode::kRcp:
    case Opcode::kEx2:
    case Opcode::kLg2:
    case Opcode::kSin:
    case Opcode::kCos:
    case Opcode::kTanh:
      return IsFloat(in.type) ? Group::kFloat : Group::kControl;
    case Opcode::kAddc:
    case Opcode::kSubc:
    case Opcode::kMadc:
    case Opcode::kMul24:
    case Opcode::kMad24:
    case Opcode::kRem:
    case Opcode::kSad:
    case Opcode::kDp4a:
      return Group::kInteger;
    case Opcode::kAnd:
    case Opcode::kOr:
    case Opcode::kXor:
    case Opcode::kNot:
    case Opcode::kCnot:
    case Opcode::kShl:
    case Opcode::kShr:
    case Opcode::kShf:
    case Opcode::kBfe:
    case Opcode::kBfi:
    case Opcode::kBfind:
    case Opcode::kBrev:
    case Opcode::kClz:
    case Opcode::kPopc:
    case Opcode::kLop3:
    case Opcode::kPrmt:
    case Opcode::kCopysign:
      return Group::kBits;
    case Opcode::kTestp:
    case Opcode::kSetp:
    case Opcode::kSet:
    case Opcode::kSelp:
    case Opcode::kSlct:
    case Opcode::kMov:
    case Opcode::kCvt:
    case Opcode::kCvta:
    case Opcode::kIsspacep:
    case Opcode::kActivemask:
      return Group::kCompareMove;
    case Opcode::kLd:
    case Opcode::kLdu:
    case Opcode::kSt:
    case Opcode::kAtom:
    case Opcode::kRed:
    case Opcode::kCp:
      return Group::kMemory;
    case Opcode::kElect:
    case Opcode::kShfl:
    case Opcode::kVote:
    case Opcode::kMatch:
    case Opcode::kRedux:
    case Opcode::kBar:
    case Opcode::kBarrier:
      return Group::kCollective;
    default:
      return Group::kControl;
  }
}

}  // namespace ptxsim
