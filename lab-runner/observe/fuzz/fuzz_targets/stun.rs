//! STUN, TURN and what shares their ports: datagrams, and messages over TCP.
#![no_main]

use libfuzzer_sys::fuzz_target;

const PORTS: [u16; 8] = [3478, 5349, 40001, 3478, 3479, 443, 8801, 4444];

fuzz_target!(|input: &[u8]| lab_observe_fuzz::over_either(PORTS, input));
