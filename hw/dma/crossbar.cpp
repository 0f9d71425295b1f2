#include "hw/dma/crossbar.h"

namespace systole::hw {

DmaCrossbar::DmaCrossbar(const sc_core::sc_module_name& name, Channel<RequestBeat>& in_reader, Channel<RequestBeat>& in_writer,
                         Channel<RequestBeat>& out_port, Channel<ResponseBeat>& in_port, Channel<ResponseBeat>& out_reader,
                         Channel<ResponseBeat>& out_writer)
    : Unit(name),
      in_reader_(in_reader),
      in_writer_(in_writer),
      out_port_(out_port),
      in_port_(in_port),
      out_reader_(out_reader),
      out_writer_(out_writer) {
  in_reader_.bind_reader(*this);
  in_writer_.bind_reader(*this);
  out_port_.bind_writer(*this);
  in_port_.bind_reader(*this);
  out_reader_.bind_writer(*this);
  out_writer_.bind_writer(*this);
}

void DmaCrossbar::evaluate(Cycle now) {
  route_requests(now);
  route_responses(now);
}

void DmaCrossbar::route_requests(Cycle now) {
  if (!out_port_.can_push(now)) return;
  const bool reader = in_reader_.front(now) != nullptr;
  const bool writer = in_writer_.front(now) != nullptr;
  if (!locked_) {
    if (!reader && !writer) return;
    // Round robin: the client that did not win the last time.
    const bool writer_wins = reader && writer ? last_winner_ == DmaClient::kReader : writer;
    owner_ = writer_wins ? DmaClient::kWriter : DmaClient::kReader;
    last_winner_ = owner_;
    locked_ = true;
  }
  Channel<RequestBeat>& in = owner_ == DmaClient::kReader ? in_reader_ : in_writer_;
  if (in.front(now) == nullptr) return;
  const RequestBeat beat = in.pop(now);
  locked_ = !beat.last;
  out_port_.push(now, beat);
  if (!in_reader_.empty() || !in_writer_.empty()) wake_at(now + 1);
}

void DmaCrossbar::route_responses(Cycle now) {
  const ResponseBeat* head = in_port_.front(now);
  if (head == nullptr) return;
  Channel<ResponseBeat>& out = head->client == DmaClient::kReader ? out_reader_ : out_writer_;
  if (!out.can_push(now)) return;
  out.push(now, in_port_.pop(now));
}

}  // namespace systole::hw
