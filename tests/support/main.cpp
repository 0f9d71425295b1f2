// main() of test programs that run SystemC: libsystemc has one of its own, which prints a banner and calls sc_main(); it is never called.
#include <gtest/gtest.h>

extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
