//! What travels: requests as they are read, answers as they are written.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

pub struct Request {
    pub method: String,
    pub path: String,
    pub token: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// `None` when the client has gone, or is not to be understood.
    pub fn read(stream: &mut impl Read) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let token = headers
            .get("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::to_owned);
        Some(Self {
            method,
            path,
            token,
            headers,
            body,
        })
    }
}

pub struct Answer {
    pub bytes: Vec<u8>,
    pub last: bool,
}

impl Answer {
    pub fn of(status: u16, body: &serde_json::Value) -> Self {
        Self::json(status, &body.to_string())
    }

    pub fn json(status: u16, body: &str) -> Self {
        Self::raw(
            status,
            "Content-Type: application/json; charset=UTF-8\r\n",
            body,
        )
    }

    pub fn raw(status: u16, headers: &str, body: &str) -> Self {
        let bytes = format!(
            "HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            bytes: bytes.into_bytes(),
            last: false,
        }
    }

    /// With a date that is that many seconds off.
    pub(super) fn dated(mut self, off: Option<i64>) -> Self {
        if let Some(off) = off {
            let now = DateTime::from(SystemTime::now()).secs();
            let date = DateTime::from_secs(now + off)
                .fmt(Format::HttpDate)
                .unwrap();
            let end_of_status = self
                .bytes
                .windows(2)
                .position(|two| two == b"\r\n")
                .unwrap()
                + 2;
            self.bytes.splice(
                end_of_status..end_of_status,
                format!("Date: {date}\r\n").into_bytes(),
            );
        }
        self
    }
}
