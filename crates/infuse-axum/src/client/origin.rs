//! On whose side of the wire a call failed that never reached its service.

use std::{error::Error, io};

use infuse_storage::core::Origin;

use super::resolver::NoAnswer;
use crate::error::causes;

/// The process has, or the system has, as many open files as it may. No `ErrorKind` says so.
#[cfg(not(windows))]
const NO_MORE_FILES: [i32; 2] = [24, 23];
/// `WSAEMFILE` and `WSAENOBUFS`.
#[cfg(windows)]
const NO_MORE_FILES: [i32; 2] = [10024, 10055];

/// Ours, if along the sources a name was not resolved, or there was no socket, port or memory to
/// be had. What else keeps a connection from being made is the service's.
pub(crate) fn of(error: &(dyn Error + 'static)) -> Origin {
    if causes(error).any(is_ours) { Origin::Local } else { Origin::Service }
}

fn is_ours(error: &(dyn Error + 'static)) -> bool {
    if error.is::<NoAnswer>() {
        return true;
    }
    let Some(error) = error.downcast_ref::<io::Error>() else {
        // hyper-util's, as reqwest has it: its type is private, its text is all there is.
        return error.to_string() == "dns error";
    };
    match error.kind() {
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory => true,
        _ => match error.raw_os_error() {
            Some(code) => NO_MORE_FILES.contains(&code),
            // The standard library's, of a transport that resolves names itself.
            None => error.to_string().starts_with("failed to lookup address information"),
        },
    }
}

#[cfg(test)]
mod tests;
