#include "hw/memory/soc/outer_port.h"

namespace systole::hw::soc {

void OuterPort::choose(Cycle now) {
  moved_ = false;
  if (memory_.work_at() <= now) memory_.advance(now);
  const bool read = memory_.read_offered() <= now;
  write_seen_ = memory_.write_offered() <= now;
  chosen_ = Source::kNone;
  if (read_beats_left_ != 0) {
    if (read) chosen_ = Source::kRead;
  } else if (read && write_wait_ != 7) {
    chosen_ = Source::kRead;
  } else if (write_seen_) {
    chosen_ = Source::kWrite;
  } else if (released_.front(now) != nullptr) {
    chosen_ = Source::kReleased;
  } else if (permitted_.front(now) != nullptr) {
    chosen_ = Source::kPermission;
  }
  const bool new_grant = (chosen_ == Source::kRead && read_beats_left_ == 0) || chosen_ == Source::kPermission;
  if ((new_grant && free_grants_ == 0) || !refills_.can_push(now)) chosen_ = Source::kNone;
}

void OuterPort::request(Cycle now, Channel<ReleaseBeat>& releases) {
  const ReleaseBeat* release = releases.front(now);
  const Acquire* acquire = acquires_.front(now);
  const Cycle on_axi = now + 1;
  const bool write = release != nullptr && release->release.dirty && (write_beats_left_ != 0 || memory_.can_write());
  const bool read = !write && write_beats_left_ == 0 && acquire != nullptr && !acquire->permission_only && memory_.can_read();
  bool take_release = write;
  if (write) {
    const std::uint64_t address = geometry_.address_of(release->release.tag, release->release.set);
    if (release->beat == 0) {
      write_beats_left_ = geometry_.axi_beats;
      if (log_ != nullptr) log_->axi(on_axi, AxiBeat::kWriteAddress, address);
    }
    if (--write_beats_left_ == 0) {
      memory_.write(on_axi, release->release.mshr, address);
      ++outstanding_;
    }
  } else if (read) {
    if (log_ != nullptr) log_->axi(on_axi, AxiBeat::kReadAddress, acquire->address);
    memory_.read(on_axi, acquire->mshr, acquire->address);
    ++outstanding_;
    acquires_.drop(now, 1);
    moved_ = true;
    acquire = nullptr;
  }
  if (release != nullptr && !release->release.dirty && released_.can_push(now)) {
    released_.push(now, release->release.mshr);
    take_release = true;
  }
  if (take_release) {
    releases.drop(now, 1);
    moved_ = true;
  }
  if (acquire != nullptr && acquire->permission_only && permitted_.can_push(now)) {
    permitted_.push(now, acquire->mshr);
    acquires_.drop(now, 1);
    moved_ = true;
  }
  if (grant_acks_.front(now) != nullptr) {
    grant_acks_.drop(now, 1);
    ++free_grants_;
    moved_ = true;
  }
}

void OuterPort::deliver(Cycle now) {
  const bool write_taken = chosen_ == Source::kWrite;
  write_wait_ = write_seen_ && !write_taken ? (write_wait_ + 1) & 7 : 0;
  switch (chosen_) {
    case Source::kNone: return;
    case Source::kRead:
      if (read_beats_left_ == 0) {
        read_beats_left_ = geometry_.axi_beats;
        --free_grants_;
      }
      refills_.push(now, {Refill::Kind::kRead, memory_.read_id(), memory_.read_row_wait(), memory_.read_refresh_wait()});
      if (--read_beats_left_ == 0) --outstanding_;
      if (log_ != nullptr) log_->axi(now, AxiBeat::kRead, 0);
      memory_.take_read(now);
      break;
    case Source::kWrite:
      refills_.push(now, {Refill::Kind::kReleased, memory_.write_id(), 0, 0});
      --outstanding_;
      if (log_ != nullptr) log_->axi(now, AxiBeat::kWritten, 0);
      memory_.take_write();
      break;
    case Source::kReleased: refills_.push(now, {Refill::Kind::kReleased, released_.pop(now), 0, 0}); break;
    case Source::kPermission:
      --free_grants_;
      refills_.push(now, {Refill::Kind::kPermission, permitted_.pop(now), 0, 0});
      break;
  }
  moved_ = true;
}

}  // namespace systole::hw::soc
