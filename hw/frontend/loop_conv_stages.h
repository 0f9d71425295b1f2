#pragma once
// The parts of the LOOP_CONV_WS unroller that generate commands (LoopConv.scala). A generator works through one loop at a time: start()
// takes its parameters, command() is the next command, advance() goes on to the one after it. Behind each is a two-stage pipeline.
#include <algorithm>
#include <cstdint>

#include "hw/frontend/front_end_params.h"
#include "hw/frontend/loop_conv_loop.h"
#include "hw/frontend/operand_format.h"
#include "isa/instruction.h"

namespace systole::hw {

struct GeneratedCommand {
  isa::Op op = isa::Op::kFlush;
  isa::Instruction instruction;
};

class ConvGenerator {
 public:
  explicit ConvGenerator(const FrontEndParams& params) : params_(params), format_(params), dim_(static_cast<std::uint32_t>(params.dim)) {}
  ConvGenerator(const ConvGenerator&) = delete;
  ConvGenerator& operator=(const ConvGenerator&) = delete;
  virtual ~ConvGenerator() = default;

  // `start_row`: first local row of what the generator loads, computes or stores, besides what the loop itself says.
  void start(unsigned slot, const LoopConvLoop& loop, std::uint32_t start_row) {
    slot_ = slot;
    loop_ = loop;
    start_row_ = start_row;
    active_ = true;
    restart();
  }
  [[nodiscard]] unsigned slot() const { return slot_; }
  [[nodiscard]] std::uint32_t sequence() const { return loop_.sequence; }
  [[nodiscard]] bool active() const { return active_; }
  void drop() { active_ = false; }
  // Nothing to do for this loop: inactive in the next cycle.
  [[nodiscard]] virtual bool skips() const = 0;
  // The current point produces no command; advance() without one.
  [[nodiscard]] virtual bool passes_over() const { return false; }
  [[nodiscard]] virtual GeneratedCommand command() const = 0;
  virtual void advance() = 0;

 protected:
  virtual void restart() = 0;
  // One operand's CONFIG_LD: scale 1, DRAM stride in bytes.
  [[nodiscard]] GeneratedCommand load_config(unsigned state, std::uint32_t block_stride, std::uint32_t pixel_repeats,
                                             std::uint64_t stride) const;
  [[nodiscard]] std::uint32_t row_shift() const { return loop_.downsample ? 1 : 0; }
  // Local row of an output pixel: one accumulator row per pixel and group of `dim` channels.
  [[nodiscard]] std::uint64_t output_row(std::uint32_t och, std::uint32_t b, std::uint32_t orow, std::uint32_t ocol) const;
  // Rows of the input image in the scratchpad, per batch (or per channel, trans_input_3120).
  [[nodiscard]] std::uint64_t image_rows() const {
    return std::uint64_t{loop_.irows >> row_shift()} * (loop_.icols >> row_shift());
  }

  const FrontEndParams params_;
  const OperandFormat format_;
  const std::uint32_t dim_;
  LoopConvLoop loop_;
  std::uint32_t start_row_ = 0;
  unsigned slot_ = 0;
  bool active_ = false;
};

// CONFIG_LD, then an mvin3 per (batch, output row, block of output columns, block of output channels).
class ConvLoadBias final : public ConvGenerator {
 public:
  using ConvGenerator::ConvGenerator;
  [[nodiscard]] bool skips() const override { return loop_.bias_dram == 0; }
  [[nodiscard]] GeneratedCommand command() const override;
  void advance() override;

 private:
  void restart() override;
  [[nodiscard]] std::uint32_t max_channels() const;
  bool config_ = true;
  std::uint32_t b_ = 0, orow_ = 0, ocol_ = 0, och_ = 0;
};

// CONFIG_LD, then an mvin per (batch, input row, run of input columns, block of input channels); padding is mvin of address 0.
class ConvLoadInput final : public ConvGenerator {
 public:
  using ConvGenerator::ConvGenerator;
  [[nodiscard]] bool skips() const override { return loop_.input_dram == 0; }
  [[nodiscard]] GeneratedCommand command() const override;
  void advance() override;

 private:
  void restart() override;
  [[nodiscard]] std::int64_t max_channels() const;
  [[nodiscard]] std::int64_t run_length() const;   // input columns of the next command
  bool config_ = true;
  std::int64_t b_ = 0, irow_ = 0, icol_ = 0, ich_ = 0;   // rows and columns count from -padding
};

// CONFIG_LD, then an mvin2 per (block of output channels, kernel row, kernel column, block of input channels).
class ConvLoadWeights final : public ConvGenerator {
 public:
  using ConvGenerator::ConvGenerator;
  [[nodiscard]] bool skips() const override { return loop_.weights_dram == 0; }
  [[nodiscard]] GeneratedCommand command() const override;
  void advance() override;

 private:
  void restart() override;
  [[nodiscard]] std::uint32_t max_channels() const;
  [[nodiscard]] std::uint64_t dram_row_stride() const;
  [[nodiscard]] std::uint64_t dram_position() const;
  bool config_ = true;
  std::uint32_t och_ = 0, krow_ = 0, kcol_ = 0, kch_ = 0;
};

// Preload and compute per point, output columns innermost; with trans_input_3120 a CONFIG_EX first. start_row is that of the input.
class ConvExecute final : public ConvGenerator {
 public:
  using ConvGenerator::ConvGenerator;
  void set_output_start(std::uint32_t row) { output_start_ = row; }
  void set_weights_end(std::uint32_t row) { weights_end_ = row; }
  [[nodiscard]] bool skips() const override { return false; }
  [[nodiscard]] bool passes_over() const override;
  [[nodiscard]] GeneratedCommand command() const override;
  void advance() override;

 private:
  enum class State : std::uint8_t { kConfig, kPreload, kCompute };
  void restart() override;
  [[nodiscard]] GeneratedCommand config() const;
  [[nodiscard]] std::uint64_t input_row() const;
  [[nodiscard]] std::uint64_t weights_row() const;
  [[nodiscard]] std::uint32_t output_pixels() const;
  State state_ = State::kPreload;
  std::uint32_t output_start_ = 0, weights_end_ = 0;
  std::uint32_t och_ = 0, krow_ = 0, kcol_ = 0, kch_ = 0, b_ = 0, orow_ = 0, ocol_ = 0;
  bool new_weights_ = true;
};

// Without pooling an mvout per (batch, output row, block of output columns, block of output channels). With pooling CONFIG_ST, an mvout
// per (batch, block of output channels), CONFIG_ST that switches pooling off.
class ConvStore final : public ConvGenerator {
 public:
  using ConvGenerator::ConvGenerator;
  [[nodiscard]] bool skips() const override { return loop_.output_dram == 0; }
  [[nodiscard]] GeneratedCommand command() const override;
  void advance() override;

 private:
  enum class State : std::uint8_t { kStore, kPoolConfig, kPool, kPoolEnd };
  void restart() override;
  [[nodiscard]] GeneratedCommand config(bool pooling) const;
  [[nodiscard]] GeneratedCommand pooled_store() const;
  State state_ = State::kStore;
  std::uint32_t b_ = 0, orow_ = 0, ocol_ = 0, och_ = 0;
};

// Pipeline(2) behind a generator: a stage holds its command only while the one in front of it is stuck (Pipeline.scala).
class CommandPipeline {
 public:
  [[nodiscard]] bool empty() const { return !full_[0] && !full_[1]; }
  [[nodiscard]] const GeneratedCommand* out() const { return full_[1] ? &commands_[1] : nullptr; }
  [[nodiscard]] bool can_push(bool pops) const { return !full_[0] || !full_[1] || pops; }
  // One cycle: `pops` the command in front leaves; `in` enters, if not null. True when anything moved.
  bool step(bool pops, const GeneratedCommand* in) {
    const bool moves = full_[0] && (!full_[1] || pops);
    if (pops) full_[1] = false;
    if (moves) {
      commands_[1] = commands_[0];
      full_[1] = true;
      full_[0] = false;
    }
    if (in != nullptr) {
      commands_[0] = *in;
      full_[0] = true;
    }
    return moves || pops || in != nullptr;
  }

 private:
  bool full_[2] = {false, false};
  GeneratedCommand commands_[2];
};

}  // namespace systole::hw
