//! The raw bytes of an exec session.
//!
//! bollard reads an attached exec through a decoder of Docker's multiplexed log format, which takes
//! a terminal's control characters 0 to 2 for frame headers. A terminal's stream has no frames, so
//! the session is opened here: one POST on the engine's socket, upgraded to a byte stream
//! (<https://docs.docker.com/reference/api/engine/>, "Hijacking").

use std::io::{self, ErrorKind};
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::EngineError;

/// Longest response header that is accepted, and longest error text that is shown.
const LIMIT: usize = 16 * 1024;

/// Starts the exec `id` with a terminal and returns its stream. A command that cannot be started
/// shows there: both engines switch to the stream first, and then write the error into it.
pub(super) async fn open(
    socket: &Path,
    version: &str,
    id: &str,
) -> Result<UnixStream, EngineError> {
    let mut stream = start(socket, version, id).await.map_err(unreachable)?;
    let header = read_header(&mut stream).await.map_err(unreachable)?;
    // Old engines answer 200 and upgrade all the same.
    match header.split(' ').nth(1) {
        Some("101" | "200") => Ok(stream),
        _ => Err(EngineError::Refused(refusal(&mut stream, &header).await)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unreachable(error: io::Error) -> EngineError {
    EngineError::Unreachable(error.to_string())
}

async fn start(socket: &Path, version: &str, id: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    let body = r#"{"Detach":false,"Tty":true}"#;
    let request = format!(
        "POST /v{version}/exec/{id}/start HTTP/1.1\r\nHost: localhost\r\n\
         Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Byte by byte: what follows the header belongs to the session.
async fn read_header(stream: &mut UnixStream) -> io::Result<String> {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        if header.len() == LIMIT {
            return Err(ErrorKind::InvalidData.into());
        }
        header.push(stream.read_u8().await?);
    }
    String::from_utf8(header).map_err(|_| ErrorKind::InvalidData.into())
}

/// The `message` of an error response.
async fn refusal(stream: &mut UnixStream, header: &str) -> String {
    let status = header.lines().next().unwrap_or_default().to_owned();
    let length = header
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0_usize);
    let mut body = vec![0; length.min(LIMIT)];
    match stream.read_exact(&mut body).await {
        Ok(_) => serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|value| Some(value.get("message")?.as_str()?.to_owned()))
            .unwrap_or(status),
        Err(_) => status,
    }
}
