//! DNS and its relatives: datagrams, and messages over TCP.
#![no_main]

use libfuzzer_sys::fuzz_target;

const PORTS: [u16; 8] = [53, 5353, 5355, 137, 53, 53, 138, 4444];

fuzz_target!(|input: &[u8]| lab_observe_fuzz::over_either(PORTS, input));
