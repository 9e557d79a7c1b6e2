// Parser: operands and instructions.
#include "opcodes.h"
#include "parser.h"

namespace ptxsim {

using std::string;
using std::vector;

Operand Parser::ParseOperand(string s) {
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
Operand Parser::ParseAddress(const string& s) {
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

void Parser::ParseInstruction(const string& statement, int ptx_line) {
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
  if (!ParseOpcode(s.substr(0, end), &in)) {
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
void Parser::ParseCall(const string& rest, Instruction* in) {
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

}  // namespace ptxsim
