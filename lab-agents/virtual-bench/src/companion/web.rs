//! The app's HTTPS client: look the host up, connect, check its certificate, one request, one JSON answer.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;

use super::{AppError, HostPort, resolver};

/// Deadline for connecting, and for each read and write.
pub(super) const IO_DEADLINE: Duration = Duration::from_secs(3);
/// Largest answer, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// A client that trusts one authority.
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    resolver: SocketAddr,
    user_agent: String,
}

impl Client {
    /// A client which trusts the authorities in `ca_file` (PEM).
    pub(super) fn new(ca_file: &Path, resolver: SocketAddr, user_agent: String) -> Result<Self, AppError> {
        let bad = |why: String| {
            AppError::Setup(format!("the CA certificate {} can't be used: {why}", ca_file.display()))
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file).map_err(|error| bad(error.to_string()))? {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots.add(certificate).map_err(|error| bad(error.to_string()))?;
        }
        let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: Arc::new(tls), resolver, user_agent })
    }

    /// Sends one request; gives status and JSON body.
    pub(super) fn request(
        &self,
        method: &str,
        server: &HostPort,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), AppError> {
        let HostPort { host, port } = server;
        let fail = |why: String| AppError::Web { host: host.clone(), why };
        let address = SocketAddr::new(resolver::resolve(self.resolver, host)?, *port);
        let tcp = TcpStream::connect_timeout(&address, IO_DEADLINE)
            .and_then(|tcp| {
                tcp.set_read_timeout(Some(IO_DEADLINE))?;
                tcp.set_write_timeout(Some(IO_DEADLINE))?;
                tcp.set_nodelay(true)?;
                Ok(tcp)
            })
            .map_err(|error| fail(format!("{address}: {error}")))?;
        let name = ServerName::try_from(host.clone()).map_err(|error| fail(error.to_string()))?;
        let tls =
            ClientConnection::new(Arc::clone(&self.tls), name).map_err(|error| fail(error.to_string()))?;
        let mut stream = StreamOwned::new(tls, tcp);

        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.user_agent,
            body.len(),
        );
        stream.write_all(request.as_bytes()).map_err(|error| fail(error.to_string()))?;
        stream.flush().map_err(|error| fail(error.to_string()))?;
        let mut answer = Vec::new();
        (&mut stream).take(MAX_ANSWER).read_to_end(&mut answer).map_err(|error| fail(error.to_string()))?;
        stream.conn.send_close_notify();
        // The answer is in; a server that is gone already takes nothing away from it.
        let _ = stream.flush();
        parse(&answer).ok_or_else(|| fail("the answer is not HTTP with a JSON body".to_owned()))
    }
}

fn parse(answer: &[u8]) -> Option<(u16, Value)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(answer).ok()? {
        httparse::Status::Complete(body_at) => {
            Some((head.code?, serde_json::from_slice(answer.get(body_at..)?).ok()?))
        }
        httparse::Status::Partial => None,
    }
}
