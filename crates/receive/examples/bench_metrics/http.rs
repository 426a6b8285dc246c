//! As much of HTTP/1.1 as a benchmark's client needs: one kept connection, whole bodies.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Client {
    addr: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    /// Lines that every request has.
    pub headers: String,
}

pub struct Answer {
    pub status: u16,
    pub cookies: Vec<String>,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(addr: SocketAddr, headers: &str) -> Self {
        Self { addr, stream: None, headers: headers.to_owned() }
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask(&format!("GET {path}"), "", &[])
    }

    pub fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
        self.ask(&format!("POST {path}"), headers, body)
    }

    fn ask(&mut self, what: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
        let fresh = self.stream.is_none();
        let result = self.try_ask(what, headers, body);
        if result.is_err() {
            self.stream = None;
            // A kept connection may have been closed meanwhile.
            if !fresh {
                return self.try_ask(what, headers, body);
            }
        }
        result
    }

    fn try_ask(&mut self, what: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.addr)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        let head = format!(
            "{what} HTTP/1.1\r\nhost: {}\r\n{}{headers}content-length: {}\r\n\r\n",
            self.addr,
            self.headers,
            body.len()
        );
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(body)?;
        let answer = read(&mut stream)?;
        self.stream = Some(stream);
        Ok(answer)
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    if from.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim_end().to_owned())
}

fn read(from: &mut impl BufRead) -> io::Result<Answer> {
    let status = line(from)?.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(bad)?;
    let (mut length, mut chunked, mut cookies) = (0, false, Vec::new());
    loop {
        let header = line(from)?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(|_| bad())?,
            "transfer-encoding" => chunked = value.trim() == "chunked",
            "set-cookie" => cookies.extend(value.trim().split(';').next().map(str::to_owned)),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = usize::from_str_radix(line(from)?.trim(), 16).map_err(|_| bad())?;
            let start = body.len();
            body.resize(start + size, 0);
            from.read_exact(body.get_mut(start..).unwrap_or_default())?;
            line(from)?;
            if size == 0 {
                break;
            }
        }
    } else {
        body.resize(length, 0);
        from.read_exact(&mut body)?;
    }
    Ok(Answer { status, cookies, body })
}

fn bad() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of HTTP")
}
