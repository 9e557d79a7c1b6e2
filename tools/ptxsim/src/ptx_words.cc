// The tables of words, and how text is cut.
#include "ptx_words.h"

#include <cstdlib>
#include <cstring>

namespace ptxsim {

using std::string;
using std::vector;

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

const std::map<string, int> kVectors = {{"v2", 2}, {"v4", 4}, {"v8", 8}};

string Trim(const string& s) {
  size_t a = s.find_first_not_of(" \t\r\n"), b = s.find_last_not_of(" \t\r\n");
  return a == string::npos ? "" : s.substr(a, b - a + 1);
}

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

uint64_t ParseNumber(const string& s) {
  if (s.size() > 2 && s[0] == '0' && std::strchr("fFdD", s[1])) {
    return std::strtoull(s.c_str() + 2, nullptr, 16);
  }
  if (s[0] == '-') return static_cast<uint64_t>(std::strtoll(s.c_str(), nullptr, 0));
  return std::strtoull(s.c_str(), nullptr, 0);
}

}  // namespace ptxsim
