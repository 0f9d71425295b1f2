#pragma once
// Turns the steps of a plan into commands.
#include <cstdint>
#include <vector>

#include "isa/instruction.h"
#include "isa/trace.h"
#include "tests/support/hazard_tracker.h"
#include "tests/support/program_generator.h"
#include "tests/support/random.h"

namespace systole::test {

class ProgramEmitter {
 public:
  explicit ProgramEmitter(const ProgramPlan& plan);

  void step(const Step& step);
  [[nodiscard]] isa::Trace finish();

 private:
  // A local tile with known content.
  struct Tile {
    isa::LocalAddress local;
    std::uint32_t rows = 0;
    std::uint32_t cols = 0;
  };
  // config_ex as last emitted.
  struct ExecuteConfig {
    bool weight_stationary = true, a_transpose = false, b_transpose = false, relu = false;
    std::uint32_t shift = 0, a_stride = 1, c_stride = 1;
    [[nodiscard]] bool operator==(const ExecuteConfig& other) const;
  };
  struct MatmulLoop;

  // Steps (program_emitter.cpp: discrete commands, program_emitter_loops.cpp: loops).
  void move(Random& random);
  void weight_stationary(Random& random);
  void output_stationary(Random& random);
  void pool(Random& random);
  void normalise(Random& random);
  void loop(Random& random);
  void loop_split(Random& random);
  void loop_normalise(Random& random);
  void residual(Random& random);
  void convolution(Random& random);

  void emit(const isa::Instruction& instruction) { trace_.program.command(instruction); }
  void fence();
  // Discrete commands behind a loop: usually a fence; else they keep to the halves that no loop uses.
  void begin_discrete(Random& random);

  // Choices
  [[nodiscard]] isa::LocalAddress pick_rows(Random& random, bool accumulator, std::uint32_t span);
  // Rows for a result that none of `operands` overlaps: results leave the array while the last operand rows may still
  // be read.
  [[nodiscard]] isa::LocalAddress pick_result(Random& random, bool accumulator, std::uint32_t span,
                                              const std::vector<Rows>& operands);
  [[nodiscard]] std::uint64_t pick_input(Random& random, std::uint64_t bytes, bool words);
  [[nodiscard]] std::uint64_t new_output(Random& random, std::uint64_t bytes);
  [[nodiscard]] std::uint32_t pick_size(Random& random, std::uint32_t max) const;  // often max or 1
  [[nodiscard]] float pick_scale(Random& random) const;

  // Commands with their hazards
  struct LoadChoice {
    std::uint32_t state = 0;
    LoadPath path = LoadPath::kPlain;  // kScaled is made of kPlain or kShrunk by a scale other than 1
    bool accumulate = false;
    float scale = 1;
    std::uint32_t pixel_repeats = 1;
    std::uint64_t source = 0;  // 0: anywhere in the inputs
  };
  // Loads `rows` x `cols` (cols may span several tiles, `block_stride` rows apart).
  void load(Random& random, isa::LocalAddress local, std::uint32_t rows, std::uint32_t cols, std::uint32_t block_stride,
            const LoadChoice& choice);
  [[nodiscard]] Tile load_operand(Random& random, std::uint32_t rows, std::uint32_t cols);
  void configure_execute(const ExecuteConfig& config);
  void pair(const ExecuteConfig& config, bool flip, const Tile* d, std::uint32_t d_rows, std::uint32_t d_cols,
            const Tile* c, bool accumulate, const Tile& a, std::uint32_t a_rows, std::uint32_t a_cols, const Tile* b,
            std::uint32_t b_rows, std::uint32_t b_cols);
  void configure_store(Random& random, std::uint32_t stride, std::uint32_t activation, float scale);
  void store(Random& random, const Tile& tile, bool full, std::uint32_t activation);
  void configure_norm_constants(Random& random, bool softmax);
  void set_extension(isa::ExtensionRegister reg, std::uint32_t value);
  // Registers of the extensions that the machine has, set at random; fences as configure_norm_constants does.
  void configure_extensions(Random& random);

  // Loops
  void emit_loop(Random& random, const MatmulLoop& loop);
  [[nodiscard]] MatmulLoop pick_loop(Random& random, std::uint32_t max_j);

  ProgramPlan plan_;
  isa::Geometry geometry_;
  std::uint32_t dim_;
  HazardTracker tracker_;
  isa::Trace trace_;
  std::uint64_t next_output_;
  std::vector<Tile> known_;
  bool execute_configured_ = false;
  ExecuteConfig execute_;
  std::uint32_t loops_ = 0;  // LOOP_WS so far: the slot of the next one
  std::uint32_t convolutions_ = 0;
  std::uint32_t loop_half_ = 0;  // accumulator half of the next LOOP_WS
  bool scratchpad_half_busy_[2] = {false, false};
  bool accumulator_half_busy_[2] = {false, false};
};

}  // namespace systole::test
