//! Further ports of the undeclared host: whatever comes is sent back, over TCP or UDP.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, UdpSocket},
    thread,
};

use super::accept::{self, IO_DEADLINE};

/// Echoes on TCP until the process ends.
pub(super) fn serve_tcp(listener: TcpListener) {
    accept::each_connection(listener, |mut stream| {
        stream.set_read_timeout(Some(IO_DEADLINE))?;
        stream.set_write_timeout(Some(IO_DEADLINE))?;
        let mut buffer = [0_u8; 4096];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                length => stream.write_all(&buffer[..length])?,
            }
        }
    });
}

/// Echoes on UDP until the process ends.
pub(super) fn serve_udp(socket: UdpSocket) {
    thread::spawn(move || {
        let mut buffer = [0_u8; 2048];
        loop {
            match socket.recv_from(&mut buffer) {
                // A lost answer is a client's ordinary time-out.
                Ok((length, from)) => drop(socket.send_to(&buffer[..length], from)),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused
                    ) => {}
                Err(error) => {
                    tracing::error!(%error, "echo: receiving failed");
                    return;
                }
            }
        }
    });
}
