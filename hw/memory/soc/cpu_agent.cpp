#include "hw/memory/soc/cpu_agent.h"

namespace systole::hw::soc {

RequestSlot CpuAgent::new_request(std::uint64_t address, bool write_back) {
  const RequestSlot slot = pool_.allocate();
  Request& request = pool_[slot];
  request.address = address;
  request.kind = write_back ? RequestKind::kPutFull : RequestKind::kGet;
  request.of_cpu = true;
  request.lg_size = 6;
  request.complete(geometry_);
  request.words.fill(static_cast<std::uint8_t>((1u << geometry_.bus_words) - 1));
  sending_ = slot;
  next_beat_ = 0;
  return slot;
}

void CpuAgent::step(Cycle now, bool room) {
  if (waiting_ == kNoRequest && sending_ == kNoRequest) {
    while (!accesses_.empty()) {
      const HostAccess& access = accesses_.front();
      if (!started_) next_line_ = access.address / kLineBytes * kLineBytes;
      started_ = true;
      if (access.bytes == 0 || next_line_ >= access.address + access.bytes) {
        done_ = done_ || access.last;
        started_ = false;
        accesses_.pop_front();
        continue;
      }
      CpuCache::Line* line = cache_.find(next_line_);
      if (line != nullptr && (!access.write || line->exclusive)) {
        line->dirty = line->dirty || access.write;
        ++counts_.hits;
        next_line_ += kLineBytes;
        continue;
      }
      if (line == nullptr) {
        CpuCache::Line& victim = cache_.victim(next_line_);
        const bool dirty = victim.address != CpuCache::kNone && victim.dirty;
        const std::uint64_t old = victim.address;
        victim = {};
        if (dirty) {   // the place is empty now: the next step fetches the line
          (void)new_request(old, true);
          ++counts_.write_backs;
          ++write_backs_under_way_;
          break;
        }
      }
      waiting_ = new_request(next_line_, false);
      asked_ = now;
      ++counts_.misses;
      break;
    }
  }
  if (sending_ == kNoRequest || !room) return;
  const Request& request = pool_[sending_];
  requests_.push({sending_, next_beat_});
  if (!request.is_put() || ++next_beat_ == request.data_beats) sending_ = kNoRequest;
}

void CpuAgent::answered(Cycle now, RequestSlot slot) {
  Request& request = pool_[slot];
  const bool last = request.is_put() || ++request.answer.beat == request.data_beats;
  if (!last) return;
  if (request.is_put()) {
    --write_backs_under_way_;
  } else {
    SYSTOLE_CHECK(slot == waiting_);
    CpuCache::Line* line = cache_.find(request.address);
    if (line == nullptr) line = &cache_.victim(request.address);
    *line = {request.address, true, false};
    counts_.wait += now + 1 - asked_;
    waiting_ = kNoRequest;
  }
  pool_.release(slot);
}

}  // namespace systole::hw::soc
