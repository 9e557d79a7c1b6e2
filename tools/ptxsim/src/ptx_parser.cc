// A parser of one pass, which decodes instructions as far as an interpreter wants them, and then
// links what was named before it was defined.
#include "ptx_parser.h"

#include <algorithm>
#include <cctype>
#include <cfenv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "memory.h"

namespace ptxsim {
namespace {

using std::string;
using std::vector;

// Bytes between two shared variables, so that an overrun of one is not a hit in the next.
constexpr int kSharedGap = 128;

const std::map<string, Type> kTypes = {
    {"s8", kS8},     {"s16", kS16},       {"s32", kS32},    {"s64", kS64}, {"u8", kU8},
    {"u16", kU16},   {"u32", kU32},       {"u64", kU64},    {"b8", kB8},   {"b16", kB16},
    {"b32", kB32},   {"b64", kB64},       {"b128", kB128},  {"f16", kF16}, {"f16x2", kF16x2},
    {"bf16", kBf16}, {"bf16x2", kBf16x2}, {"f32", kF32},    {"f64", kF64}, {"pred", kPred},
    {"tf32", kTf32}, {"u16x2", kU16x2},   {"s16x2", kS16x2}};

const std::map<string, Space> kSpaces = {{"global", kGlobal},
                                         {"const", kConst},
                                         {"shared", kShared},
                                         {"local", kLocal},
                                         {"param", kParam}};

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

const std::map<string, int> kVectors = {{"v2", 2}, {"v4", 4}, {"v8", 8}};

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

string Trim(const string& s) {
  size_t a = s.find_first_not_of(" \t\r\n"), b = s.find_last_not_of(" \t\r\n");
  return a == string::npos ? "" : s.substr(a, b - a + 1);
}

// Splits at the commas that are outside every bracket.
vector<string> SplitList(const string& s) {
  vector<string> parts;
  int depth = 0;
  string current;
  for (char c : s) {
    if (c == '{' || c == '[' || c == '(') ++depth;
    if (c == '}' || c == ']' || c == ')') depth--;
    if (c == ',' && !depth) {
      parts.push_back(Trim(current));
      current.clear();
    } else {
      current += c;
    }
  }
  if (!Trim(current).empty()) parts.push_back(Trim(current));
  return parts;
}

vector<string> SplitDots(const string& s) {
  vector<string> parts;
  size_t a = 0;
  for (;;) {
    size_t b = s.find('.', a);
    parts.push_back(s.substr(a, b - a));
    if (b == string::npos) return parts;
    a = b + 1;
  }
}

// Integers, and floats written as 0f3F800000 or 0d3FF0000000000000.
uint64_t ParseNumber(const string& s) {
  if (s.size() > 2 && s[0] == '0' && std::strchr("fFdD", s[1])) {
    return std::strtoull(s.c_str() + 2, nullptr, 16);
  }
  if (s[0] == '-') return static_cast<uint64_t>(std::strtoll(s.c_str(), nullptr, 0));
  return std::strtoull(s.c_str(), nullptr, 0);
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

class Parser {
 public:
  Parser(const string& text, Module* module) : module_(*module), text_(text) {}

  void Run() {
    for (;;) {
      SkipSpace();
      if (pos_ >= text_.size()) break;
      ParseTopLevel();
    }
    Link();
  }

 private:
  // --- characters and words ---------------------------------------------------------------

  [[noreturn]] void Error(const string& message) {
    Fatal("parse error at PTX line %d: %s", line_, message.c_str());
  }

  char Here() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }

  void Advance() {
    if (text_[pos_] == '\n') ++line_;
    ++pos_;
  }

  void SkipLine() {
    while (pos_ < text_.size() && text_[pos_] != '\n') ++pos_;
  }

  void SkipSpace() {
    for (;;) {
      while (pos_ < text_.size() && isspace(static_cast<uint8_t>(text_[pos_]))) Advance();
      if (text_.compare(pos_, 2, "//") == 0) {
        SkipLine();
      } else if (text_.compare(pos_, 2, "/*") == 0) {
        size_t end = text_.find("*/", pos_);
        if (end == string::npos) Error("comment without end");
        while (pos_ < end + 2) Advance();
      } else {
        return;
      }
    }
  }

  static bool IsNameChar(char c) {
    return isalnum(static_cast<uint8_t>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
  }

  string NextWord() {
    SkipSpace();
    size_t start = pos_;
    if (Here() == '"') {
      ++pos_;
      while (Here() && Here() != '"') ++pos_;
      ++pos_;
    } else {
      while (pos_ < text_.size() && IsNameChar(text_[pos_])) ++pos_;
      if (pos_ == start) ++pos_;
    }
    return text_.substr(start, pos_ - start);
  }

  string PeekWord() {
    size_t pos = pos_;
    int line = line_;
    string word = NextWord();
    pos_ = pos;
    line_ = line;
    return word;
  }

  // Up to the next semicolon outside quotes, which is consumed.
  string NextStatement() {
    SkipSpace();
    size_t start = pos_;
    bool quoted = false;
    while (pos_ < text_.size() && (text_[pos_] != ';' || quoted)) {
      if (text_[pos_] == '"') quoted = !quoted;
      Advance();
    }
    string statement = text_.substr(start, pos_ - start);
    ++pos_;
    return statement;
  }

  // --- scopes -----------------------------------------------------------------------------

  void PushScope() {
    symbol_scopes_.emplace_back();
    register_scopes_.emplace_back();
  }
  void PopScope() {
    symbol_scopes_.pop_back();
    register_scopes_.pop_back();
  }

  Symbol* FindSymbol(const string& name) {
    for (size_t i = symbol_scopes_.size(); i--;) {
      auto it = symbol_scopes_[i].find(name);
      if (it != symbol_scopes_[i].end()) return &it->second;
    }
    auto it = module_.symbols.find(name);
    return it == module_.symbols.end() ? nullptr : &it->second;
  }

  int FindRegister(const string& name) {
    for (size_t i = register_scopes_.size(); i--;) {
      auto it = register_scopes_[i].find(name);
      if (it != register_scopes_[i].end()) return it->second;
    }
    return -1;
  }

  // --- declarations -----------------------------------------------------------------------

  // What a declaration says before its names.
  struct Qualifiers {
    Space space = kGlobal;
    Type type = kB8;
    int align = 0;  // 0: that of the type
    int vector_width = 1;
    bool is_register = false, is_extern = false;
  };

  // ".global .align 4 .b8 name[8] = {...}", or .shared/.local/.param/.const/.reg. With `out`, the
  // declaration is a parameter and `out` takes its place.
  void ParseDeclaration(const string& s, Parameter* out = nullptr) {
    size_t equals = s.find('=');
    string init = equals == string::npos ? "" : Trim(s.substr(equals + 1));
    string names = Trim(s.substr(0, equals));
    Qualifiers qualifiers = ParseQualifiers(&names);
    for (const string& name : SplitList(names)) {
      if (!qualifiers.is_register) {
        Declare(qualifiers, name, init, out);
      } else if (out) {
        Error("register parameters are not supported");
      } else {
        DeclareRegisters(name);
      }
    }
  }

  // Takes the words with a dot from the front of a declaration.
  static Qualifiers ParseQualifiers(string* declaration) {
    const string& s = *declaration;
    Qualifiers q;
    bool is_pointer = false;
    size_t i = 0;
    for (;;) {
      i = s.find_first_not_of(" \t\r\n", i);
      if (i == string::npos || s[i] != '.') break;
      size_t end = s.find_first_of(" \t\r\n.", i + 1);
      string word = s.substr(i + 1, end - i - 1);
      i = end;
      if (word == "ptr") {
        is_pointer = true;
      } else if (is_pointer && !kTypes.count(word) && word != "align") {
        // the state space a pointer parameter points to: no use here
      } else if (kSpaces.count(word)) {
        q.space = kSpaces.at(word);
      } else if (word == "reg") {
        q.is_register = true;
      } else if (word == "align") {
        size_t used;
        q.align = std::stoi(s.substr(i), &used);
        i += used;
      } else if (kVectors.count(word)) {
        q.vector_width = kVectors.at(word);
      } else if (word == "extern") {
        q.is_extern = true;
      } else if (kTypes.count(word)) {
        q.type = kTypes.at(word);
      }
    }
    *declaration = i == string::npos ? "" : s.substr(i);
    return q;
  }

  // One variable: "name" or "name[8][2]".
  void Declare(const Qualifiers& q, const string& declarator, const string& init, Parameter* out) {
    size_t bracket = declarator.find('[');
    uint64_t count = 1;
    for (size_t i = bracket; i != string::npos; i = declarator.find('[', i + 1)) {
      count *= std::strtoull(declarator.c_str() + i + 1, nullptr, 0);
    }
    string name = bracket == string::npos ? declarator : Trim(declarator.substr(0, bracket));
    int size = SizeOf(q.type) * q.vector_width;
    int align = q.align ? q.align : size;
    uint64_t bytes = count * size;
    bool is_dynamic = q.is_extern || count == 0;
    if (q.space == kParam) {
      int at = Reserve(&function_->param_size, align, bytes);
      symbol_scopes_.back()[name] = {kParam, static_cast<uint64_t>(at), bytes};
      if (out) *out = {at, static_cast<int>(bytes)};
    } else if (q.space == kLocal) {
      int at = Reserve(&function_->local_size, align, bytes);
      symbol_scopes_.back()[name] = {kLocal, static_cast<uint64_t>(at), bytes};
    } else if (q.space == kShared && is_dynamic) {
      Symbol symbol{kShared, kExternShared, 0};
      (symbol_scopes_.empty() ? module_.symbols : symbol_scopes_.back())[name] = symbol;
    } else if (q.space == kShared && function_) {
      function_->shared_size += kSharedGap;
      int at = Reserve(&function_->shared_size, std::max(align, 16), bytes);
      function_->shared_vars.push_back({at, static_cast<int>(bytes)});
      function_->shared_used += bytes;
      symbol_scopes_.back()[name] = {kShared, static_cast<uint64_t>(at) | kFunctionShared, bytes};
    } else if (q.space == kShared) {
      module_.shared_size += kSharedGap;
      int at = Reserve(&module_.shared_size, align, bytes);
      module_.shared_vars.push_back({at, static_cast<int>(bytes)});
      module_.symbols[name] = {kShared, static_cast<uint64_t>(at), bytes};
    } else {
      char* memory = static_cast<char*>(AllocateGlobal(bytes ? bytes : 1, name));
      std::memset(memory, 0, bytes);
      if (!init.empty()) InitVariable(memory, q.type, init);
      uint64_t address = reinterpret_cast<uint64_t>(memory);
      module_.symbols[name] = {kGlobal, address, bytes};
      module_.globals[name] = address;
    }
  }

  static int Reserve(int* used, int align, uint64_t bytes) {
    int at = (*used + align - 1) / align * align;
    *used = at + bytes;
    return at;
  }

  // "%r<12>" or "%x"
  void DeclareRegisters(const string& name) {
    size_t angle = name.find('<');
    if (angle == string::npos) {
      register_scopes_.back()[name] = function_->registers++;
      return;
    }
    int count = std::stoi(name.substr(angle + 1));
    string stem = Trim(name.substr(0, angle));
    for (int k = 0; k < count; ++k) {
      register_scopes_.back()[stem + std::to_string(k)] = function_->registers++;
    }
  }

  void InitVariable(char* memory, Type type, string s) {
    if (s[0] == '{') s = s.substr(1, s.rfind('}') - 1);
    int size = SizeOf(type);
    for (string item : SplitList(s)) {
      if (item[0] == '{') {
        InitVariable(memory, type, item);
        memory += size * SplitList(item.substr(1, item.size() - 2)).size();
        continue;
      }
      if (item.compare(0, 8, "generic(") == 0) item = item.substr(8, item.size() - 9);
      uint64_t value;
      if (isalpha(static_cast<uint8_t>(item[0])) || item[0] == '_' || item[0] == '$') {
        size_t plus = item.find('+');
        string name = Trim(item.substr(0, plus));
        Symbol* symbol = FindSymbol(name);
        if (!symbol) Error("initialiser " + name);
        value = symbol->address;
        if (plus != string::npos) value += std::strtoull(item.c_str() + plus + 1, nullptr, 0);
      } else {
        value = ParseNumber(item);
      }
      std::memcpy(memory, &value, size);
      memory += size;
    }
  }

  // --- operands ---------------------------------------------------------------------------

  Operand ParseOperand(string s) {
    Operand o;
    s = Trim(s);
    if (s == "_") {
      o.kind = Operand::kSink;
      return o;
    }
    if (s[0] == '!') {
      o = ParseOperand(s.substr(1));
      o.negated = true;
      return o;
    }
    if (s[0] == '{' || s[0] == '(') {
      o.kind = Operand::kVector;
      for (const string& item : SplitList(s.substr(1, s.size() - 2))) {
        o.items.push_back(ParseOperand(item));
      }
      return o;
    }
    if (s[0] == '[') return ParseAddress(SplitList(s.substr(1, s.find(']') - 1))[0]);
    size_t bar = s.find('|');
    if (bar != string::npos) {
      o.kind = Operand::kVector;
      o.items = {ParseOperand(s.substr(0, bar)), ParseOperand(s.substr(bar + 1))};
      return o;
    }
    int reg = FindRegister(s);
    if (reg >= 0) {
      o.kind = Operand::kRegister;
      o.reg = reg;
      return o;
    }
    if (s == "WARP_SZ") {
      o.imm = kWarpSize;
      return o;
    }
    if (s[0] == '%') {
      static const char* kNames[] = {
#define X(id, name) name,
          PTXSIM_SPECIAL_REGISTERS(X)
#undef X
      };
      for (size_t i = 0; i < sizeof kNames / sizeof *kNames; ++i) {
        if (s != kNames[i]) continue;
        o.kind = Operand::kSpecial;
        o.reg = i;
        return o;
      }
      Error("unknown register " + s);
    }
    if (isdigit(static_cast<uint8_t>(s[0])) || s[0] == '-') {
      o.imm = ParseNumber(s);
      return o;
    }
    o = ParseAddress(s);
    o.kind = Operand::kSymbol;
    return o;
  }

  // "%rd1+16", "name+4", "1024"
  Operand ParseAddress(const string& s) {
    Operand o;
    o.kind = Operand::kAddress;
    size_t plus = s.find('+');
    string name = Trim(s.substr(0, plus));
    uint64_t offset = plus == string::npos ? 0 : ParseNumber(Trim(s.substr(plus + 1)));
    int reg = FindRegister(name);
    if (reg >= 0) {
      o.reg = reg;
      o.imm = offset;
      return o;
    }
    if (isdigit(static_cast<uint8_t>(name[0]))) {
      o.imm = ParseNumber(name) + offset;
      return o;
    }
    Symbol* symbol = FindSymbol(name);
    if (!symbol) {  // a function, perhaps defined later: resolved by Link()
      function_names_.push_back(name);
      o.imm = kTagFunction | (function_names_.size() - 1);
      return o;
    }
    o.space = symbol->space;
    bool is_dynamic = symbol->space == kShared && symbol->address == kExternShared;
    o.imm = (is_dynamic ? kDynamicShared : symbol->address) + offset;
    return o;
  }

  // --- instructions -----------------------------------------------------------------------

  // Returns false for a modifier that isn't known: the instruction is then unsupported.
  static bool ParseModifier(const string& word, Instruction* in) {
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

  void ParseInstruction(const string& statement, int ptx_line) {
    static uint32_t next_id = 0;
    Instruction in;
    in.id = next_id++;
    in.ptx_line = ptx_line;
    in.file = file_;
    in.source_line = source_line_;
    in.text = Trim(statement);
    string s = in.text;
    if (s[0] == '@') {
      size_t end = s.find_first_of(" \t");
      string name = s.substr(1, end - 1);
      if (name[0] == '!') {
        in.predicate_negated = true;
        name = name.substr(1);
      }
      in.predicate = FindRegister(name);
      if (in.predicate < 0) Error("predicate " + name);
      s = Trim(s.substr(end));
    }
    size_t end = s.find_first_of(" \t\n");
    string rest = end == string::npos ? "" : Trim(s.substr(end));
    vector<string> words = SplitDots(s.substr(0, end));

    auto opcode = kOpcodes.find(words[0]);
    bool known = opcode != kOpcodes.end() && opcode->second != Opcode::kBrx;
    if (known) in.op = opcode->second;
    for (size_t i = 1; known && i < words.size(); ++i) known = ParseModifier(words[i], &in);
    if (!known) {
      in.op = Opcode::kUnsupported;
      function_->code.push_back(in);
      return;
    }

    if (in.op == Opcode::kBra) {
      branches_.push_back({static_cast<int>(function_->code.size()), rest});
    } else if (in.op == Opcode::kCall) {
      ParseCall(rest, &in);
    } else {
      for (const string& item : SplitList(rest)) in.args.push_back(ParseOperand(item));
    }
    in.group = GroupOf(in);
    function_->code.push_back(in);
  }

  // "(results), name, (arguments), prototype"; name may be a register.
  void ParseCall(const string& rest, Instruction* in) {
    vector<string> parts = SplitList(rest);
    auto collect = [&](const string& list, vector<int>* places) {
      if (list[0] != '(') return;
      for (const string& name : SplitList(list.substr(1, list.size() - 2))) {
        Symbol* symbol = FindSymbol(name);
        if (!symbol) Error("call argument " + name);
        places->push_back(symbol->address);
        places->push_back(symbol->size);
      }
    };
    size_t k = 0;
    if (parts[0][0] == '(') collect(parts[k++], &in->call_results);
    string name = parts[k++];
    int reg = FindRegister(name);
    if (reg >= 0) {
      Operand o;
      o.kind = Operand::kRegister;
      o.reg = reg;
      in->args.push_back(o);
    } else {
      function_names_.push_back(name);
      in->callee = function_names_.size() - 1;
    }
    if (k < parts.size()) collect(parts[k], &in->call_args);
  }

  // --- functions --------------------------------------------------------------------------

  void ParseBody() {
    int depth = 0;
    file_ = source_line_ = 0;
    labels_.clear();
    branches_.clear();
    for (;;) {
      SkipSpace();
      int line = line_;
      char c = Here();
      if (!c) Error("function without end");
      if (c == '{') {
        ++pos_;
        ++depth;
        PushScope();
      } else if (c == '}') {
        ++pos_;
        PopScope();
        if (!--depth) break;
      } else if (c == ';') {
        ++pos_;
      } else if (c == '.') {
        ParseDirective();
      } else if (!ParseLabel()) {
        ParseInstruction(NextStatement(), line);
      }
    }
    Instruction ret;
    ret.op = Opcode::kRet;
    ret.text = "ret (end of body)";
    function_->code.push_back(ret);
    for (const auto& branch : branches_) {
      auto label = labels_.find(branch.second);
      if (label == labels_.end()) Error("label " + branch.second);
      function_->code[branch.first].target = label->second;
    }
  }

  void ParseDirective() {
    string word = PeekWord();
    if (word == ".loc" || word == ".file") {
      if (word == ".loc") sscanf(text_.c_str() + pos_, " .loc %d %d", &file_, &source_line_);
      SkipLine();
      return;
    }
    string statement = NextStatement();
    if (word != ".pragma" && word != ".callprototype" && word != ".branchtargets") {
      ParseDeclaration(statement);
    }
  }

  bool ParseLabel() {
    size_t end = pos_;
    while (end < text_.size() && IsNameChar(text_[end])) ++end;
    size_t colon = end;
    while (colon < text_.size() && isspace(static_cast<uint8_t>(text_[colon]))) ++colon;
    if (colon + 1 >= text_.size() || text_[colon] != ':' || text_[colon + 1] == ':') return false;
    labels_[text_.substr(pos_, end - pos_)] = function_->code.size();
    pos_ = colon + 1;
    SkipSpace();
    if (text_.compare(pos_, 14, ".callprototype") == 0) NextStatement();
    return true;
  }

  void ParseParameters(vector<Parameter>* out) {
    size_t start = ++pos_;
    for (int depth = 1; depth;) {
      if (!Here()) Error("parameter list without end");
      if (Here() == '(') ++depth;
      if (Here() == ')') depth--;
      Advance();
    }
    string list = text_.substr(start, pos_ - 1 - start), clean;
    for (size_t i = 0; i < list.size(); ++i) {
      if (list.compare(i, 2, "//") == 0) {
        while (i < list.size() && list[i] != '\n') ++i;
      }
      if (i < list.size()) clean += list[i];
    }
    for (const string& item : SplitList(clean)) {
      Parameter parameter{};
      ParseDeclaration(item, &parameter);
      out->push_back(parameter);
    }
  }

  void ParseFunction(bool is_kernel) {
    std::unique_ptr<Function> function(new Function);
    function_ = function.get();
    function_->is_kernel = is_kernel;
    PushScope();
    SkipSpace();
    if (Here() == '(') ParseParameters(&function_->results);
    function_->name = NextWord();
    SkipSpace();
    if (Here() == '(') ParseParameters(&function_->params);
    for (;;) {
      SkipSpace();
      if (Here() == '{' || Here() == ';' || !Here()) break;
      if (NextWord() != ".maxntid") continue;
      function_->max_threads = std::stoi(NextWord());
      while (PeekWord() == ",") {
        NextWord();
        function_->max_threads *= std::stoi(NextWord());
      }
    }
    bool has_body = Here() == '{';
    if (has_body) {
      ParseBody();
    } else {
      ++pos_;
    }
    symbol_scopes_.clear();
    register_scopes_.clear();
    function_ = nullptr;

    // A declaration and its definition share one index.
    auto known = module_.function_index.find(function->name);
    if (known == module_.function_index.end()) {
      module_.function_index[function->name] = module_.functions.size();
      module_.functions.push_back(std::move(function));
    } else if (has_body) {
      module_.functions[known->second] = std::move(function);
    }
  }

  void ParseTopLevel() {
    string word = PeekWord();
    if (word == ".version" || word == ".address_size") {
      NextWord();
      NextWord();
    } else if (word == ".target") {
      sscanf(text_.c_str() + pos_, " .target sm_%d", &module_.target);
      SkipLine();
    } else if (word == ".file" || word == ".loc") {
      int number;
      char name[1000];
      if (sscanf(text_.c_str() + pos_, " .file %d \"%999[^\"]", &number, name) == 2) {
        module_.files[number] = name;
      }
      SkipLine();
    } else if (word == ".section") {  // debug sections
      while (Here() && Here() != '{') Advance();
      int depth = 0;
      do {
        if (!Here()) Error("section without end");
        if (Here() == '{') ++depth;
        if (Here() == '}') depth--;
        Advance();
      } while (depth);
    } else if (word == ".pragma") {
      NextStatement();
    } else if (word == ".visible" || word == ".weak" || word == ".extern" || word == ".common" ||
               word == ".entry" || word == ".func" || word == ".global" || word == ".const" ||
               word == ".shared") {
      ParseDefinition();
    } else if (word == ";") {
      NextWord();
    } else if (!Here()) {
      ++pos_;
    } else {
      Error("unexpected '" + word + "'");
    }
  }

  void ParseDefinition() {
    size_t pos = pos_;
    int line = line_;
    string word;
    do {
      word = NextWord();
    } while (word == ".visible" || word == ".weak" || word == ".extern" || word == ".common");
    if (word == ".entry") return ParseFunction(true);
    if (word == ".func") {
      if (PeekWord() == ".noreturn") NextWord();
      return ParseFunction(false);
    }
    pos_ = pos;
    line_ = line;
    string statement = NextStatement();
    for (const char* linkage : {".visible", ".weak", ".common"}) {
      size_t at = statement.find(linkage);
      if (at != string::npos) statement.erase(at, std::strlen(linkage));
    }
    ParseDeclaration(statement);
  }

  // --- after the last line ----------------------------------------------------------------

  int FunctionIndex(uint64_t name_index, const Instruction& in) {
    const string& name = function_names_[name_index];
    auto it = module_.function_index.find(name);
    if (it == module_.function_index.end()) {
      Fatal("unknown symbol %s in: %s", name.c_str(), in.text.c_str());
    }
    return it->second;
  }

  void LinkOperand(Operand* o, const Instruction& in) {
    for (Operand& item : o->items) LinkOperand(&item, in);
    if (o->kind != Operand::kSymbol && o->kind != Operand::kAddress) return;
    if ((o->imm & kTagMask) == kTagFunction && o->reg < 0) {
      o->imm = kTagFunction | FunctionIndex(o->imm & ~kTagMask, in);
    }
    if (o->space != kShared || o->imm < kFunctionShared) return;
    uint64_t offset = o->imm & kSharedOffsetMask;
    o->imm = o->imm >= kDynamicShared ? offset | kDynamicShared : offset + module_.shared_size;
  }

  void Link() {
    for (auto& function : module_.functions) {
      for (Instruction& in : function->code) {
        if (in.op == Opcode::kCall && in.callee >= 0) in.callee = FunctionIndex(in.callee, in);
        for (Operand& o : in.args) LinkOperand(&o, in);
      }
    }
  }

  Module& module_;
  const string text_;
  size_t pos_ = 0;
  int line_ = 1;
  int file_ = 0, source_line_ = 0;  // of the last .loc
  vector<std::map<string, Symbol>> symbol_scopes_;
  vector<std::map<string, int>> register_scopes_;
  Function* function_ = nullptr;
  std::map<string, int> labels_;
  vector<std::pair<int, string>> branches_;  // instruction, label
  vector<string> function_names_;
};

}  // namespace

void ParsePtx(const string& text, Module* module) { Parser(text, module).Run(); }

}  // namespace ptxsim
