// libsystemc brings a main() of its own; this one takes its place.
#include <gtest/gtest.h>

extern "C" int sc_main(int, char**) { return 1; }

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
