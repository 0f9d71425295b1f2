; y = relu(x * w + b) of one 16 x 16 tile, weight-stationary, with the instructions one by one.
;   systole run isa/examples/tile_product.s
;   systole run isa/examples/tile_product.s --timeline tile.svg

.symbol x 0x80000000 256              ; int8, 16 rows of 16 bytes
.symbol w 0x80000100 256              ; int8
.symbol b 0x80000200 64               ; int32, one row for all rows of y
.symbol y 0x80000400 256              ; int8
.segment 0x80000000
  .fill 256 int8 -128 127 1
  .fill 256 int8 -128 127 2
  .fill 64 int32 -100000 100000 3

.region "tile product" 4096           ; name and multiply-accumulates of what follows, up to the next .region
config_ld state=0 scale=1f stride=16              ; x and w
config_ld state=1 scale=1f stride=0               ; b: stride 0 gives every row the same data
mvin  dram=@x local=0  cols=16 rows=16            ; scratchpad rows 0..15
mvin  dram=@w local=16 cols=16 rows=16            ; scratchpad rows 16..31
mvin2 dram=@b local=0x80000000 cols=16 rows=16    ; accumulator rows 0..15

config_ex dataflow=1 a_stride=1 acc_scale=1f c_stride=1
preload local=16 cols=16 rows=16 out_local=0xc0000000 out_cols=16 out_rows=16   ; w; sums go onto b
compute_flip a_local=0 a_cols=16 a_rows=16 b_local=garbage b_cols=16 b_rows=16  ; x

config_st activation=1 stride=16 acc_scale=0.001f
mvout dram=@y local=0x80000000 cols=16 rows=16
.fence
