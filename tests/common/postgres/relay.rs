//! A relay in front of the server that counts what passes, and can be told to misbehave.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What it does with a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Passes everything on.
    Faithful,
    /// Closes the connection at once.
    Closes,
    /// Takes the connection and says nothing.
    Silent,
    /// Closes the connection where the client asks its query.
    CutsTheQuery,
    /// Answers as a server without TLS does.
    NoTls,
    /// Each answer comes three seconds late.
    Slow,
}

pub struct Relay {
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    seen: Arc<Seen>,
}

/// What clients sent.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    /// How often a client waited for the server: its bytes came after the server's, or first of all.
    turns: AtomicUsize,
    /// Parse and Query messages.
    queries: AtomicUsize,
}

impl Relay {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, seen) = (
            Arc::new(Mutex::new(Mood::Faithful)),
            Arc::new(Seen::default()),
        );
        let relay = Self {
            port,
            mood: Arc::clone(&mood),
            seen: Arc::clone(&seen),
        };
        thread::spawn(move || {
            for client in listener.incoming() {
                let (mood, seen) = (*mood.lock().unwrap(), Arc::clone(&seen));
                thread::spawn(move || pass(client.unwrap(), server, mood, &seen));
            }
        });
        relay
    }

    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Connections, round trips after the connection is there, and queries since the last time.
    pub fn take_counts(&self) -> (usize, usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (
            take(&self.seen.connections),
            take(&self.seen.turns),
            take(&self.seen.queries),
        )
    }
}

fn pass(mut client: TcpStream, server: u16, mood: Mood, seen: &Arc<Seen>) {
    seen.connections.fetch_add(1, Ordering::SeqCst);
    match mood {
        Mood::Closes => return,
        Mood::Silent => {
            _ = client.read_to_end(&mut Vec::new());
            return;
        }
        Mood::NoTls => {
            _ = client.read(&mut [0; 64]);
            _ = client.write_all(b"N");
            _ = client.read_to_end(&mut Vec::new());
            return;
        }
        Mood::Faithful | Mood::CutsTheQuery | Mood::Slow => {}
    }
    let mut upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
    let answered = Arc::new(Mutex::new(true));
    let (mut down, mut from) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
    let answering = Arc::clone(&answered);
    thread::spawn(move || {
        let mut buffer = [0; 16384];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            *answering.lock().unwrap() = true;
            if mood == Mood::Slow {
                thread::sleep(Duration::from_secs(3));
            }
            if down.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        _ = down.shutdown(Shutdown::Both);
    });
    let mut first = true;
    let mut buffer = [0; 16384];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let asks = !first && matches!(buffer[0], b'P' | b'Q');
        // A client that only says goodbye waits for nothing.
        if std::mem::take(&mut *answered.lock().unwrap()) && (first || buffer[0] != b'X') {
            seen.turns.fetch_add(1, Ordering::SeqCst);
        }
        seen.queries.fetch_add(usize::from(asks), Ordering::SeqCst);
        first = false;
        if asks && mood == Mood::CutsTheQuery {
            break;
        }
        if upstream.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    _ = upstream.shutdown(Shutdown::Both);
    _ = client.shutdown(Shutdown::Both);
}
