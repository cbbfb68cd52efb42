//! The vendor's two HTTPS services, with small JSON answers: the API that devices register at, and the firmware
//! check. One request a connection.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::accept::{self, IO_DEADLINE};

/// Largest request head, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// Largest request body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What a service answers to a request.
pub(super) type Handler = fn(&Request) -> (u16, Value);

/// A request, read whole.
#[derive(Debug)]
pub(super) struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

/// Serves HTTPS with `handler` until the process ends.
pub(super) fn serve(listener: TcpListener, tls: Arc<ServerConfig>, handler: Handler) {
    accept::each_connection(listener, move |stream| {
        let mut stream = tls_stream(stream, &tls)?;
        let request = read_request(&mut stream)?;
        let (status, body) = handler(&request);
        let body = body.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            reason(status),
            body.len(),
        )?;
        stream.conn.send_close_notify();
        stream.flush()
    });
}

/// Serves TLS to whoever comes, with or without a server name, and acknowledges what it is told.
pub(super) fn serve_undeclared(listener: TcpListener, tls: Arc<ServerConfig>) {
    accept::each_connection(listener, move |stream| {
        let mut stream = tls_stream(stream, &tls)?;
        let mut buffer = [0_u8; 4096];
        let mut total = 0;
        while total < MAX_BODY {
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            total += length;
            if buffer[..length].ends_with(b"\n") {
                stream.write_all(b"{\"ok\":true}\n")?;
            }
        }
        stream.conn.send_close_notify();
        stream.flush()
    });
}

/// The API: a device is registered with its model and firmware version.
pub(super) fn api(request: &Request) -> (u16, Value) {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/devices") => match serde_json::from_slice::<Value>(&request.body) {
            Ok(device) if device["model"].is_string() && device["firmware"].is_string() => {
                (201, json!({"registered": true, "model": device["model"]}))
            }
            _ => (400, json!({"error": "a device needs a model and a firmware version"})),
        },
        _ => not_found(),
    }
}

/// The firmware check: tells the newest version that this vendor has published.
pub(super) fn firmware(request: &Request) -> (u16, Value) {
    match (request.method.as_str(), request.path.split('?').next()) {
        ("GET", Some("/v1/firmware")) => (200, json!({"model": "U8", "latest": "1.4.0"})),
        _ => not_found(),
    }
}

fn not_found() -> (u16, Value) {
    (404, json!({"error": "no such resource"}))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        404 => "Not Found",
        _ => "Unknown",
    }
}

fn tls_stream(
    stream: TcpStream,
    tls: &Arc<ServerConfig>,
) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    stream.set_read_timeout(Some(IO_DEADLINE))?;
    stream.set_write_timeout(Some(IO_DEADLINE))?;
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn read_request(stream: &mut impl Read) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 2048];
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Request::new(&mut headers);
        let status = head.parse(&bytes).map_err(|error| bad(&error.to_string()))?;
        if let httparse::Status::Complete(body_at) = status {
            let length = content_length(head.headers).ok_or_else(|| bad("bad content length"))?;
            let (method, path) = (head.method.unwrap_or("").to_owned(), head.path.unwrap_or("").to_owned());
            let mut body = bytes.split_off(body_at);
            while body.len() < length {
                match stream.read(&mut buffer)? {
                    0 => return Err(bad("the request's body is cut")),
                    read => body.extend_from_slice(&buffer[..read]),
                }
            }
            body.truncate(length);
            return Ok(Request { method, path, body });
        }
        if bytes.len() > MAX_HEAD {
            return Err(bad("the request's head is too long"));
        }
        match stream.read(&mut buffer)? {
            0 => return Err(bad("the request's head is cut")),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// The body's length, 0 where none is given; nothing where it is no number or too large.
fn content_length(headers: &[httparse::Header<'_>]) -> Option<usize> {
    let Some(header) = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))
    else {
        return Some(0);
    };
    std::str::from_utf8(header.value).ok()?.trim().parse().ok().filter(|length| *length <= MAX_BODY)
}
