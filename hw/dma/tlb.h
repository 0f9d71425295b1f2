#pragma once
// Address translation of the DMA with virtual memory off: addresses are physical and every look-up hits, but look-ups take time
// (FrontendTLB.scala). Each client remembers its last page; a request for another page goes to the shared TLB in the next cycle, and when both
// clients go there in the same cycle one of them is told "miss" and has to ask again.
#include <array>
#include <cstdint>

#include "hw/ports/burst.h"
#include "sim/base/cycle.h"
#include "sim/base/residual.h"

namespace systole::hw {

class Tlb {
 public:
  // A client's request wires in this cycle. The page counts even when `valid` is false: a stalled beat looks at the answer all the same.
  void request(DmaClient client, Cycle now, bool valid, std::uint64_t address) {
    resolve(now);
    Client& c = clients_[index(client)];
    c.request = {now, valid, address >> kPageBits, c.valid && c.page == address >> kPageBits};
    c.repeats = false;
  }
  // The client asks for its own page in every cycle from now on, until its next request(): nobody else notices, and the answer is always there.
  void repeat_hits(DmaClient client) { clients_[index(client)].repeats = true; }
  // Would it hit in every cycle behind this one?
  [[nodiscard]] bool keeps(DmaClient client, Cycle now, std::uint64_t address) {
    return remembers(client, now, address) && (pending_from_ == kNever || pending_client_ != index(client));
  }
  // A request for this address in the next cycle, of a client that has none under way, will be translated at once.
  [[nodiscard]] bool remembers(DmaClient client, Cycle now, std::uint64_t address) {
    resolve(now);
    const Client& c = clients_[index(client)];
    return c.valid && c.page == address >> kPageBits;
  }
  // The answer in this cycle to the request wires of the cycle before: translated, or to be asked again.
  [[nodiscard]] bool misses(DmaClient client, Cycle now) {
    resolve(now);
    const Client& c = clients_[index(client)];
    return c.answered != now && !c.last_hit;
  }

  static constexpr int kPageBits = 12;

  // Of clients that have nothing to translate.
  void residual(Residual& r) {
    if (!r.loads() && pending_from_ != kNever) remember();
    for (Client& c : clients_) {
      r(c.valid);
      r.named(Residual::Name::kPage, c.page);
      if (r.loads()) c.request.cycle = c.answered = kNever;
    }
    r(last_grant_);
    if (r.loads()) pending_from_ = resolved_ = kNever;
  }

 private:
  // Input order of the TLB's arbiter: writer, reader (Scratchpad.scala io.tlb).
  static constexpr unsigned kClients = 2;
  static unsigned index(DmaClient client) { return client == DmaClient::kWriter ? 0 : 1; }

  struct Request {
    Cycle cycle = kNever;
    bool valid = false;
    std::uint64_t page = 0;
    bool hit = false;          // the client's own last page
  };
  struct Client {
    bool valid = false;        // a page is remembered
    std::uint64_t page = 0;
    Request request;
    bool last_hit = false;     // of the request in the cycle before the resolved one
    bool repeats = false;      // repeat_hits()
    Cycle answered = kNever;   // cycle in which the TLB answered this client
  };

  // The page of the last answer, remembered from the cycle behind it on.
  void remember() {
    clients_[pending_client_].valid = true;
    clients_[pending_client_].page = pending_page_;
    pending_from_ = kNever;
  }
  // Arbitration in cycle `now` among the requests of the cycle before: round robin, the other client first.
  void resolve(Cycle now) {
    if (resolved_ == now) return;
    resolved_ = now;
    if (pending_from_ != kNever) remember();
    unsigned winner = kClients;
    for (unsigned step = 1; step <= kClients; ++step) {
      const unsigned i = (last_grant_ + step) % kClients;
      const Request& request = clients_[i].request;
      if (winner == kClients && request.cycle + 1 == now && request.valid && !request.hit) winner = i;
    }
    for (Client& c : clients_) c.last_hit = c.repeats || (c.request.cycle + 1 == now && c.request.hit);
    if (winner == kClients) return;
    Client& c = clients_[winner];
    last_grant_ = winner;
    c.answered = now;
    pending_client_ = winner;
    pending_page_ = c.request.page;
    pending_from_ = now + 1;
  }

  std::array<Client, kClients> clients_;
  unsigned last_grant_ = 0;
  Cycle resolved_ = kNever;
  unsigned pending_client_ = 0;
  std::uint64_t pending_page_ = 0;
  Cycle pending_from_ = kNever;   // kNever: nothing to remember
};

}  // namespace systole::hw
