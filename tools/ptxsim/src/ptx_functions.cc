// Parser: functions, kernels among them.
#include <cstdio>

#include "parser.h"

namespace ptxsim {

using std::string;
using std::vector;

void Parser::ParseBody() {
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

void Parser::ParseDirective() {
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

bool Parser::ParseLabel() {
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

void Parser::ParseParameters(vector<Parameter>* out) {
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

void Parser::ParseFunction(bool is_kernel) {
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

}  // namespace ptxsim
