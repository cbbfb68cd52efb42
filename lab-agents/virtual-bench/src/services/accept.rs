//! Accepting TCP connections, each in a thread of its own, with a bound on how many there are at once.

use std::{
    io,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How long a read or write on a connection may take.
pub(super) const IO_DEADLINE: Duration = Duration::from_secs(10);
/// Connections served at once on one listener; more are closed at once.
const MAX_CONNECTIONS: usize = 64;

/// Calls `serve` with each connection until the process ends.
pub(super) fn each_connection(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
) {
    thread::spawn(move || {
        let serve = Arc::new(serve);
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            let (stream, from) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    // Out of descriptors, most likely: don't spin.
                    thread::sleep(Duration::from_millis(50));
                    continue;
                }
            };
            if open.fetch_add(1, Ordering::AcqRel) >= MAX_CONNECTIONS {
                open.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            let (serve, open) = (Arc::clone(&serve), Arc::clone(&open));
            thread::spawn(move || {
                if let Err(error) = serve(stream) {
                    tracing::debug!(%error, %from, "connection ended");
                }
                open.fetch_sub(1, Ordering::AcqRel);
            });
        }
    });
}
