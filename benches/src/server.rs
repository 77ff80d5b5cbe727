//! A server of HTTP on the loopback interface that answers every request with "ok" after a while.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// What it answers.
pub const ANSWER: &str = "ok";

/// Starts it, and returns its address. It ends with this process.
///
/// A thread for each connection, and one request for each connection: as plain as a server can be, so that it
/// has no opinion of its own on who asks how.
///
/// # Panics
///
/// If there is no port.
pub fn start(after: Duration) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let serve = move || {
        for connection in listener.incoming().flatten() {
            let answer = move || {
                // Who asked may have gone away.
                let _ = answer(&connection, after);
            };
            let thread = thread::Builder::new().stack_size(64 * 1024).spawn(answer);
            thread.expect("there is room for a thread");
        }
    };
    thread::spawn(serve);
    format!("http://{address}/")
}

fn answer(mut connection: &TcpStream, after: Duration) -> io::Result<()> {
    let mut lines = BufReader::new(connection).lines();
    // The head ends with an empty line; a GET has nothing behind it.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    thread::sleep(after);
    let length = ANSWER.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    connection.write_all((head + ANSWER).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks;

    #[test]
    fn it_answers_whoever_asks() {
        let url = start(Duration::ZERO);
        assert_eq!(tasks::fetch::call(url), Ok(ANSWER.len()));
    }
}
