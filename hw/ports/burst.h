#pragma once
// Beats on the accelerator's TileLink port (channels A and D) and on the way between the DMA engines and the port.
#include <cstdint>

#include "hw/ports/value_ref.h"

namespace systole::hw {

// TileLink opcodes as they appear on the wires (TileLink specification 1.8, TL-UH).
enum class TlOpcodeA : std::uint8_t { kPutFull = 0, kPutPartial = 1, kGet = 4 };
enum class TlOpcodeD : std::uint8_t { kAck = 0, kData = 1 };

// Bus clients of the DMA (crossbar input order, Scratchpad.scala).
enum class DmaClient : std::uint8_t { kReader = 0, kWriter = 1 };

// One beat of a request. A Get has one beat; all beats of a Put carry the same address (beat i covers address + i * bus_bytes).
struct RequestBeat {
  std::uint64_t address = 0;
  std::uint64_t mask = 0;         // byte enables of this beat; 0 for Get
  TlOpcodeA opcode = TlOpcodeA::kGet;
  std::uint8_t lg_size = 0;       // log2 of the request's bytes
  DmaClient client = DmaClient::kReader;
  std::uint8_t beat = 0;          // number of this beat in its request
  bool last = true;
  std::uint16_t source = 0;       // transaction id of the client
  std::uint8_t useful_first = 0;  // first byte of the request that the program names, and their number; the rest of a Get is over-fetch
  std::uint8_t useful_bytes = 0;
  bool plain_rows = false;        // Get: all bytes are whole rows for the scratchpad that nobody scales or repeats (hw/ports/load_runs.h)
  ValueRef values;                // the request's bytes, from its address on; Get: where the memory puts them; Put: all of them, in every beat
  std::uint32_t sequence = 0;     // host command that caused it
};

struct ResponseBeat {
  TlOpcodeD opcode = TlOpcodeD::kData;
  std::uint8_t lg_size = 0;
  DmaClient client = DmaClient::kReader;
  std::uint8_t beat = 0;
  std::uint8_t run = 0;           // not 0: stands for so many beats, which are taken as they come (hw/ports/load_runs.h)
  std::uint8_t pitch = 1;         // cycles from one beat of a run to the next
  bool first = true;
  bool last = true;
  std::uint16_t source = 0;
};

}  // namespace systole::hw
