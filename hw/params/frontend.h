#pragma once
#include "hw/params/visit.h"

namespace systole::hw {

// Reservation station: entries per queue.
struct ReservationParams {
  int load = 8;
  int execute = 16;
  int store = 4;
  int stores_serialised = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.load, "load", power_of_two(4, 128), "entries for loads", "GemminiConfigs.scala reservation_station_entries_ld");
    v(self.execute, "execute", power_of_two(4, 128), "entries for execute commands", "GemminiConfigs.scala reservation_station_entries_ex");
    v(self.store, "store", power_of_two(4, 128), "entries for stores (fewer than 4 do not elaborate)", "GemminiConfigs.scala reservation_station_entries_st");
    v(self.stores_serialised, "stores_serialised", flag(), "1: a store waits until older stores have completed (revision 2025), 0: until they were issued", "ReservationStation.scala, commit 5a10e96");
  }
};

// Command queues of the three controllers.
struct QueueParams {
  int load = 8;
  int execute = 8;
  int store = 2;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v(self.load, "load", range(1, 64), "command queue of the load controller", "GemminiConfigs.scala ld_queue_length");
    v(self.execute, "execute", range(3, 64), "command queue of the execute controller", "GemminiConfigs.scala ex_queue_length");
    v(self.store, "store", range(1, 64), "command queue of the store controller", "GemminiConfigs.scala st_queue_length");
  }
};

}  // namespace systole::hw
