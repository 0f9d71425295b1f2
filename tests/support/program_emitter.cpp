#include "tests/support/program_emitter.h"

#include <algorithm>
#include <cstring>

namespace systole::test {
namespace {

namespace fields = isa::fields;
using isa::Instruction;
using isa::LocalAddress;
using isa::Op;

// Main memory of all programs: read-only inputs (small and full-range bytes, small and full-range words), then outputs,
// each written once.
constexpr std::uint64_t kBytes = 0x80001000;
constexpr std::uint64_t kWords = 0x80041000;
constexpr std::uint64_t kAreaBytes = 0x20000;
constexpr std::uint64_t kOutputs = 0x80100000;
constexpr std::uint64_t kHalfArea = kAreaBytes / 2;
constexpr std::uint64_t kFloats = 0x80081000;  // IEEE singles 0.5..10: gains and biases
constexpr std::uint64_t kFloatBytes = 0x10000;
constexpr std::int64_t kHalf = 0x3F000000;
constexpr std::int64_t kTen = 0x41200000;

std::uint32_t bits_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

isa::Fill fill(std::uint64_t address, std::uint64_t bytes, int element_bytes, std::int64_t lo, std::int64_t hi,
               std::uint64_t seed) {
  isa::Fill result;
  result.address = address;
  result.bytes = bytes;
  result.element_bytes = element_bytes;
  result.lo = lo;
  result.hi = hi;
  result.seed = seed;
  return result;
}

LocalAddress in_accumulator(LocalAddress local, bool accumulate) {
  return LocalAddress(local.bits() | LocalAddress::kAccumulatorBit | (accumulate ? LocalAddress::kAccumulateBit : 0));
}

}  // namespace

bool ProgramEmitter::ExecuteConfig::operator==(const ExecuteConfig& other) const {
  return weight_stationary == other.weight_stationary && a_transpose == other.a_transpose &&
         b_transpose == other.b_transpose && relu == other.relu && shift == other.shift && a_stride == other.a_stride &&
         c_stride == other.c_stride;
}

ProgramEmitter::ProgramEmitter(const ProgramPlan& plan)
    : plan_(plan),
      geometry_(plan.geometry),
      dim_(static_cast<std::uint32_t>(plan.geometry.dim)),
      tracker_(plan.geometry),
      next_output_(kOutputs) {
  trace_.name = "seed " + std::to_string(plan.seed);
  trace_.machine = settings_of(geometry_);
  std::uint64_t bus = 16;
  for (const isa::MachineSetting& setting : plan.timing) {
    trace_.machine.push_back(setting);
    if (setting.key == "dma.bus_bytes") bus = std::stoul(setting.value);
  }
  trace_.memory = isa::TraceMemory{plan.latency, bus};
  trace_.loop_conv_encoding = geometry_.loop_conv_encoding;
  trace_.program.encoding = {geometry_.revision, geometry_.loop_conv_encoding};
  trace_.fills = {fill(kBytes, kHalfArea, 1, -8, 8, plan.seed + 1),
                  fill(kBytes + kHalfArea, kHalfArea, 4, -2147483648LL, 2147483647LL, plan.seed + 2),
                  fill(kWords, kHalfArea, 4, -20000, 20000, plan.seed + 3),
                  fill(kWords + kHalfArea, kHalfArea, 4, -2147483648LL, 2147483647LL, plan.seed + 4)};
  if (geometry_.extensions.layer_norm_affine)
    trace_.fills.push_back(fill(kFloats, kFloatBytes, 4, kHalf, kTen, plan.seed + 5));
}

isa::Trace ProgramEmitter::finish() {
  trace_.program.fence();
  trace_.checks.push_back({kOutputs, std::max<std::uint64_t>(next_output_ - kOutputs, 64), 0});
  return trace_;
}

void ProgramEmitter::step(const Step& step) {
  Random random(step.seed);
  switch (step.kind) {
    case StepKind::kMove:
      return move(random);
    case StepKind::kWeightStationary:
      return weight_stationary(random);
    case StepKind::kOutputStationary:
      return output_stationary(random);
    case StepKind::kPool:
      return pool(random);
    case StepKind::kNormalise:
      return normalise(random);
    case StepKind::kLoop:
      return loop(random);
    case StepKind::kLoopSplit:
      return loop_split(random);
    case StepKind::kLoopNormalise:
      return loop_normalise(random);
    case StepKind::kResidual:
      return residual(random);
    case StepKind::kConvolution:
      return convolution(random);
    case StepKind::kGap:
      return trace_.program.gap(random.count(1, 200));
    case StepKind::kFence:
      return fence();
    case StepKind::kFlush: {
      Instruction flush = isa::make(Op::kFlush);
      fields::Flush::skip.set(flush, random.count(0, 1));
      return emit(flush);
    }
  }
}

void ProgramEmitter::fence() {
  trace_.program.fence();
  tracker_.fence();
  for (int half = 0; half < 2; ++half) scratchpad_half_busy_[half] = accumulator_half_busy_[half] = false;
}

void ProgramEmitter::begin_discrete(Random& random) {
  const bool keep_running = random.chance(40);
  if (!tracker_.loops_running()) return;
  const bool free_half = !(scratchpad_half_busy_[0] && scratchpad_half_busy_[1]) &&
                         !(accumulator_half_busy_[0] && accumulator_half_busy_[1]);
  if (!keep_running || !free_half) fence();
}

LocalAddress ProgramEmitter::pick_rows(Random& random, bool accumulator, std::uint32_t span) {
  auto rows = static_cast<std::uint32_t>(accumulator ? geometry_.accumulator_rows() : geometry_.scratchpad_rows());
  std::uint32_t base = 0;
  const bool* busy = accumulator ? accumulator_half_busy_ : scratchpad_half_busy_;
  if (busy[0] || busy[1]) {
    rows /= 2;
    base = busy[0] ? rows : 0;
  }
  const std::uint32_t last = rows - span;
  std::uint32_t row = 0;
  const std::uint32_t tiles = std::min(last / dim_, 5u);
  switch (random.range(0, 4)) {
    case 0:  // anywhere
      row = random.count(0, last);
      break;
    case 1:  // at the end
      row = last - random.count(0, std::min(last, 3u));
      break;
    case 2:  // among few tiles, not aligned
      row = std::min(last, random.count(0, tiles * dim_ + dim_ / 2));
      break;
    default:  // among few tiles: collisions with other commands are likely
      row = random.count(0, tiles) * dim_;
      break;
  }
  return LocalAddress((accumulator ? LocalAddress::kAccumulatorBit : 0) | (base + row));
}

LocalAddress ProgramEmitter::pick_result(Random& random, bool accumulator, std::uint32_t span,
                                         const std::vector<Rows>& operands) {
  constexpr int kTries = 50;
  const int bits = geometry_.row_bits();
  for (int i = 0; i < kTries; ++i) {
    const LocalAddress local = pick_rows(random, accumulator, span);
    const bool clear = accumulator || std::none_of(operands.begin(), operands.end(), [&](const Rows& rows) {
                         const std::uint32_t first = rows.first.row(bits);
                         return rows.count > 0 && first < local.row(bits) + span &&
                                local.row(bits) < first + (rows.count - 1) * rows.stride + 1;
                       });
    if (clear) return local;
  }
  return pick_rows(random, true, span);
}

std::uint64_t ProgramEmitter::pick_input(Random& random, std::uint64_t bytes, bool words) {
  const std::uint64_t area = words ? kWords : kBytes;
  std::uint64_t offset = static_cast<std::uint64_t>(random.range(0, static_cast<std::int64_t>(kHalfArea - bytes)));
  if (random.chance(25)) offset += kHalfArea;  // full-range values
  if (random.chance(60)) offset &= ~std::uint64_t{63};
  return area + (words ? offset & ~std::uint64_t{3} : offset);
}

std::uint64_t ProgramEmitter::new_output(Random& random, std::uint64_t bytes) {
  constexpr std::uint64_t kAlign = 64;
  const std::uint64_t address = next_output_ + (random.chance(40) ? random.count(0, 63) : 0);
  next_output_ = (address + bytes + kAlign) & ~(kAlign - 1);
  return address;
}

std::uint32_t ProgramEmitter::pick_size(Random& random, std::uint32_t max) const {
  switch (random.range(0, 3)) {
    case 0:
      return random.count(1, max);
    case 1:
      return random.chance(30) ? 1 : max;
    default:
      return max;
  }
}

float ProgramEmitter::pick_scale(Random& random) const {
  return random.pick({1.0f, 0.5f, 0.0625f, 0.01f, 0.0034f, 1.7f, -0.25f, 0.00007f, 3.0e-8f});
}

// ---- loads

void ProgramEmitter::load(Random& random, LocalAddress local, std::uint32_t rows, std::uint32_t cols,
                          std::uint32_t block_stride, const LoadChoice& choice) {
  const bool full = choice.path == LoadPath::kFull;
  const std::uint32_t element = full ? 4 : 1;
  const LocalAddress target = local.is_accumulator() ? in_accumulator(local, choice.accumulate) : local;
  const std::uint32_t blocks = (cols + dim_ - 1) / dim_;
  std::uint64_t stride = random.chance(15) ? 0 : std::uint64_t{cols} * element + random.pick({0u, 0u, 1u, 16u, 37u});
  if (full) stride &= ~std::uint64_t{3};
  std::vector<Rows> touched;
  for (std::uint32_t block = 0; block < blocks; ++block)
    touched.push_back({target.plus(block * block_stride, geometry_.row_bits()), rows, 1});
  const bool scaled = choice.scale != 1.0f && choice.path != LoadPath::kZero;
  const LoadPath path = scaled ? LoadPath::kScaled : choice.path;
  const bool repeats = choice.pixel_repeats > 1;
  if (repeats && !tracker_.idle()) fence();  // the protected range of repeated pixels ends too early
  for (const Rows& range : touched) {
    if (tracker_.load_needs_fence(range, path)) {
      fence();
      break;
    }
  }
  Instruction config = isa::make(Op::kConfigLd);
  fields::ConfigLd::state.set(config, choice.state);
  fields::ConfigLd::shrink.set(config, choice.path == LoadPath::kShrunk ? 1 : 0);
  fields::ConfigLd::block_stride.set(config, block_stride);
  fields::ConfigLd::pixel_repeats.set(config, choice.pixel_repeats);
  fields::ConfigLd::scale.set(config, bits_of(choice.scale));
  fields::ConfigLd::stride.set(config, stride);
  emit(config);
  constexpr Op kLoads[] = {Op::kMvin, Op::kMvin2, Op::kMvin3};
  Instruction mvin = isa::make(kLoads[choice.state]);
  if (choice.path != LoadPath::kZero) {
    const std::uint64_t bytes = (rows - 1) * stride + std::uint64_t{cols} * element;
    fields::Mvin::dram.set(mvin, choice.source != 0 ? choice.source : pick_input(random, bytes, full));
  }
  fields::Mvin::local.set(mvin, target.bits());
  fields::Mvin::cols.set(mvin, cols);
  fields::Mvin::rows.set(mvin, rows);
  emit(mvin);
  for (const Rows& range : touched) tracker_.note_load(range, path);
  if (repeats) fence();
}

ProgramEmitter::Tile ProgramEmitter::load_operand(Random& random, std::uint32_t rows, std::uint32_t cols) {
  const LocalAddress local = pick_rows(random, false, rows);
  LoadChoice choice;
  choice.state = random.count(0, 2);
  if (random.chance(10)) {
    choice.scale = pick_scale(random);
  } else if (random.chance(6)) {
    choice.path = LoadPath::kZero;
  }
  for (std::uint32_t row = 0; row < rows; row += dim_) {
    load(random, local.plus(row, geometry_.row_bits()), std::min(dim_, rows - row), cols, dim_, choice);
  }
  return {local, rows, cols};
}

void ProgramEmitter::move(Random& random) {
  begin_discrete(random);
  const std::uint32_t loads = random.count(1, 4);
  for (std::uint32_t i = 0; i < loads; ++i) {
    const bool accumulator = random.chance(45);
    LoadChoice choice;
    choice.state = random.count(0, 2);
    choice.path = accumulator ? (random.chance(60) ? LoadPath::kFull : LoadPath::kShrunk) : LoadPath::kPlain;
    const bool scalable = choice.path != LoadPath::kFull || geometry_.extensions.mvin_acc_scale;
    if (scalable && random.chance(30)) choice.scale = pick_scale(random);
    if (choice.path != LoadPath::kShrunk && random.chance(12)) choice.path = LoadPath::kZero;
    const bool full = accumulator && choice.path != LoadPath::kShrunk;
    const std::uint32_t max_cols =
        static_cast<std::uint32_t>(full ? geometry_.max_blocks_full() : geometry_.max_blocks()) * dim_;
    const std::uint32_t rows = pick_size(random, dim_);
    const std::uint32_t cols = random.chance(50) ? pick_size(random, dim_) : pick_size(random, max_cols);
    const std::uint32_t blocks = (cols + dim_ - 1) / dim_;
    const std::uint32_t block_stride =
        blocks > 1 && random.chance(30) ? rows + random.count(0, dim_) : std::max(rows, dim_);
    if (choice.path == LoadPath::kPlain && choice.scale == 1.0f && cols <= dim_ && random.chance(5))
      choice.pixel_repeats = random.count(2, std::max(2u, dim_ / 4));
    const LocalAddress local = pick_rows(random, accumulator, rows + (blocks - 1) * block_stride);
    load(random, local, rows, cols, block_stride, choice);
    if (accumulator && random.chance(25)) {
      choice.accumulate = true;
      load(random, local, rows, cols, block_stride, choice);
    }
    if (choice.pixel_repeats > 1) continue;  // leaves rows of mixed origin
    for (std::uint32_t block = 0; block < blocks; ++block) {
      known_.push_back(
          {local.plus(block * block_stride, geometry_.row_bits()), rows, std::min(dim_, cols - block * dim_)});
    }
  }
  const std::uint32_t stores = random.count(1, 4);
  for (std::uint32_t i = 0; i < stores && !known_.empty(); ++i) {
    Tile tile = random.pick(known_);
    tile.rows = random.chance(70) ? tile.rows : random.count(1, tile.rows);
    const bool accumulator = tile.local.is_accumulator();
    store(random, tile, accumulator && random.chance(30),
          accumulator ? random.count(0, geometry_.normaliser ? 3 : 1) : 0);
  }
}

// ---- the array

void ProgramEmitter::configure_execute(const ExecuteConfig& config) {
  if (execute_configured_ && config == execute_) return;
  if (tracker_.config_execute_needs_fence()) fence();
  Instruction instruction = isa::make(Op::kConfigEx);
  namespace f = fields::ConfigEx;
  f::dataflow.set(instruction, config.weight_stationary ? 1 : 0);
  f::activation.set(instruction, config.relu ? 1 : 0);
  f::a_transpose.set(instruction, config.a_transpose ? 1 : 0);
  f::b_transpose.set(instruction, config.b_transpose ? 1 : 0);
  f::a_stride.set(instruction, config.a_stride);
  f::c_stride.set(instruction, config.c_stride);
  f::in_shift.set(instruction, config.shift);
  emit(instruction);
  execute_ = config;
  execute_configured_ = true;
}

// preload (d -> c) and compute (a, b); tiles that are absent are nullptr. Rows and columns are those of the operands as
// they are used.
void ProgramEmitter::pair(const ExecuteConfig& config, bool flip, const Tile* d, std::uint32_t d_rows,
                          std::uint32_t d_cols, const Tile* c, bool accumulate, const Tile& a, std::uint32_t a_rows,
                          std::uint32_t a_cols, const Tile* b, std::uint32_t b_rows, std::uint32_t b_cols) {
  const bool d_transposed = config.weight_stationary && config.b_transpose;
  const bool b_transposed = !config.weight_stationary && config.b_transpose;
  const std::uint32_t a_stored = config.a_transpose ? a_cols : a_rows;
  const std::uint32_t d_stored = d_transposed ? d_cols : d_rows;
  const std::uint32_t b_stored = b_transposed ? b_cols : b_rows;
  // The hardware protects as many rows of D and B as the instruction names, transposed or not.
  const bool unprotected = (d != nullptr && d_stored > d_rows) || (b != nullptr && b_stored > b_rows);
  Rows result;
  if (c != nullptr)
    result = {c->local.is_accumulator() ? in_accumulator(c->local, accumulate) : c->local, c->rows, config.c_stride};
  const bool wait = (unprotected && !tracker_.idle()) ||
                    tracker_.read_needs_fence({a.local, a_stored, config.a_stride}) ||
                    (d != nullptr && tracker_.read_needs_fence({d->local, d_stored, 1})) ||
                    (b != nullptr && tracker_.read_needs_fence({b->local, b_stored, 1})) ||
                    (c != nullptr && tracker_.result_needs_fence(result)) || (d_transposed && tracker_.transposed_weights_need_fence());
  if (wait) fence();
  Instruction preload = isa::make(Op::kPreload);
  {
    namespace f = fields::Preload;
    f::local.set(preload, d != nullptr ? d->local.bits() : LocalAddress::kGarbage);
    f::rows.set(preload, d_rows);
    f::cols.set(preload, d_cols);
    f::out_local.set(preload, c != nullptr ? result.first.bits() : LocalAddress::kGarbage);
    f::out_rows.set(preload, c != nullptr ? c->rows : a_rows);
    f::out_cols.set(preload, c != nullptr ? c->cols : b_cols);
  }
  emit(preload);
  Instruction compute = isa::make(flip ? Op::kComputeFlip : Op::kComputeStay);
  namespace f = fields::ComputeFlip;
  f::a_local.set(compute, a.local.bits());
  f::a_rows.set(compute, a_rows);
  f::a_cols.set(compute, a_cols);
  f::b_local.set(compute, b != nullptr ? b->local.bits() : LocalAddress::kGarbage);
  f::b_rows.set(compute, b_rows);
  f::b_cols.set(compute, b_cols);
  emit(compute);
  constexpr std::uint32_t kLongOperation = 16;
  tracker_.note_compute(result, unprotected, d != nullptr && dim_ >= kLongOperation);
}

void ProgramEmitter::weight_stationary(Random& random) {
  begin_discrete(random);
  ExecuteConfig config;
  config.relu = random.chance(30);
  const std::int64_t transpose = random.range(0, 5);  // there is one transposer: A or the weights
  config.a_transpose = transpose == 0;
  config.b_transpose = transpose == 1;
  config.a_stride = random.chance(15) ? random.count(2, 3) : 1;
  config.c_stride = random.chance(10) ? 2 : 1;
  const std::uint32_t pairs = random.count(1, 6);
  std::uint32_t depth = 0;
  std::uint32_t cols = 0;
  std::vector<Tile> results;
  std::vector<Tile> inputs;
  for (std::uint32_t i = 0; i < pairs; ++i) {
    const bool new_weights = i == 0 || random.chance(50);
    Tile weights;
    if (new_weights) {
      depth = pick_size(random, dim_);
      cols = pick_size(random, dim_);
      inputs.clear();
      weights = config.b_transpose ? load_operand(random, cols, depth) : load_operand(random, depth, cols);
    }
    const std::uint32_t rows = pick_size(random, dim_);
    const std::uint32_t a_rows = config.a_transpose ? depth : rows;
    const std::uint32_t a_span = (a_rows - 1) * config.a_stride + 1;
    Tile a;
    // An earlier result may serve as operand.
    const auto reusable = std::find_if(results.begin(), results.end(), [&](const Tile& tile) {
      return !tile.local.is_accumulator() && config.a_stride == 1 && config.c_stride == 1 && tile.rows >= a_rows &&
             tile.cols >= (config.a_transpose ? rows : depth);
    });
    if (reusable != results.end() && random.chance(60)) {
      a = *reusable;
    } else {
      a = load_operand(random, a_span, config.a_transpose ? rows : depth);
    }
    Tile bias;
    const bool has_bias = random.chance(30);
    if (has_bias) bias = load_operand(random, rows, cols);
    const bool to_accumulator = random.chance(65);
    // Adding needs known content below.
    const auto old = std::find_if(results.begin(), results.end(), [&](const Tile& tile) {
      return tile.local.is_accumulator() && tile.rows >= rows && tile.cols >= cols && rows >= 4;
    });
    const bool accumulate = to_accumulator && old != results.end() && random.chance(60);
    std::vector<Rows> operands = {{a.local, a_rows, config.a_stride}};
    if (has_bias) operands.push_back({bias.local, rows, 1});
    Tile result{pick_result(random, to_accumulator, (rows - 1) * config.c_stride + 1, operands), rows, cols};
    if (accumulate) result.local = old->local;
    const bool kept = random.chance(95);
    configure_execute(config);
    pair(config, new_weights, new_weights ? &weights : nullptr, depth, cols, kept ? &result : nullptr, accumulate, a,
         rows, depth, has_bias ? &bias : nullptr, rows, cols);
    if (kept) results.push_back(result);
  }
  for (const Tile& result : results) {
    if (config.c_stride == 1) known_.push_back(result);
    if (random.chance(25)) continue;
    const bool accumulator = result.local.is_accumulator();
    Tile part = result;
    if (config.c_stride != 1) part.rows = 1;
    store(random, part, accumulator && random.chance(30),
          accumulator ? random.count(0, geometry_.normaliser ? 3 : 1) : 0);
  }
}

void ProgramEmitter::output_stationary(Random& random) {
  begin_discrete(random);
  ExecuteConfig config;
  config.weight_stationary = false;
  config.relu = random.chance(30);
  config.a_transpose = random.chance(40);
  config.b_transpose = config.a_transpose && random.chance(50);  // otherwise A needs the transposer
  config.a_stride = random.chance(15) ? 2 : 1;
  config.shift = random.chance(50) ? 0 : random.count(1, 8);
  const std::uint32_t rows = pick_size(random, dim_);
  const std::uint32_t cols = pick_size(random, dim_);
  // Results of a chain stay in the array in between; a small array could be flushed too early.
  const std::uint32_t links = dim_ <= 4 ? 1 : random.count(1, 4);
  struct Link {
    Tile a, b;
    std::uint32_t depth;
  };
  std::vector<Link> chain;
  for (std::uint32_t i = 0; i < links; ++i) {
    Link link;
    link.depth = pick_size(random, dim_);
    const std::uint32_t a_rows = config.a_transpose ? link.depth : rows;
    link.a = load_operand(random, (a_rows - 1) * config.a_stride + 1, config.a_transpose ? rows : link.depth);
    link.b = config.b_transpose ? load_operand(random, cols, link.depth) : load_operand(random, link.depth, cols);
    chain.push_back(link);
  }
  Tile bias;
  const bool has_bias = random.chance(60);
  if (has_bias) bias = load_operand(random, rows, cols);
  const bool to_accumulator = random.chance(65);
  std::vector<Rows> operands;
  for (const Link& link : chain) {
    operands.push_back({link.a.local, link.a.rows, 1});
    operands.push_back({link.b.local, link.b.rows, 1});
  }
  Tile result{pick_result(random, to_accumulator, dim_, operands), rows, cols};
  configure_execute(config);
  if (!tracker_.idle()) fence();  // a chain must not wait for a load in its middle
  for (std::uint32_t i = 0; i < links; ++i) {
    const bool last = i + 1 == links;
    pair(config, i == 0, i == 0 && has_bias ? &bias : nullptr, rows, cols, last ? &result : nullptr, false, chain[i].a,
         rows, chain[i].depth, &chain[i].b, chain[i].depth, cols);
  }
  known_.push_back(result);
  const bool in_acc = result.local.is_accumulator();
  if (random.chance(80))
    store(random, result, in_acc && random.chance(30), in_acc ? random.count(0, geometry_.normaliser ? 3 : 1) : 0);
}

// ---- stores

void ProgramEmitter::configure_store(Random& random, std::uint32_t stride, std::uint32_t activation, float scale) {
  Instruction instruction = isa::make(Op::kConfigSt);
  fields::ConfigSt::stride.set(instruction, stride);
  fields::ConfigSt::activation.set(instruction, activation & 3);
  fields::ConfigSt::acc_scale.set(instruction, random.chance(10) ? 0xFFFFFFFFu : bits_of(scale));
  emit(instruction);
}

void ProgramEmitter::configure_norm_constants(Random& random, bool softmax) {
  // The exponential's constants are taken when the sums are computed, not with the request: nothing may be under way.
  if (tracker_.stored()) fence();
  namespace f = fields::ConfigNorm;
  const bool wild = random.chance(10);
  const std::int32_t qb = wild ? static_cast<std::int32_t>(random.bits())
                               : static_cast<std::int32_t>(random.range(100, 3000)) * (softmax ? 1 : -1);
  const std::int32_t qc = wild ? static_cast<std::int32_t>(random.bits())
                               : static_cast<std::int32_t>(random.range(10000, 2000000)) * (softmax ? 1 : -1);
  const std::int32_t qln2 =
      wild ? static_cast<std::int32_t>(random.bits()) : static_cast<std::int32_t>(random.range(64, 8192));
  for (std::uint32_t type = 0; type < 2; ++type) {
    Instruction instruction = isa::make(Op::kConfigNorm);
    f::q_const_type.set(instruction, type);
    f::q_const.set(instruction, static_cast<std::uint32_t>(type == 0 || wild ? qln2 : 65536 / qln2));
    f::qb.set(instruction, static_cast<std::uint32_t>(qb));
    f::qc.set(instruction, static_cast<std::uint32_t>(qc));
    f::activation_msb.set(instruction, softmax ? 1 : 0);
    emit(instruction);
  }
}

void ProgramEmitter::set_extension(isa::ExtensionRegister reg, std::uint32_t value) {
  namespace f = fields::ConfigNorm;
  Instruction instruction = isa::make(Op::kConfigNorm);
  f::ext_select.set(instruction, static_cast<std::uint32_t>(reg));
  f::q_const.set(instruction, value);
  emit(instruction);
}

void ProgramEmitter::configure_extensions(Random& random) {
  using isa::ExtensionRegister;
  const isa::Extensions& extensions = geometry_.extensions;
  if (!extensions.pre_shift && !extensions.wide_variance && !extensions.deferred_softmax) return;
  if (tracker_.stored()) fence();
  if (extensions.pre_shift) set_extension(ExtensionRegister::kPreShift, random.chance(40) ? 0 : random.count(1, 12));
  if (extensions.wide_variance) set_extension(ExtensionRegister::kFlags, random.count(0, 1));
  if (extensions.deferred_softmax) set_extension(ExtensionRegister::kRowScaleBase, random.count(0, 1023));
}

void ProgramEmitter::store(Random& random, const Tile& tile, bool full, std::uint32_t activation) {
  constexpr std::uint32_t kLayerNorm = 2;
  constexpr std::uint32_t kIgelu = 3;
  if (activation == kLayerNorm) activation = 0;  // needs statistics: see normalise()
  if (tracker_.store_needs_fence()) fence();
  const std::uint32_t row_bytes = tile.cols * (full ? 4 : 1);
  const std::uint32_t stride = row_bytes + random.pick({0u, 0u, 3u, 16u, 40u});
  configure_store(random, stride, activation, pick_scale(random));
  if (activation == kIgelu) configure_norm_constants(random, false);
  Instruction mvout = isa::make(Op::kMvout);
  namespace f = fields::Mvout;
  f::dram.set(mvout, new_output(random, std::uint64_t{stride} * tile.rows + row_bytes));
  const std::uint32_t row = tile.local.row(geometry_.row_bits());
  const bool accumulator = tile.local.is_accumulator();
  f::local.set(mvout, row | (accumulator ? LocalAddress::kAccumulatorBit | (full ? LocalAddress::kFullRowBit : 0) : 0));
  f::rows.set(mvout, tile.rows);
  f::cols.set(mvout, tile.cols);
  emit(mvout);
  tracker_.note_store();
}

void ProgramEmitter::pool(Random& random) {
  begin_discrete(random);
  const bool accumulator = random.chance(70);
  const std::uint32_t rows = random.count(2, 5);
  const std::uint32_t cols = random.count(2, 5);
  const std::uint32_t channels = pick_size(random, dim_);
  const LocalAddress local = pick_rows(random, accumulator, rows * cols);
  LoadChoice choice;
  choice.path = accumulator ? LoadPath::kFull : LoadPath::kPlain;
  for (std::uint32_t row = 0; row < rows * cols; row += dim_) {
    load(random, local.plus(row, geometry_.row_bits()), std::min(dim_, rows * cols - row), channels, dim_, choice);
  }
  if (!tracker_.idle()) fence();  // the protected range of a pooling store is a guess of the hardware
  const bool flattened = random.chance(15);
  const std::uint32_t size = random.count(1, std::min({3u, rows, cols}));
  const std::uint32_t step = random.count(1, 2);
  const std::uint32_t pad = flattened ? 0 : random.count(0, size - 1);
  const std::uint32_t out_rows = flattened ? rows : (rows + 2 * pad - size) / step + 1;
  const std::uint32_t out_cols = flattened ? cols : (cols + 2 * pad - size) / step + 1;
  const std::uint32_t stride = channels + random.pick({0u, 5u, 16u});
  Instruction config = isa::make(Op::kConfigSt);
  namespace f = fields::ConfigSt;
  f::stride.set(config, stride);
  f::activation.set(config, random.count(0, 1));
  f::acc_scale.set(config, bits_of(pick_scale(random)));
  f::pool_stride.set(config, flattened ? 0 : step);
  f::pool_size.set(config, size);
  f::upad.set(config, pad);
  f::lpad.set(config, pad);
  f::pool_out_dim.set(config, out_cols);
  f::porows.set(config, out_rows);
  f::pocols.set(config, out_cols);
  f::orows.set(config, rows);
  f::ocols.set(config, cols);
  emit(config);
  Instruction mvout = isa::make(Op::kMvout);
  fields::Mvout::dram.set(mvout, new_output(random, std::uint64_t{stride} * out_rows * out_cols));
  fields::Mvout::local.set(mvout, local.bits());
  fields::Mvout::cols.set(mvout, channels);
  fields::Mvout::rows.set(mvout, flattened ? std::min(dim_, rows * cols) : 0);
  emit(mvout);
  tracker_.note_store();
  fence();
  configure_store(random, stride, 0, 1.0f);
}

void ProgramEmitter::normalise(Random& random) {
  if (!geometry_.normaliser) return move(random);
  begin_discrete(random);
  const bool softmax = random.chance(50);
  const std::uint32_t blocks =
      random.count(1, std::min(4u, static_cast<std::uint32_t>(geometry_.accumulator_rows()) / dim_ / 4));
  const std::uint32_t rows = pick_size(random, std::min(dim_, 6u));
  const std::uint32_t last_cols = pick_size(random, dim_);
  const bool affine = !softmax && geometry_.extensions.layer_norm_affine && random.chance(60);
  const std::uint32_t gain_rows = affine ? 2 * blocks : 0;
  const LocalAddress local = pick_rows(random, true, blocks * dim_ + gain_rows);
  const LocalAddress gains = local.plus(blocks * dim_, geometry_.row_bits());
  LoadChoice choice;
  choice.path = LoadPath::kFull;
  for (std::uint32_t row = 0; row < gain_rows; row += dim_) {
    LoadChoice floats = choice;
    floats.source = kFloats + std::uint64_t{random.count(0, 1000)} * 4;
    load(random, gains.plus(row, geometry_.row_bits()), std::min(dim_, gain_rows - row), dim_, dim_, floats);
  }
  for (std::uint32_t block = 0; block < blocks; ++block) {
    load(random, local.plus(block * dim_, geometry_.row_bits()), rows, block + 1 == blocks ? last_cols : dim_, dim_,
         choice);
  }
  const std::uint32_t cols = (blocks - 1) * dim_ + last_cols;
  const std::uint32_t stride = cols + random.pick({0u, 7u, 16u});
  const std::uint64_t to = new_output(random, std::uint64_t{stride} * rows);
  if (!tracker_.idle()) fence();
  configure_extensions(random);
  // Codes with the third bit set take it from config_norm, behind config_st.
  using isa::Activation;
  const bool deferred = softmax && geometry_.extensions.deferred_softmax && random.chance(50);
  const Activation activation = softmax ? (deferred ? Activation::kExp : Activation::kSoftmax)
                                        : (affine ? Activation::kLayerNormAffine : Activation::kLayerNorm);
  configure_store(random, stride, static_cast<std::uint32_t>(activation), random.pick({1.0f, 8.0f, 16.0f, 0.7f}));
  if (affine) set_extension(isa::ExtensionRegister::kAffineRow, gains.row(geometry_.row_bits()));
  if (softmax || affine) configure_norm_constants(random, true);
  using isa::NormCommand;
  constexpr NormCommand kSoftmax[] = {NormCommand::kMax, NormCommand::kInvSumExp, NormCommand::kReset};
  constexpr NormCommand kLayerNorm[] = {NormCommand::kMean, NormCommand::kInvStddev, NormCommand::kReset};
  // Commands that do not end a row sum without finishing.
  constexpr NormCommand kSoftmaxInner[] = {NormCommand::kMax, NormCommand::kSumExp, NormCommand::kReset};
  constexpr NormCommand kLayerNormInner[] = {NormCommand::kSum, NormCommand::kVariance, NormCommand::kReset};
  const std::uint32_t step = random.count(1, static_cast<std::uint32_t>(geometry_.max_blocks()));
  // A single row behind a pair could overtake it: a row of id 0 leaves first. With the exponential of 2025 two sums may
  // end at the same time, because special operands leave the divider early, and then one takes the other's reciprocal.
  const bool pairs = rows % 2 == 0 && !(softmax && geometry_.iexp_as_igelu);
  const std::uint32_t rows_in_work = pairs ? random.count(1, 2) : 1;
  for (std::uint32_t first = 0; first < rows; first += rows_in_work) {
    for (int pass = 0; pass < 3; ++pass) {
      for (std::uint32_t id = 0; id < std::min(rows_in_work, rows - first); ++id) {
        Instruction select = isa::make(Op::kConfigNorm);
        fields::ConfigNorm::set_stats_id_only.set(select, 1);
        fields::ConfigNorm::stats_id.set(select, id);
        emit(select);
        for (std::uint32_t block = 0; block < blocks; block += step) {
          const bool last = block + step >= blocks;
          const NormCommand command =
              last ? (softmax ? kSoftmax : kLayerNorm)[pass] : (softmax ? kSoftmaxInner : kLayerNormInner)[pass];
          Instruction mvout = isa::make(Op::kMvout);
          namespace f = fields::Mvout;
          f::dram.set(mvout, to + std::uint64_t{first + id} * stride + block * dim_);
          f::local.set(mvout, local.plus(block * dim_ + first + id, geometry_.row_bits()).bits() |
                                  (static_cast<std::uint32_t>(command) << LocalAddress::kNormCommandShift));
          f::rows.set(mvout, 1);
          f::cols.set(mvout, last ? cols - block * dim_ : step * dim_);
          emit(mvout);
        }
      }
    }
  }
  tracker_.note_store();
  fence();
  // Ordinary stores behind it use statistics id 0 again.
  Instruction select = isa::make(Op::kConfigNorm);
  fields::ConfigNorm::set_stats_id_only.set(select, 1);
  emit(select);
  if (!deferred) return;
  // The rows again, as if they were a product with the exponentials: each with its own scale.
  configure_store(random, stride, static_cast<std::uint32_t>(Activation::kRowScale),
                  random.pick({1.0f, 1000.0f, 0.01f}));
  configure_norm_constants(random, true);
  Instruction mvout = isa::make(Op::kMvout);
  fields::Mvout::dram.set(mvout, new_output(random, std::uint64_t{stride} * rows + cols));
  fields::Mvout::local.set(mvout, local.bits());
  fields::Mvout::rows.set(mvout, rows);
  fields::Mvout::cols.set(mvout, std::min(cols, static_cast<std::uint32_t>(geometry_.max_blocks()) * dim_));
  emit(mvout);
  tracker_.note_store();
  fence();
}

}  // namespace systole::test
