//! `dyno-restarter health`: whether the service on this machine answers. For the health check of a container, whose image
//! has neither a shell nor curl.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::http::listener::Listen;

/// How long each step may take: to connect, to send, and to receive. Docker ends a health check after 30 s by default.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What the answer begins with when all is well.
const EXPECTED: &[u8] = b"HTTP/1.1 200 ";

/// What it ends with.
const BODY: &[u8] = b"\r\n\r\nok";

/// The longest answer that is read: other services may answer at length.
const LONGEST_ANSWER: u64 = 4096;

/// The service is not healthy, or not there.
#[derive(Debug, thiserror::Error)]
#[error("no healthy service at {address}: {problem}")]
pub struct Unhealthy {
    address: SocketAddr,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    NoAnswer(io::Error),
    OtherAnswer,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(error) => write!(f, "{error}; is the service running, with the same PORT?"),
            Self::OtherAnswer => {
                f.write_str("GET /health was not answered with 200 and ok; is PORT the one of another service?")
            }
        }
    }
}

/// Asks `GET /health` of the service that listens there.
pub(crate) fn ask(listen: Listen) -> Result<(), Unhealthy> {
    let address = reachable(listen);
    let unhealthy = |problem| Unhealthy { address, problem };
    let answer = answer(address).map_err(|error| unhealthy(Problem::NoAnswer(error)))?;
    let is_ours = answer.starts_with(EXPECTED) && answer.ends_with(BODY);
    if is_ours { Ok(()) } else { Err(unhealthy(Problem::OtherAnswer)) }
}

/// The address at which this machine reaches itself.
fn reachable(listen: Listen) -> SocketAddr {
    match listen {
        Listen::Everywhere(port) => (Ipv4Addr::LOCALHOST, port).into(),
        Listen::At(address) => match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
            IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
            _ => address,
        },
    }
}

fn answer(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    match stream.take(LONGEST_ANSWER).read_to_end(&mut answer) {
        // A server that closes the connection without reading all of the request resets it, behind its answer.
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}
