// Counts what a request touches: words of banks, sectors, lines.
#include "requests.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace ptxsim {
namespace {

constexpr uint32_t kBanks = 32, kBankBytes = 4;

}  // namespace

// Shared memory serves a request in groups of lanes that ask for 128 bytes at most; each group
// needs as many passes as different words are wanted from its busiest bank.
uint64_t CountPasses(const Request& request) {
  uint32_t group_lanes = std::max(1u, kWarpSize * 4 / std::max(4, request.width));
  std::map<uint32_t, std::map<uint32_t, std::set<uint64_t>>> words;  // group, bank
  for (const auto& lane : request.lanes) {
    for (int q = 0; q < std::max(1, request.width / 4); ++q) {
      uint64_t word = lane.second / kBankBytes + q;
      words[lane.first / group_lanes][word % kBanks].insert(word);
    }
  }
  uint64_t passes = 0;
  for (const auto& group : words) {
    size_t most = 1;
    for (const auto& bank : group.second) most = std::max(most, bank.second.size());
    passes += most;
  }
  return passes;
}

uint64_t CountPieces(const Request& request, int piece_bytes) {
  std::vector<uint64_t> pieces;
  for (const auto& lane : request.lanes) {
    uint64_t last = (lane.second + request.width - 1) / piece_bytes;
    for (uint64_t p = lane.second / piece_bytes; p <= last; ++p) pieces.push_back(p);
  }
  std::sort(pieces.begin(), pieces.end());
  return std::unique(pieces.begin(), pieces.end()) - pieces.begin();
}

}  // namespace ptxsim
