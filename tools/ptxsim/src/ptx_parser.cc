// Parser: words, what stands outside of functions, and what is linked last.
#include "ptx_parser.h"

#include <cstdio>
#include <cstring>

#include "parser.h"

namespace ptxsim {

using std::string;
using std::vector;

void Parser::Run() {
  for (;;) {
    SkipSpace();
    if (pos_ >= text_.size()) break;
    ParseTopLevel();
  }
  Link();
}

void Parser::Error(const string& message) {
  Fatal("parse error at PTX line %d: %s", line_, message.c_str());
}

char Parser::Here() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }

void Parser::Advance() {
  if (text_[pos_] == '\n') ++line_;
  ++pos_;
}

void Parser::SkipLine() {
  while (pos_ < text_.size() && text_[pos_] != '\n') ++pos_;
}

void Parser::SkipSpace() {
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

bool Parser::IsNameChar(char c) {
  return isalnum(static_cast<uint8_t>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

string Parser::NextWord() {
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

string Parser::PeekWord() {
  size_t pos = pos_;
  int line = line_;
  string word = NextWord();
  pos_ = pos;
  line_ = line;
  return word;
}

// Up to the next semicolon outside quotes, which is consumed.
string Parser::NextStatement() {
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

void Parser::ParseTopLevel() {
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

void Parser::ParseDefinition() {
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

int Parser::FunctionIndex(uint64_t name_index, const Instruction& in) {
  const string& name = function_names_[name_index];
  auto it = module_.function_index.find(name);
  if (it == module_.function_index.end()) {
    Fatal("unknown symbol %s in: %s", name.c_str(), in.text.c_str());
  }
  return it->second;
}

void Parser::LinkOperand(Operand* o, const Instruction& in) {
  for (Operand& item : o->items) LinkOperand(&item, in);
  if (o->kind != Operand::kSymbol && o->kind != Operand::kAddress) return;
  if ((o->imm & kTagMask) == kTagFunction && o->reg < 0) {
    o->imm = kTagFunction | FunctionIndex(o->imm & ~kTagMask, in);
  }
  if (o->space != kShared || o->imm < kFunctionShared) return;
  uint64_t offset = o->imm & kSharedOffsetMask;
  o->imm = o->imm >= kDynamicShared ? offset | kDynamicShared : offset + module_.shared_size;
}

void Parser::Link() {
  for (auto& function : module_.functions) {
    for (Instruction& in : function->code) {
      if (in.op == Opcode::kCall && in.callee >= 0) in.callee = FunctionIndex(in.callee, in);
      for (Operand& o : in.args) LinkOperand(&o, in);
    }
  }
}

void ParsePtx(const string& text, Module* module) { Parser(text, module).Run(); }

}  // namespace ptxsim
