// Where every load, store and atomic goes through: alignment, bounds, races, never written shared
// bytes and unfinished asynchronous copies.
#include <algorithm>
#include <cstring>

#include "machine.h"
#include "stats.h"

namespace ptxsim {
namespace {

constexpr uint32_t kSeveral = ~0u;       // more than one reader
constexpr uint32_t kAtomicWriter = ~0u;  // atomics do not race with each other

uint8_t g_scratch[64];  // what an access that was reported and survived reads and writes

// Two accesses of one epoch are ordered only within a warp, by a __syncwarp between them.
void CheckSharedRange(Thread& t, const Instruction* in, uint32_t offset, int bytes, bool store,
                      bool atomic) {
  Block& block = *t.block;
  for (int i = 0; i < bytes; ++i) {
    SharedByte& s = block.shared_state[offset + i];
    if (s.state == kOutside) {
      Report(t, in, "shared access at offset %u+%d outside every shared variable", offset, i);
      return;
    }
    if (s.state == kInFlight) {
      Report(t, in, "shared %s at offset %u before the cp.async to it was waited for",
             store ? "write" : "read", offset + i);
      return;
    }
    if (!store && s.state == kUnwritten) {
      Report(t, in, "shared read of never written byte at offset %u", offset + i);
      s.state = kWritten;
    }
    if (store) s.state = kWritten;
    if (!CurrentOptions().race_level || in->strong) continue;

    uint32_t me = t.index + 1;
    if (!atomic) {
      if (s.write_epoch == block.epoch && s.writer != me && s.writer != kAtomicWriter) {
        uint32_t writer = s.writer - 1;
        bool ordered =
            writer / kWarpSize == t.warp && s.writer_warp_epoch != block.threads[writer].warp_epoch;
        if (!ordered) {
          Report(t, in, "shared race at offset %u: %s after a write by thread %u without a barrier",
                 offset + i, store ? "write" : "read", writer);
          return;
        }
      }
      if (store && s.read_epoch == block.epoch && s.reader != me) {
        bool ordered = s.reader_warp == t.warp && s.reader_warp_epoch != t.warp_epoch;
        if (!ordered) {
          Report(t, in, "shared race at offset %u: write after a read by %s%u without a barrier",
                 offset + i, s.reader == kSeveral ? "several threads of warp " : "thread ",
                 s.reader == kSeveral ? s.reader_warp : s.reader - 1);
          return;
        }
      }
    }
    if (store) {
      s.write_epoch = block.epoch;
      s.writer = atomic ? kAtomicWriter : me;
      s.writer_warp_epoch = t.warp_epoch;
    } else {
      if (s.read_epoch == block.epoch && s.reader != me) {
        s.reader = kSeveral;
        if (s.reader_warp != t.warp) s.reader_warp = kSeveral;
      } else {
        s.reader = me;
        s.reader_warp = t.warp;
      }
      s.read_epoch = block.epoch;
      s.reader_warp_epoch = t.warp_epoch;
    }
  }
}

// The last accesses to one byte of global memory in this launch.
struct GlobalByte {
  uint32_t writer = 0, writer_block = 0, write_epoch = 0;
  uint32_t reader = 0, reader_block = 0, read_epoch = 0;
  bool written = false, read = false, read_by_several_blocks = false, atomic = false;
};
std::unordered_map<uint64_t, GlobalByte> g_global_bytes;

void CheckGlobalRange(Thread& t, const Instruction* in, uint64_t address, int bytes, bool store,
                      bool atomic) {
  if (in->strong) return;
  bool fenced = t.block->launch->fenced;
  uint32_t me = t.index, block = t.block->index, epoch = t.block->epoch;
  auto unordered_in_block = [&](uint32_t other, uint32_t other_epoch) {
    return other_epoch == epoch && other != me && other / kWarpSize != me / kWarpSize;
  };
  for (uint64_t a = address; a < address + bytes; ++a) {
    GlobalByte& g = g_global_bytes[a];
    if (atomic) {
      g.atomic = true;
      return;
    }
    if (g.atomic) continue;
    bool other_block_wrote = g.written && g.writer_block != block && !fenced;
    bool this_block_wrote =
        g.written && g.writer_block == block && unordered_in_block(g.writer, g.write_epoch);
    if (other_block_wrote || this_block_wrote) {
      Report(t, in, "global race: %s of 0x%llx after a write by block %u thread %u",
             store ? "write" : "read", static_cast<unsigned long long>(a), g.writer_block,
             g.writer);
      return;
    }
    bool other_block_read =
        g.read && (g.read_by_several_blocks || g.reader_block != block) && !fenced;
    bool this_block_read =
        g.read && g.reader_block == block && unordered_in_block(g.reader, g.read_epoch);
    if (store && (other_block_read || this_block_read)) {
      Report(t, in, "global race: write of 0x%llx after a read by block %u thread %u",
             static_cast<unsigned long long>(a), g.reader_block, g.reader);
      return;
    }
    if (store) {
      g.written = true;
      g.writer = me;
      g.writer_block = block;
      g.write_epoch = epoch;
    } else {
      if (g.read && g.reader_block != block) g.read_by_several_blocks = true;
      g.read = true;
      g.reader = me;
      g.reader_block = block;
      g.read_epoch = epoch;
    }
  }
}

Space SpaceOfGeneric(uint64_t address) {
  switch (address & kTagMask) {
    case 0:
      return kGlobal;
    case kTagShared:
      return kShared;
    case kTagLocal:
      return kLocal;
    case kTagParam:
      return kParam;
    default:
      return kGeneric;  // wild
  }
}

void LandAsyncCopy(Thread& t, const AsyncCopy& copy) {
  // The source is read now: memory that changed since the issue would show.
  uint8_t* to = &t.block->shared[copy.shared_offset];
  for (int i = 0; i < copy.total; ++i) {
    t.block->shared_state[copy.shared_offset + i].state = kUnwritten;
  }
  // Counted as a write of this moment, so others need a barrier after the wait.
  CheckSharedRange(t, copy.at, copy.shared_offset, copy.total, true, false);
  if (copy.bytes) std::memcpy(to, reinterpret_cast<const void*>(copy.source), copy.bytes);
  std::memset(to + copy.bytes, 0, copy.total - copy.bytes);
}

}  // namespace

void ResetGlobalRaces() { g_global_bytes.clear(); }

uint8_t* Resolve(Thread& t, const Instruction* in, Space space, uint64_t address, int bytes,
                 Access access) {
  bool store = access != Access::kLoad, atomic = access == Access::kAtomic;
  const char* what = store ? "store" : "load";
  auto shown = static_cast<unsigned long long>(address);
  if (space == kGeneric) {
    space = SpaceOfGeneric(address);
    if (space == kGeneric) {
      Report(t, in, "wild generic address 0x%llx", shown);
      return g_scratch;
    }
    address &= ~kTagMask;
  }
  if (address % bytes) {
    Report(t, in, "MISALIGNED %s of %d bytes at 0x%llx", what, bytes, shown);
    return g_scratch;
  }
  switch (space) {
    case kGlobal:
    case kConst: {
      Allocation* allocation = FindAllocation(address, bytes);
      if (!allocation && CurrentOptions().host_memory && !NearAllocation(address)) {
        return reinterpret_cast<uint8_t*>(address);
      }
      if (!allocation) {
        Report(t, in, "OUT OF BOUNDS global %s of %d bytes at 0x%llx: %s", what, bytes, shown,
               DescribeNearest(address).c_str());
        return g_scratch;
      }
      if (StatsEnabled()) RecordAccess(t, in, allocation, address, bytes, access);
      if (CurrentOptions().race_level > 1) CheckGlobalRange(t, in, address, bytes, store, atomic);
      return reinterpret_cast<uint8_t*>(address);
    }
    case kShared: {
      address &= 0xffffffff;
      size_t size = t.block->shared.size();
      if (address + bytes > size) {
        Report(t, in, "OUT OF BOUNDS shared %s of %d bytes at offset %llu of %zu", what, bytes,
               static_cast<unsigned long long>(address), size);
        return g_scratch;
      }
      if (StatsEnabled()) RecordAccess(t, in, nullptr, address, bytes, access);
      CheckSharedRange(t, in, address, bytes, store, atomic);
      return &t.block->shared[address];
    }
    default: {
      size_t frame = (address >> 32) & 0xfffff, offset = address & 0xffffffff;
      if (frame >= t.frames.size()) {
        Report(t, in, "dangling local address");
        return g_scratch;
      }
      auto& memory = space == kLocal ? t.frames[frame]->locals : t.frames[frame]->params;
      if (offset + bytes > memory.size()) {
        Report(t, in, "OUT OF BOUNDS %s access at %zu of %zu", space == kLocal ? "local" : "param",
               offset, memory.size());
        return g_scratch;
      }
      return &memory[offset];
    }
  }
}

void IssueAsyncCopy(Thread& t, const Instruction* in, uint64_t destination, uint64_t source,
                    int bytes, int total) {
  uint8_t* to = Resolve(t, in, kShared, destination, total, Access::kStore);
  uint8_t* from = nullptr;
  if (bytes) from = Resolve(t, in, kGlobal, source, bytes == total ? total : 1, Access::kLoad);
  if (to == g_scratch || from == g_scratch) return;
  if (bytes && bytes != total && !FindAllocation(source, bytes)) {
    Report(t, in, "OUT OF BOUNDS global load of %d bytes at 0x%llx: %s", bytes,
           static_cast<unsigned long long>(source), DescribeNearest(source).c_str());
    return;
  }
  if (!CurrentOptions().late_async) {
    if (bytes) std::memcpy(to, from, bytes);
    std::memset(to + bytes, 0, total - bytes);
    return;
  }
  uint32_t offset = to - t.block->shared.data();
  std::memset(to, 0xFF, total);
  for (int i = 0; i < total; ++i) t.block->shared_state[offset + i].state = kInFlight;
  t.async_open.push_back({offset, reinterpret_cast<uint64_t>(from), bytes, total, in});
}

void CommitAsyncGroup(Thread& t) {
  t.async_groups.push_back(std::move(t.async_open));
  t.async_open.clear();
}

void WaitAsyncGroups(Thread& t, size_t may_remain) {
  while (t.async_groups.size() > may_remain) {
    for (const AsyncCopy& copy : t.async_groups.front()) LandAsyncCopy(t, copy);
    t.async_groups.erase(t.async_groups.begin());
  }
}

}  // namespace ptxsim
