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
  in_reader_.bind_reader(*this, &port_has_room_);
  in_writer_.bind_reader(*this, &port_has_room_);
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
  port_has_room_ = true;
  if (const RequestBeat* beat = next_request(now)) {
    locked_ = !beat->last;
    out_port_.push(now, *beat);
    port_has_room_ = out_port_.size() < out_port_.capacity();
    (void)(owner_ == DmaClient::kReader ? in_reader_ : in_writer_).pop(now);
  }
  // Of requests that came while there was no room nobody told us.
  if (port_has_room_ && (!in_reader_.empty() || !in_writer_.empty())) wake_at(now + 1);
}

// The beat that has the turn, or null.
const RequestBeat* DmaCrossbar::next_request(Cycle now) {
  const bool reader = in_reader_.front(now) != nullptr;
  const bool writer = in_writer_.front(now) != nullptr;
  if (!locked_) {
    if (!reader && !writer) return nullptr;
    // Round robin: the client that did not win the last time.
    const bool writer_wins = reader && writer ? last_winner_ == DmaClient::kReader : writer;
    owner_ = writer_wins ? DmaClient::kWriter : DmaClient::kReader;
    last_winner_ = owner_;
    locked_ = true;
  }
  return (owner_ == DmaClient::kReader ? in_reader_ : in_writer_).front(now);
}

void DmaCrossbar::route_responses(Cycle now) {
  const ResponseBeat* head = in_port_.front(now);
  if (head == nullptr) return;
  Channel<ResponseBeat>& out = head->client == DmaClient::kReader ? out_reader_ : out_writer_;
  if (!out.can_push(now)) return;
  out.push(now, in_port_.pop(now));
}

}  // namespace systole::hw
