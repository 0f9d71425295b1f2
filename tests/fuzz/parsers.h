#pragma once
// One function per text or binary reader: takes arbitrary bytes, accepts a ConfigError, checks the round trip of what
// was read. Anything else (another exception, a crash) is a finding. Used by the libFuzzer programs and by the quick
// mutation test.
#include <string_view>

namespace systole::test {

void parse_as_assembly(std::string_view bytes);
void parse_as_container(std::string_view bytes);
void parse_as_trace(std::string_view bytes);
void parse_as_expectation(std::string_view bytes);

// readers.cpp
void parse_as_machine(std::string_view bytes);      // YAML
void parse_as_safetensors(std::string_view bytes);

// graph_readers.cpp; YAML
void parse_as_graph(std::string_view bytes);        // a layer graph
void parse_as_sweep(std::string_view bytes);

}  // namespace systole::test
