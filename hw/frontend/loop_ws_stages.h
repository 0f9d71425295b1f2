#pragma once
// The parts of the LOOP_WS unroller that generate commands (LoopMatmul.scala). Each works through one loop at a time: start() takes its
// parameters, command() is the next command, advance() goes on to the one after it.
#include <algorithm>
#include <array>
#include <cstdint>

#include "hw/frontend/operand_format.h"
#include "isa/fields.h"
#include "sim/base/residual.h"

namespace systole::hw {

// Parameters of a loop as configured by the five configuration commands and LOOP_WS. Counts are in tiles, strides in elements.
struct LoopWsLoop {
  std::uint32_t max_i = 0, max_j = 0, max_k = 0;
  std::uint32_t pad_i = 0, pad_j = 0, pad_k = 0;   // elements that the last tile lacks, below dim
  std::uint64_t a_dram = 0, b_dram = 0, d_dram = 0, c_dram = 0;
  std::uint64_t a_stride = 0, b_stride = 0, d_stride = 0, c_stride = 0;
  bool a_transpose = false, b_transpose = false;
  std::uint32_t activation = 0;
  bool low_d = false, full_c = false, ex_accumulate = false;
  std::uint32_t a_spad_id = 0, b_spad_id = 0;
  std::uint32_t row_group = 0;                              // extension E4, of the first row of tiles
  std::uint32_t a_start = 0, b_end = 0, resadd_start = 0;   // local rows: properties of the slot, set at reset
  std::uint32_t sequence = 0;                               // of the LOOP_WS command
};

// Loads the tiles of one operand. The iterators are (minor, major), minor inside: (i, k) for A, (j, k) for B, (i, j) for D. One command
// covers up to `max_blocks` tiles along the columns.
class TileLoad {
 public:
  struct Request {
    std::uint8_t funct = 0;
    unsigned slot = 0;
    std::uint32_t sequence = 0;
    std::uint32_t max_minor = 0, max_major = 0;
    std::uint32_t pad_minor = 0, pad_major = 0;
    bool column_is_minor = false;        // the minor iterator runs along the columns of the stored matrix
    bool pad_rows = true;                // the last tile row may be short
    std::uint32_t max_blocks = 1;
    std::uint32_t element_bytes = 1;
    std::uint64_t dram = 0, stride = 0;
    std::uint64_t local_start = 0;       // row number
    bool to_accumulator = false, accumulate = false;
  };

  void start(const Request& request) {
    request_ = request;
    minor_ = major_ = 0;
    active_ = true;
  }
  [[nodiscard]] bool idle() const { return !active_; }
  [[nodiscard]] bool skips() const { return active_ && request_.dram == 0; }   // nothing to load: idle in the next cycle
  [[nodiscard]] bool wants() const { return active_ && request_.dram != 0; }
  void drop() { active_ = false; }
  [[nodiscard]] unsigned slot() const { return request_.slot; }
  [[nodiscard]] std::uint32_t sequence() const { return request_.sequence; }
  [[nodiscard]] std::uint32_t minor() const { return minor_; }
  [[nodiscard]] std::uint32_t major() const { return major_; }
  [[nodiscard]] isa::Instruction command(const OperandFormat& format, std::uint32_t dim) const;
  void advance();
  // The slot and the iterators of the last loop are looked at by the other stages.
  void residual(Residual& r) {
    r.rest(idle());
    r(request_.slot);
    r(minor_);
    r(major_);
  }

 private:
  Request request_;
  bool active_ = false;
  std::uint32_t minor_ = 0;
  std::uint32_t major_ = 0;
};

// Emits preload and compute for every (k, j, i), i innermost.
class LoopWsExecute {
 public:
  struct Request {
    unsigned slot = 0;
    LoopWsLoop loop;
    std::uint64_t a_start = 0, b_start = 0, c_start = 0;   // row numbers
    bool skip = false;                                     // residual addition: nothing to compute
  };

  void start(const Request& request) {
    request_ = request;
    i_ = j_ = k_ = 0;
    state_ = State::kPreload;
  }
  [[nodiscard]] bool idle() const { return state_ == State::kIdle; }
  [[nodiscard]] bool skips() const { return !idle() && request_.skip; }
  [[nodiscard]] bool wants() const { return !idle() && !request_.skip; }
  void drop() { state_ = State::kIdle; }
  [[nodiscard]] unsigned slot() const { return request_.slot; }
  [[nodiscard]] std::uint32_t sequence() const { return request_.loop.sequence; }
  [[nodiscard]] std::uint32_t i() const { return i_; }
  [[nodiscard]] std::uint32_t j() const { return j_; }
  [[nodiscard]] std::uint32_t k() const { return k_; }
  [[nodiscard]] isa::Op op() const;
  [[nodiscard]] std::uint64_t operations() const { return std::uint64_t{request_.loop.max_i} * request_.loop.max_j * request_.loop.max_k; }
  [[nodiscard]] bool brings_weights() const { return state_ == State::kPreload && i_ == 0; }
  // A round is a step of k: it does what the round before did, one tile further on in A and B.
  [[nodiscard]] std::uint32_t rounds() const { return request_.loop.max_k; }
  struct Banks {
    std::uint64_t bank_rows = 0;
    std::uint64_t rows = 0;          // of all banks
    std::uint32_t dim = 0;
    std::uint32_t operand_rows = 0;  // from the first to the last row of a tile
  };
  // From round `from` to round `to` the operands of every operation lie in the same banks of the scratchpad.
  [[nodiscard]] bool keeps_banks(std::uint32_t from, std::uint32_t to, const Banks& banks) const;
  [[nodiscard]] isa::Instruction command(const OperandFormat& format, std::uint32_t dim) const;
  void advance();
  // The loop of a slot is visited by who holds the slots.
  void residual(Residual& r, const std::array<LoopWsLoop, 2>& loops) {
    r(request_.slot);
    r(state_);
    r(i_);
    r(j_);
    r.round(k_);
    if (idle()) return;
    for (std::uint64_t* start : {&request_.a_start, &request_.b_start, &request_.c_start}) r(*start);
    r(request_.skip);
    if (r.loads()) request_.loop = loops[request_.slot];
  }

 private:
  enum class State : std::uint8_t { kIdle, kPreload, kCompute };
  [[nodiscard]] std::uint64_t a_tile(std::uint32_t i, std::uint32_t k) const {
    return request_.loop.a_transpose ? std::uint64_t{k} * request_.loop.max_i + i : std::uint64_t{i} * request_.loop.max_k + k;
  }
  [[nodiscard]] std::uint64_t b_tile(std::uint32_t k, std::uint32_t j) const {
    return request_.loop.b_transpose ? std::uint64_t{j} * request_.loop.max_k + k : std::uint64_t{k} * request_.loop.max_j + j;
  }

  Request request_;
  State state_ = State::kIdle;
  std::uint32_t i_ = 0, j_ = 0, k_ = 0;
};

// Emits the mvouts. Plain: for every (j, i), i innermost. LAYERNORM and SOFTMAX: row by row, three passes over a row's blocks, two rows
// (statistics ids) alternating, each pass announced by a CONFIG_NORM.
class LoopWsStore {
 public:
  struct Request {
    unsigned slot = 0;
    LoopWsLoop loop;
    std::uint32_t max_k = 0;
    std::uint32_t max_blocks = 1;
    std::uint64_t c_start = 0;   // row number
    bool is_resadd = false;
  };

  void start(const Request& request);
  [[nodiscard]] bool idle() const { return state_ == State::kIdle; }
  [[nodiscard]] bool skips() const { return !idle() && request_.loop.c_dram == 0; }
  [[nodiscard]] bool wants() const { return !idle() && request_.loop.c_dram != 0; }
  void drop() { state_ = State::kIdle; }
  [[nodiscard]] unsigned slot() const { return request_.slot; }
  [[nodiscard]] std::uint32_t sequence() const { return request_.loop.sequence; }
  // The results of the next command have been computed when the producer's next point is (k, j, i) (LoopMatmul.scala, ex_ahead).
  [[nodiscard]] bool behind(std::uint32_t k, std::uint32_t j, std::uint32_t i) const;
  [[nodiscard]] isa::Op op() const { return state_ == State::kNormConfig ? isa::Op::kConfigNorm : isa::Op::kMvout; }
  [[nodiscard]] isa::Instruction command(const OperandFormat& format, std::uint32_t dim) const;
  void advance(std::uint32_t dim);
  void residual(Residual& r, const std::array<LoopWsLoop, 2>& loops) {
    r(request_.slot);
    r(state_);
    if (idle()) return;
    for (std::uint32_t* field : {&request_.max_k, &request_.max_blocks, &j_, &i_, &row_, &pass_, &stats_id_}) r(*field);
    r(request_.c_start);
    r(request_.is_resadd);
    if (r.loads()) request_.loop = loops[request_.slot];
  }

 private:
  enum class State : std::uint8_t { kIdle, kStore, kNormConfig, kNormStore };
  [[nodiscard]] bool normalises() const;
  [[nodiscard]] std::uint32_t blocks() const { return std::min(request_.max_blocks, request_.loop.max_j - j_); }
  [[nodiscard]] std::uint32_t rows(std::uint32_t dim) const;
  [[nodiscard]] std::uint32_t cols(std::uint32_t dim) const;
  [[nodiscard]] isa::Instruction norm_config() const;
  [[nodiscard]] isa::Instruction norm_store(const OperandFormat& format, std::uint32_t dim) const;
  void advance_norm(std::uint32_t dim);

  Request request_;
  State state_ = State::kIdle;
  std::uint32_t j_ = 0, i_ = 0;
  std::uint32_t row_ = 0, pass_ = 0, stats_id_ = 0;   // normalising stores only
};

}  // namespace systole::hw
