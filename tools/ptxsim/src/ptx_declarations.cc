// Parser: scopes and declarations.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "memory.h"
#include "parser.h"

namespace ptxsim {

using std::string;
using std::vector;

namespace {

// Bytes between two shared variables, so that an overrun of one is not a hit in the next.
constexpr int kSharedGap = 128;

}  // namespace

void Parser::PushScope() {
  symbol_scopes_.emplace_back();
  register_scopes_.emplace_back();
}

void Parser::PopScope() {
  symbol_scopes_.pop_back();
  register_scopes_.pop_back();
}

Symbol* Parser::FindSymbol(const string& name) {
  for (size_t i = symbol_scopes_.size(); i--;) {
    auto it = symbol_scopes_[i].find(name);
    if (it != symbol_scopes_[i].end()) return &it->second;
  }
  auto it = module_.symbols.find(name);
  return it == module_.symbols.end() ? nullptr : &it->second;
}

int Parser::FindRegister(const string& name) {
  for (size_t i = register_scopes_.size(); i--;) {
    auto it = register_scopes_[i].find(name);
    if (it != register_scopes_[i].end()) return it->second;
  }
  return -1;
}

// ".global .align 4 .b8 name[8] = {...}", or .shared/.local/.param/.const/.reg. With `out`, the
// declaration is a parameter and `out` takes its place.
void Parser::ParseDeclaration(const string& s, Parameter* out) {
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
Parser::Qualifiers Parser::ParseQualifiers(string* declaration) {
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
void Parser::Declare(const Qualifiers& q, const string& declarator, const string& init,
                     Parameter* out) {
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

int Parser::Reserve(int* used, int align, uint64_t bytes) {
  int at = (*used + align - 1) / align * align;
  *used = at + bytes;
  return at;
}

// "%r<12>" or "%x"
void Parser::DeclareRegisters(const string& name) {
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

void Parser::InitVariable(char* memory, Type type, string s) {
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

}  // namespace ptxsim
