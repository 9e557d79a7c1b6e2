// The words of PTX that declarations and instructions share, and how lists of them are cut.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_PTX_WORDS_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_PTX_WORDS_H_

#include <map>
#include <string>
#include <vector>

#include "ptx.h"

namespace ptxsim {

extern const std::map<std::string, Type> kTypes;
extern const std::map<std::string, Space> kSpaces;
extern const std::map<std::string, int> kVectors;

std::string Trim(const std::string& s);

// Splits at the commas that are outside every bracket.
std::vector<std::string> SplitList(const std::string& s);
std::vector<std::string> SplitDots(const std::string& s);

// Integers, and floats written as 0f3F800000 or 0d3FF0000000000000.
uint64_t ParseNumber(const std::string& s);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_PTX_WORDS_H_
