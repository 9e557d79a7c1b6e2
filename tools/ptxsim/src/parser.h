// The parser of one pass: it decodes instructions as far as an interpreter wants them, and then
// links what was named before it was defined. Its parts are in ptx_parser.cc (words, definitions,
// links), ptx_functions.cc, ptx_declarations.cc and ptx_instructions.cc.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_PARSER_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_PARSER_H_

#include <cctype>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ptx.h"
#include "ptx_words.h"

namespace ptxsim {

class Parser {
 public:
  Parser(const std::string& text, Module* module) : module_(*module), text_(text) {}

  void Run();

 private:
  // What a declaration says before its names.
  struct Qualifiers {
    Space space = kGlobal;
    Type type = kB8;
    int align = 0;  // 0: that of the type
    int vector_width = 1;
    bool is_register = false, is_extern = false;
  };

  // Characters and words.
  [[noreturn]] void Error(const std::string& message);
  char Here() const;
  void Advance();
  void SkipLine();
  void SkipSpace();
  static bool IsNameChar(char c);
  std::string NextWord();
  std::string PeekWord();
  std::string NextStatement();

  // Scopes.
  void PushScope();
  void PopScope();
  Symbol* FindSymbol(const std::string& name);
  int FindRegister(const std::string& name);

  // Declarations.
  void ParseDeclaration(const std::string& s, Parameter* out = nullptr);
  static Qualifiers ParseQualifiers(std::string* declaration);
  void Declare(const Qualifiers& q, const std::string& declarator, const std::string& init,
               Parameter* out);
  static int Reserve(int* used, int align, uint64_t bytes);
  void DeclareRegisters(const std::string& name);
  void InitVariable(char* memory, Type type, std::string s);

  // Operands.
  Operand ParseOperand(std::string s);
  Operand ParseAddress(const std::string& s);

  // Instructions.
  void ParseInstruction(const std::string& statement, int ptx_line);
  void ParseCall(const std::string& rest, Instruction* in);

  // Functions.
  void ParseBody();
  void ParseDirective();
  bool ParseLabel();
  void ParseParameters(std::vector<Parameter>* out);
  void ParseFunction(bool is_kernel);
  void ParseTopLevel();
  void ParseDefinition();

  // After the last line.
  int FunctionIndex(uint64_t name_index, const Instruction& in);
  void LinkOperand(Operand* o, const Instruction& in);
  void Link();

  Module& module_;
  const std::string text_;
  size_t pos_ = 0;
  int line_ = 1;
  int file_ = 0, source_line_ = 0;  // of the last .loc
  std::vector<std::map<std::string, Symbol>> symbol_scopes_;
  std::vector<std::map<std::string, int>> register_scopes_;
  Function* function_ = nullptr;
  std::map<std::string, int> labels_;
  std::vector<std::pair<int, std::string>> branches_;  // instruction, label
  std::vector<std::string> function_names_;
};

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_PARSER_H_
