#pragma once
// What the program returns to the shell.

namespace systole::app {

inline constexpr int kExitDone = 0;             // and every comparison asked for was equal
inline constexpr int kExitDifferent = 1;        // a comparison failed
inline constexpr int kExitBadInput = 2;         // the user's fault
inline constexpr int kExitMisuse = 3;           // the simulated program's fault
inline constexpr int kExitInternalError = 70;   // ours (EX_SOFTWARE of sysexits.h)

}  // namespace systole::app
