//! A registry, or a token server, that answers whatever a test wants, without TLS and on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub path: String,
    pub authorization: String,
    pub body: String,
}

/// A server that notes what it is asked.
pub struct FakeRegistry {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeRegistry {
    /// A server whose answers are a status, headers and a body, as [`say`] writes them. `PORT` in them is its own port.
    pub fn start(answer: impl Fn(&Asked) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(asked) = Asked::read(&stream) else {
                    // What Go's server says to a TLS hello.
                    _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
                    continue;
                };
                let text = answer(&asked).replace("PORT", &port.to_string());
                noted.lock().unwrap().push(asked);
                _ = stream.write_all(text.as_bytes());
            }
        });
        Self { port, asked }
    }

    /// A reference to an image here.
    pub fn image(&self) -> String {
        format!("127.0.0.1:{}/team/app:1", self.port)
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What was asked, each as `METHOD path authorization`.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let line =
            |asked: &Asked| format!("{} {} {}", asked.method, asked.path, asked.authorization);
        asked
            .iter()
            .map(|asked| line(asked).trim_end().to_owned())
            .collect()
    }

    pub fn bodies(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|asked| asked.body.clone())
            .filter(|body| !body.is_empty())
            .collect()
    }
}

impl Asked {
    /// `None` for a TLS hello.
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut first = [0];
        stream.peek(&mut first).ok().filter(|count| *count > 0)?;
        if first[0] == 0x16 {
            return None;
        }
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let (mut authorization, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => value.clone_into(&mut authorization),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Self {
            method,
            path,
            authorization,
            body: String::from_utf8(body).ok()?,
        })
    }
}

/// An answer.
pub fn say(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\n{}content-length: {length}\r\nconnection: close\r\n\r\n{body}",
        lines.concat()
    )
}
