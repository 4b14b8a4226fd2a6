//! Tests against servers on loopback that misbehave in every way a server can.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::error::Error;

/// A server that reads one request per connection, sends it to the test, and answers according to its script. Further
/// connections get the script's last answer.
fn server(script: Vec<fn(&mut TcpStream)>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            tell.send(read_request(&mut stream)).ok();
            script[count.min(script.len() - 1)](&mut stream);
        }
    });
    (url, told)
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.ends_with("\r\n\r\n") && !text.contains("secret=hunter2") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => text.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
        }
    }
    text
}

fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).ok();
}

fn ok(stream: &mut TcpStream) {
    say(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
    );
}

fn busy(stream: &mut TcpStream) {
    say(
        stream,
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
}

fn close(_stream: &mut TcpStream) {}

fn send(request: &Request, cleartext: Cleartext) -> Result<Response, HttpError> {
    send_within(request, cleartext, Duration::from_secs(20))
}

fn send_within(
    request: &Request,
    cleartext: Cleartext,
    time: Duration,
) -> Result<Response, HttpError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        Http::new(Instant::now() + time, cleartext)?
            .send(request)
            .await
    })
}

fn secret_post(url: &str) -> Request {
    Request::post(url)
        .bearer(&"hunter2-token".into())
        .form([("secret", "hunter2".into())])
}

fn kind(request: &Request) -> Kind {
    send(request, Cleartext::Loopback).unwrap_err().kind()
}

#[test]
fn an_answer_is_read_whole_and_the_request_is_what_was_asked() {
    let (url, told) = server(vec![ok]);
    let answer = send(&secret_post(&url).header("x-id", "7"), Cleartext::Loopback).unwrap();
    assert!(answer.is_success() && answer.is_json());
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"{}".as_slice())
    );
    let request = told.recv().unwrap();
    for part in [
        "POST /token HTTP/1.1\r\n",
        "authorization: Bearer hunter2-token\r\n",
        "x-id: 7\r\n",
        "secret=hunter2",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let (_, told) = server(vec![ok]);
    let (second, second_told) = server(vec![ok]);
    drop(told);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        read_request(&mut stream);
        say(
            &mut stream,
            &format!("HTTP/1.1 307 Moved\r\nLocation: {second}\r\nContent-Length: 0\r\n\r\n"),
        );
    });
    assert_eq!(
        send(&secret_post(&url), Cleartext::Loopback)
            .unwrap()
            .status,
        307
    );
    assert!(
        second_told.try_recv().is_err(),
        "the other host must not hear of it"
    );
}

#[test]
fn ten_mebibytes_are_refused_with_and_without_a_length() {
    fn announced(stream: &mut TcpStream) {
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n",
        );
        say(stream, &"x".repeat(10 << 20));
    }
    fn unannounced(stream: &mut TcpStream) {
        say(stream, "HTTP/1.1 200 OK\r\n\r\n");
        say(stream, &"x".repeat(10 << 20));
    }
    for answer in [announced as fn(&mut TcpStream), unannounced] {
        let (url, told) = server(vec![answer]);
        assert_eq!(kind(&Request::get(url)), Kind::TooLarge(MAX_BODY));
        assert_eq!(told.iter().take(1).count(), 1);
        assert!(told.try_recv().is_err(), "it is not asked again");
    }
}

/// Counts the bytes of the last answer only.
struct Count(usize);

impl Pieces for Count {
    fn begin(&mut self) {
        self.0 = 0;
    }

    fn take(&mut self, piece: &[u8]) {
        self.0 += piece.len();
    }
}

fn stream(url: &str) -> (Result<Response, Kind>, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut count = Count(0);
    let deadline = Instant::now() + Duration::from_mins(1);
    let answer = runtime.block_on(async {
        Http::new(deadline, Cleartext::Loopback)?
            .stream(&Request::get(url), &mut count)
            .await
    });
    (answer.map_err(|fault| fault.kind()), count.0)
}

#[test]
fn a_long_answer_is_read_in_pieces_up_to_a_limit_and_restarts_after_a_break() {
    fn long(stream: &mut TcpStream) {
        say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n");
        say(stream, &"x".repeat(3 << 20));
    }
    fn broken(stream: &mut TcpStream) {
        say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n");
        say(stream, &"x".repeat(1 << 20));
    }
    fn announced(stream: &mut TcpStream) {
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n",
        );
    }
    fn unannounced(stream: &mut TcpStream) {
        say(stream, "HTTP/1.1 200 OK\r\n\r\n");
        (0..65).for_each(|_| say(stream, &"x".repeat(1 << 20)));
    }
    let (url, _told) = server(vec![broken, long]);
    let (answer, count) = stream(&url);
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.body.len(), count), (200, 0, 3 << 20));
    for endless in [announced as fn(&mut TcpStream), unannounced] {
        let (url, _told) = server(vec![endless]);
        assert_eq!(stream(&url).0.unwrap_err(), Kind::TooLarge(MAX_STREAM));
    }
    // An unsuccessful answer is kept in memory, so the smaller limit applies.
    let (url, _told) = server(vec![busy]);
    assert_eq!(stream(&url).0.unwrap().status, 503);
}

#[test]
fn what_breaks_is_tried_three_times_and_named() {
    fn truncated(stream: &mut TcpStream) {
        say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    }
    for (answer, expected) in [
        (truncated as fn(&mut TcpStream), Kind::Truncated),
        (close, Kind::Closed),
    ] {
        let (url, told) = server(vec![answer]);
        assert_eq!(kind(&Request::get(url)), expected);
        assert_eq!(told.iter().take(3).count(), 3);
        assert!(told.try_recv().is_err());
    }
}

#[test]
fn what_heals_within_two_repetitions_is_answered() {
    let (url, _told) = server(vec![busy, close, ok]);
    assert_eq!(
        send(&Request::get(url), Cleartext::Loopback)
            .unwrap()
            .status,
        200
    );
    let (url, told) = server(vec![busy]);
    assert_eq!(
        send(&Request::get(url), Cleartext::Loopback)
            .unwrap()
            .status,
        503
    );
    assert_eq!(told.iter().take(3).count(), 3);
}

#[test]
fn a_wait_beyond_the_deadline_is_not_begun() {
    fn throttled(stream: &mut TcpStream) {
        say(
            stream,
            "HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n",
        );
    }
    let (url, told) = server(vec![throttled]);
    let answer = send(&Request::get(url), Cleartext::Loopback).unwrap();
    assert_eq!(
        (answer.status, answer.retry_after()),
        (429, Some(Duration::from_hours(1)))
    );
    assert_eq!(told.iter().take(1).count(), 1);
    assert!(told.try_recv().is_err());
}

#[test]
fn a_server_that_hangs_or_drips_is_given_up_at_the_deadline() {
    fn hang(stream: &mut TcpStream) {
        stream.read_to_end(&mut Vec::new()).ok();
    }
    fn drip(stream: &mut TcpStream) {
        say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    }
    for answer in [hang as fn(&mut TcpStream), drip] {
        let (url, _told) = server(vec![answer]);
        let fault = send_within(
            &Request::get(url),
            Cleartext::Loopback,
            Duration::from_millis(750),
        )
        .unwrap_err();
        assert_eq!(fault.kind(), Kind::Timeout);
        assert!(matches!(
            fault.error("backend azure"),
            Error::Unreachable(_)
        ));
    }
}

#[test]
fn a_refused_connection_and_a_name_without_address_are_told_apart() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert_eq!(
        kind(&Request::get(format!("http://127.0.0.1:{port}/"))),
        Kind::Refused
    );
    assert_eq!(
        kind(&Request::get("https://registry.invalid/")),
        Kind::Unresolvable
    );
}

#[test]
fn a_server_without_tls_gets_no_request() {
    fn page(stream: &mut TcpStream) {
        say(
            stream,
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        );
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        _ = stream.read(&mut [0; 512]);
        page(&mut stream);
    });
    assert_eq!(
        kind(&secret_post(&format!("https://127.0.0.1:{port}/"))),
        Kind::Tls
    );
}

#[test]
fn without_tls_only_this_node_is_spoken_to_and_only_where_allowed() {
    for (url, allowed) in [
        ("http://registry.example.com/", None),
        ("http://localhost.example.com/", None),
        ("http://192.0.2.1/", None),
        ("http://[2001:db8::1]/", None),
        ("ftp://127.0.0.1/", None),
        ("http://169.254.169.254/", Some(Cleartext::Node)),
        ("http://[fe80::1]/", Some(Cleartext::Node)),
        ("http://localhost:1/", Some(Cleartext::Loopback)),
        ("http://127.8.8.8/", Some(Cleartext::Loopback)),
        ("http://[::1]/", Some(Cleartext::Loopback)),
    ] {
        let url = Url::parse(url).unwrap();
        for cleartext in [Cleartext::Never, Cleartext::Loopback, Cleartext::Node] {
            let http = Http::new(Instant::now(), cleartext).unwrap();
            let expected = allowed.is_some_and(|least| {
                cleartext == Cleartext::Node
                    || cleartext == Cleartext::Loopback && least == Cleartext::Loopback
            });
            assert_eq!(http.client(&url).is_ok(), expected, "{url} {cleartext:?}");
        }
    }
    assert_eq!(
        kind(&Request::get("http://registry.example.com/")),
        Kind::Cleartext
    );
    let http = Http::new(Instant::now(), Cleartext::Anywhere).unwrap();
    assert!(
        http.client(&Url::parse("http://gateway.example.com:1994/").unwrap())
            .is_ok()
    );
    assert!(
        http.client(&Url::parse("ftp://gateway.example.com/").unwrap())
            .is_err()
    );
}

#[test]
fn what_no_header_can_carry_is_refused_and_not_quoted() {
    let fault = send(
        &Request::get("https://a.example/").bearer(&"hunter2\n".into()),
        Cleartext::Never,
    )
    .unwrap_err();
    assert_eq!(fault.kind(), Kind::Request);
    assert!(!fault.error("x").to_string().contains("hunter2"));
    let debug = format!("{:?}", secret_post("https://a.example/"));
    assert!(!debug.contains("hunter2"), "{debug}");
}
