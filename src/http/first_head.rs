//! Waits for the head of the first request on a connection, and leaves it in the memory of the kernel until it is whole.
//!
//! Thousands of clients that send only a part of a head thus occupy hardly any memory of this process. What has arrived is
//! read again and again until it is whole, but never taken.

use std::io;

use memchr::memmem;
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::listener::MAX_HEAD;

/// Waits until the whole head can be read from `stream`, or hyper should reject what is there.
///
/// # Errors
/// When the client has closed the connection.
pub(super) async fn arrived(stream: &TcpStream) -> io::Result<()> {
    loop {
        let is_last = stream.ready(Interest::READABLE).await?.is_read_closed();
        // `WouldBlock` tells tokio to wait until more has arrived.
        let peeked = stream.try_io(Interest::READABLE, || match peek(stream)? {
            State::Incomplete if !is_last => Err(io::ErrorKind::WouldBlock.into()),
            state => Ok(state),
        });
        match peeked {
            Ok(State::Closed) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// What has arrived on a connection.
enum State {
    /// Nothing more will.
    Closed,
    /// A part of a head.
    Incomplete,
    /// A head, or something that is none.
    Readable,
}

fn peek(stream: &TcpStream) -> io::Result<State> {
    let mut arrived = [0; MAX_HEAD];
    let (length, _) = recv(stream, &mut arrived, RecvFlags::PEEK)?;
    let arrived = &arrived[..length];
    // Some clients send an empty line before their request.
    let head = arrived.trim_ascii_start();
    Ok(match head.first() {
        None if arrived.is_empty() => State::Closed,
        // The start of TLS, for example.
        Some(first) if !first.is_ascii_alphabetic() => State::Readable,
        _ if is_whole(head) || length == MAX_HEAD => State::Readable,
        _ => State::Incomplete,
    })
}

/// An empty line ends a head. hyper accepts a bare line feed as the end of a line.
fn is_whole(head: &[u8]) -> bool {
    memmem::find(head, b"\n\r\n").is_some() || memmem::find(head, b"\n\n").is_some()
}
