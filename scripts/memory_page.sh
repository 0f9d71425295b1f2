#!/bin/sh
# Writes hw/memory/MEMORY.md: the memory behind the accelerator's port, what it costs, and how that compares with recorded RTL.
#   scripts/memory_page.sh            write it
#   scripts/memory_page.sh --check    writes nothing; exit code 1 when the page would change
#   scripts/memory_page.sh --loops    only compare the loops with the RTL; exit code 1 when one differs
# Simulates one BERT-Base layer nine times, about half a minute of CPU time (BUILD=directory for another build).
set -eu
cd "$(dirname "$0")/.."
mode=write
case "${1:-}" in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --check) mode=check ;;
  --loops) mode=loops ;;
  "") ;;
  *) echo "memory_page: unknown argument '$1' (known: --check, --loops)" >&2; exit 2 ;;
esac
build=${BUILD:-build}
[ -x "$build/systole" ] || { echo "memory_page: no $build/systole; run scripts/build.sh" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- LOOP_WS, as recorded on the RTL: A at 0x80100000, B at 0x80104000, C at 0x80108000, rows of `size` bytes.
# trace NAME SIZE SLOT STATE LATENCY   writes a trace; SLOT 1: another loop, on lines that nobody else uses, takes the first slot before it.
trace() {
  name=$1 size=$2 slot=$3 state=$4 latency=$5
  tiles=$((size / 16))
  stride=$(printf %x "$size")
  bytes=$((size * size))
  {
    echo "# systole-trace 1"
    if [ "$state" = ideal ]; then
      echo "machine sfu.normaliser=0"
      echo "mem latency=$latency beat_bytes=16"
    else
      fill=$state
      [ "$state" = res ] && fill=clean
      echo "machine sfu.normaliser=0 memory.model=soc soc.axi_latency=$latency soc.axi_write_latency=10 soc.l2_state=$fill"
      if [ "$state" = res ]; then
        echo "resident 80100000 $bytes clean 0"
        echo "resident 80104000 $bytes clean 1"
        echo "resident 80108000 $bytes dirty 2"
      fi
      if [ "$slot" = 1 ]; then
        echo "resident 8010c000 1024 clean 3"
        echo "resident 8010d000 1024 clean 3"
        echo "resident 8010e000 1024 dirty 3"
      fi
    fi
    if [ "$slot" = 1 ]; then
      loop 1 40 8010c000 8010d000 8010e000
      echo fence
    fi
    loop "$tiles" "$stride" 80100000 80104000 80108000
    echo fence
  } >"$work/$name.trace"
}
# loop TILES STRIDE A B C   configuration and LOOP_WS of a square product, int8 in and out
loop() {
  echo "cmd 0 3f80000000010004 1000000000000"
  echo "cmd 0 2 3f800000$(printf %08x "0x$2")"
  echo "cmd 0 3f80000000100101 $2"
  echo "cmd 0 3f80000000100109 $2"
  echo "cmd 0 3f80000000100111 $2"
  echo "cmd 9 0 $(printf '%x%04x%04x' "$1" "$1" "$1")"
  echo "cmd 10 $3 $4"
  echo "cmd 11 0 $5"
  echo "cmd 12 $2 $2"
  echo "cmd 13 $2 $2"
  echo "cmd 8 0 0"
}

# cycles NAME   from the first command of the last loop to its fence
cycles() {
  "$build/systole" replay "$work/$1.trace" --no-expect --json-dir "$work/out" >/dev/null
  sed -n 's/^ *"fences": \[//p; s/^ *"accept": \[//p' "$work/out/$1.json" | sed 's/\].*//' | awk -F, 'NR == 1 { fence = $NF } NR == 2 { print fence - $(NF - 10) }'
}

# ---- the recorded totals: size, slot, state, latency, cycles
loops=$work/loops
sed '/^#/d; /^$/d' tests/data/soc/loop_totals.txt | while read -r size slot state latency expected; do
  trace "loop" "$size" "$slot" "$state" "$latency"
  echo "$size $slot $state $latency $expected $(cycles loop)"
done >"$loops"
if awk '$5 != $6 { print "memory_page: LOOP_WS " $1 "^3, slot " $2 ", " $3 ", latency " $4 ": " $6 " cycles, recorded " $5; bad = 1 } END { exit !bad }' "$loops" >&2; then
  differs=yes
else
  differs=no
fi
if [ "$mode" = loops ]; then
  [ "$differs" = no ] || exit 1
  echo "memory_page: $(wc -l <"$loops") totals equal the RTL's"
  exit 0
fi

# ---- one layer of BERT-Base
# bert OPTION...   cycles, and the table of what reads wait for
bert() { "$build/systole" run bert-base --seq 128 --layers 1 --timing-only "$@" 2>/dev/null; }
first_cycles() { sed -n 's/^\([0-9,]*\) cycles,.*/\1/p' | tr -d ,; }
soc="--set memory.model=soc"
ideal_run() { bert --set "memory.latency=$1" | first_cycles; }
ideal_loop() {
  trace loop "$1" 0 ideal "$2"
  cycles loop
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%+.1f %%", (a / b - 1) * 100 }'; }

echo "memory_page: BERT-Base" >&2
bert_ideal=$(ideal_run 20)
row() {   # row TEXT OPTION...: a row of the BERT table
  text=$1
  shift
  c=$(bert $soc "$@" | first_cycles)
  echo "| $text | $c | $(ratio "$c" "$bert_ideal") |"
}
{
  row "L2 of 512 KiB, the layer's memory resident as far as it fits" --set soc.l2_state=resident
  row "L2 of 16 MiB, all of the layer's memory resident" --set soc.l2_kib=16384 --set soc.l2_state=resident
  for l in 30 60 100; do
    for state in clean dirty; do row "L2 of 512 KiB, cold, $state victims, memory at $l cycles" --set "soc.l2_state=$state" --set "soc.axi_latency=$l"; done
  done
  row "cold, clean, two banks, AXI of 16 bytes" --set soc.l2_banks=2 --set soc.axi_bytes=16
  row "cold, clean, DDR3-1600 at 1 GHz" --set soc.dram=ddr3_1600
  row "cold, clean, DDR4-2400 at 1 GHz" --set soc.dram=ddr4_2400
  row "cold, clean, LPDDR4-3200 at 1 GHz" --set soc.dram=lpddr4_3200
  row "the same behind a last-level cache of 4 MiB" --set soc.dram=lpddr4_3200 --set soc.llc_kib=4096
} >"$work/bert"
bert $soc --set soc.dram=ddr4_2400 | awk '/^a read waits for/ { on = 1 } /^values/ { on = 0 } on' >"$work/waits"

page=$work/page
{
  cat <<'END'
# The memory behind the accelerator's port

Made by `scripts/memory_page.sh`; all numbers come from the commands in it.

`memory.model=ideal` answers every request after a fixed latency. `memory.model=soc` is what stands there in a Chipyard SoC:

```
DMA port --> tile buffers --> system bus --> inclusive L2 ---------> memory port --> [last-level cache] --> memory
             2 beats a stage  (the CPU's     banks with MSHRs,       release answers,  soc.llc_*             soc.dram: fixed latency,
             soc.bus_latency   L1 is here,   directory, data         AXI read/write                          DDR3-1600, DDR4-2400,
                               too)          pipeline, put buffer    priorities                              LPDDR4-3200
```

| folder | holds |
|---|---|
| `soc_memory` | the port, the bus, turns of banks and masters, the split of each read's wait |
| `inclusive_cache`, `mshr_file`, `directory`, `answer_pipeline`, `release_unit` | a bank of the L2 (block-inclusivecache-sifive), cycle by cycle |
| `cork`, `memory_port`, `axi_memory` | TLCacheCork and TLToAXI4: who may use the memory port, and in which order answers come |
| `dram`, `dram_state` | banks, rows, refresh, FR-FCFS, open and closed page; the parts' times: `hw/params/dram_timing.def`, single ones as `dram_timing.*` |
| `last_level_cache` | optional, set-associative, write-back, LRU |
| `cpu_cache`, `cpu_agent` | the CPU's L1, its fall-back operations, probes by the L2 |
| `line_array`, `line_values` | the bytes: every line carries its own, flat memory is the end of the way |

**What is exact.** One L2 bank, bus of 16 bytes, AXI of 8 bytes, fixed latency: all 105 recorded streams of the SoC's RTL are equal in every key
and all 82 request lists of a bare master in every column (CTest `golden_soc`, `RequestLists`). Lines that the CPU holds cost what was measured on the RTL:
a first touch is answered after 12 cycles when the L1 had only read the line, after 15 (Put), 16 (Get) or 18 (Get behind the line's start) when it had written it, against 6 for a
line of nobody; streams take 10 cycles a changed line and 4 an unchanged one. Several banks, other widths, DRAM and the last-level cache follow the public sources and standards; no
RTL was recorded for them. Traffic of a CPU that works at the same time was not recorded either: the CPU here fetches one line at a time.

## LOOP_WS, equal to the RTL

Cycles from the first command accepted to the end, int8, commands back to back. RTL: Verilated Chipyard SoC, September 2023. "resident": A, B and C in the L2, C dirty;
else nothing of the program's, and all other lines invalid, clean or dirty. Every cell is Systole's number and the RTL's: they are equal.

| size | slot | ideal, latency 4 | ideal, 20 | resident | inv, L = 30 | 60 | 100 | clean, 30 | 60 | 100 | dirty, 30 | 60 | 100 |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
END
  for size in 64 128; do
    four=$(ideal_loop "$size" 4)
    twenty=$(ideal_loop "$size" 20)
    for slot in 0 1; do
      first="$four | $twenty"
      [ "$slot" = 0 ] || first=" | "
      awk -v size="$size" -v slot="$slot" -v first="$first" '$1 == size && $2 == slot { cells = cells " | " $6 ($5 == $6 ? "" : " (RTL " $5 ")") }
        END { print "| " size "^3 | " (slot == 0 ? "first" : "second") " | " first cells " |" }' "$loops"
    done
  done
  cat <<END

## One layer of BERT-Base (l = 128)

\`systole run bert-base --seq 128 --layers 1 --timing-only --set memory.model=soc ...\`; ideal memory (latency 20): $bert_ideal cycles.

| memory | cycles | against ideal |
|---|---|---|
END
  cat "$work/bert"
  cat <<'END'

What reads wait for, DDR4-2400, cold (part of the output of every `run` on `soc`; the parts add up):

```
END
  cat "$work/waits"
  echo '```'
} >"$page"

if [ "$mode" = check ]; then
  diff -u hw/memory/MEMORY.md "$page" && echo "memory_page: hw/memory/MEMORY.md is up to date"
else
  cp "$page" hw/memory/MEMORY.md.new
  mv hw/memory/MEMORY.md.new hw/memory/MEMORY.md
  echo "memory_page: written"
fi
[ "$differs" = no ]
