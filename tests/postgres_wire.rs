//! The postgres store with an untrusted server: what it sends, and how much it accepts.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Answer, Node};

const WORKSPACE: &str = "11111111-1111-4111-8111-111111111111";
/// `R`, its length, and 3: the password is wanted in clear.
const WANTS_THE_PASSWORD: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
/// `R`, its length, and 0: let in.
const LETS_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0";
/// `Z`, its length, and `I`: ready for a query.
const IS_READY: &[u8] = b"Z\0\0\0\x05I";
/// `N`, its length, and no field: the smallest notice there is.
const NOTICE: &[u8] = b"N\0\0\0\x05\0";
/// One that says something.
const WHOLE_NOTICE: &[u8] = b"N\0\0\0\x17SNOTICE\0C00000\0Mx\0\0";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// Asks for the password in clear, and records the answer.
    Listens,
    /// Accepts everybody, and sends notices before it is ready.
    FloodsBeforeItIsReady,
    /// It sends notices in place of an answer.
    Floods,
    /// It announces one message of a gigabyte.
    FloodsWithOneMessage,
}

/// A server without TLS: its port, what it has heard, and how many bytes it could send.
fn serve(server: Server) -> (u16, Arc<Mutex<Vec<u8>>>, Arc<Mutex<u64>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, sent) = (
        Arc::<Mutex<Vec<u8>>>::default(),
        Arc::<Mutex<u64>>::default(),
    );
    let (ears, mouth) = (heard.clone(), sent.clone());
    thread::spawn(move || {
        for stream in listener.incoming() {
            converse(server, stream.unwrap(), &ears, &mouth);
        }
    });
    (port, heard, sent)
}

fn converse(
    server: Server,
    mut stream: TcpStream,
    heard: &Mutex<Vec<u8>>,
    sent: &Mutex<u64>,
) -> Option<()> {
    let mut buffer = [0; 4096];
    let mut hear = |stream: &mut TcpStream| {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        heard.lock().unwrap().extend_from_slice(&buffer[..count]);
        // The request for TLS has a length of eight, and its own number.
        Some(buffer[..count].starts_with(b"\0\0\0\x08\x04\xd2\x16\x2f"))
    };
    if hear(&mut stream)? {
        stream.write_all(b"N").ok()?;
        hear(&mut stream)?;
    }
    let notices = match server {
        Server::Floods => WHOLE_NOTICE.repeat(10_000),
        _ => NOTICE.repeat(10_000),
    };
    let flood = |stream: &mut TcpStream, bytes: &[u8]| {
        while stream.write_all(bytes).is_ok() {
            *sent.lock().unwrap() += bytes.len() as u64;
        }
    };
    match server {
        Server::Listens => {
            stream.write_all(WANTS_THE_PASSWORD).ok()?;
            hear(&mut stream)?;
        }
        Server::FloodsBeforeItIsReady => {
            stream.write_all(LETS_IN).ok()?;
            flood(&mut stream, &notices);
        }
        Server::Floods | Server::FloodsWithOneMessage => {
            stream.write_all(&[LETS_IN, IS_READY].concat()).ok()?;
            hear(&mut stream)?;
            if server == Server::FloodsWithOneMessage {
                stream.write_all(b"D\x40\0\0\0").ok()?;
            }
            flood(&mut stream, &notices);
        }
    }
    None
}

fn node(place: &str, options: &str) -> Node {
    let url = format!("postgres://beta9:hunter2-password@{place}/beta9{options}");
    let node = Node::new()
        .with("BETA9_STORE", "postgres")
        .with("BETA9_DATABASE_URL", url);
    node.with("BETA9_WORKSPACE_ID", WORKSPACE)
        .with("BETA9_TIMEOUT", "60s")
}

fn heard(server: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&std::mem::take(&mut *server.lock().unwrap())).into_owned()
}

#[test]
fn over_a_network_no_password_goes_to_a_server_without_tls_unless_the_url_says_so() {
    let (port, server, _) = serve(Server::Listens);
    // Not an address of loopback's, which nevertheless leads there.
    let far = format!("0.0.0.0:{port}");
    for options in [
        "",
        "?sslmode=require",
        "?sslmode=verify-full",
        "?application_name=x",
    ] {
        let answer = node(&far, options).get("ghcr.io");
        assert!(
            answer
                .failure()
                .contains(&format!("{far} offers no TLS, which sslmode=")),
            "{options} {answer:?}"
        );
        assert!(
            answer
                .out
                .contains("set sslmode=disable in the connection URL"),
            "{answer:?}"
        );
        assert!(!heard(&server).contains("hunter2"), "{options}");
    }
    for (place, options) in [
        (&far, "?sslmode=disable"),
        (&far, "?sslmode=prefer"),
        (&format!("127.0.0.1:{port}"), ""),
    ] {
        assert_eq!(node(place, options).get("ghcr.io").status, 1);
        assert!(
            heard(&server).contains("hunter2-password"),
            "{place} {options}"
        );
    }
}

#[test]
fn a_server_that_floods_is_given_up_with_an_error_that_says_so() {
    for (server, limit) in [
        (Server::FloodsBeforeItIsReady, 1 << 20),
        (Server::Floods, 16 << 20),
        (Server::FloodsWithOneMessage, 16 << 20),
    ] {
        let (port, _, sent) = serve(server);
        let answer: Answer = node(&format!("127.0.0.1:{port}"), "").get("ghcr.io");
        assert!(
            answer
                .failure()
                .contains("sent more than 16 MiB, or more than 1 MiB before the login"),
            "{answer:?}"
        );
        // Beside what was read, some lies in the kernel's buffers.
        let sent = *sent.lock().unwrap();
        assert!(sent < limit + (16 << 20), "{sent}");
    }
}
