use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

/// Where servers listen: below the ports that systems give to outgoing connections, so that none
/// takes the port of a server that is down for a moment.
const PORTS: Range<u16> = 11_000..21_000;

/// How far the port on which nodes of a cluster speak with each other is from the other.
pub(crate) const BUS: u16 = 10_000;

/// A port that is free now, as is that of the bus beside it.
///
/// Somebody else may take it before it is used: Redis cannot be handed one that is open.
pub(crate) fn free() -> u16 {
    for _ in 0..1000 {
        let random = RandomState::new().hash_one(0);
        let port = PORTS.start + (random % u64::from(PORTS.end - PORTS.start)) as u16;
        if is_free(port) && is_free(port + BUS) {
            return port;
        }
    }
    panic!("no port is free between {} and {}", PORTS.start, PORTS.end);
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
