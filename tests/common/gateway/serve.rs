//! Connections: each has a thread, which answers as the mood is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{MutexGuard, PoisonError};
use std::thread;

use serde_json::json;

use super::wire::{Answer, Request};
use super::{Mood, PATIENCE, Shared, State};

/// A connection that somebody serves; it counts until they have done, or have panicked.
pub(super) struct Open<'a>(pub(super) &'a Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .open -= 1;
        self.0.moved.notify_all();
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn come(&self, stream: &TcpStream) {
        let mut state = self.state();
        state.open += 1;
        // One that has gone again already has no address, and nobody waits for it.
        state.came.extend(stream.peer_addr());
        self.moved.notify_all();
    }

    pub(super) fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        match &self.tls {
            None => self.converse(stream),
            Some(config) => {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                self.converse(rustls::StreamOwned::new(connection, stream));
            }
        }
    }

    /// Answers requests until the client goes away, or the mood says to break off.
    fn converse(&self, mut stream: impl Read + Write) {
        while let Some(request) = Request::read(&mut stream) {
            self.in_company(&request);
            let Some(answer) = self.in_mood(&request) else {
                return;
            };
            self.hold_back();
            let answer = answer.dated(self.state().clock);
            if stream
                .write_all(&answer.bytes)
                .and_then(|()| stream.flush())
                .is_err()
                || answer.last
            {
                return;
            }
        }
    }

    /// Waits for the rest of the batch.
    fn in_company(&self, request: &Request) {
        let mut state = self.state();
        state
            .requests
            .push(format!("{} {}", request.method, request.path));
        let Some(size) = state.batches.front().copied() else {
            return;
        };
        state.arrived += 1;
        let generation = state.generation;
        if state.arrived == size {
            state.batches.pop_front();
            state.arrived = 0;
            state.generation += 1;
            self.moved.notify_all();
            return;
        }
        let alone = |state: &mut State| state.generation == generation;
        let (mut state, timeout) = self
            .moved
            .wait_timeout_while(state, PATIENCE, alone)
            .unwrap();
        state.lonely |= timeout.timed_out();
    }

    fn hold_back(&self) {
        let mut state = self.state();
        if state.held.skip > 0 || state.held.wanted == 0 {
            state.held.skip = state.held.skip.saturating_sub(1);
            return;
        }
        state.held.wanted -= 1;
        state.held.waiting += 1;
        self.moved.notify_all();
        drop(
            self.moved
                .wait_while(state, |state| state.held.waiting > 0)
                .unwrap(),
        );
    }

    /// `None` to break off without an answer.
    fn in_mood(&self, request: &Request) -> Option<Answer> {
        let mood = self.state().mood.clone().unwrap_or(Mood::Well);
        match mood {
            Mood::LoseAnswersToChanges(left) if request.method != "GET" => {
                self.state().mood = Some(if left > 1 {
                    Mood::LoseAnswersToChanges(left - 1)
                } else {
                    Mood::Well
                });
                self.state().answer(request);
                None
            }
            Mood::HangOnChange if request.method != "GET" => {
                self.state().answer(request);
                thread::sleep(PATIENCE);
                None
            }
            Mood::Well
            | Mood::HangOnChange
            | Mood::DatabaseDown { .. }
            | Mood::LoseAnswersToChanges(_) => Some(self.state().answer(request)),
            Mood::Status(status) => Some(Answer::of(status, &json!({"error": "hunter2 body"}))),
            Mood::Slow(time) => {
                thread::sleep(time);
                Some(self.state().answer(request))
            }
            Mood::Hang => {
                thread::sleep(PATIENCE);
                None
            }
            Mood::Flapping => {
                let odd = self.state().requests.len() % 2 == 1;
                if odd {
                    Some(Answer::of(503, &json!({"error": "hunter2 body"})))
                } else {
                    Some(self.state().answer(request))
                }
            }
            Mood::Truncated => {
                let mut answer = self.state().answer(request);
                answer.bytes.truncate(answer.bytes.len() - 3);
                answer.last = true;
                Some(answer)
            }
            Mood::LoseAnswers(left) => {
                self.state().mood = Some(if left > 1 {
                    Mood::LoseAnswers(left - 1)
                } else {
                    Mood::Well
                });
                self.state().answer(request);
                None
            }
            Mood::Redirect(place) => Some(Answer::raw(
                307,
                &format!("Location: {place}{}\r\n", request.path),
                "",
            )),
            Mood::Page(status) => Some(Answer::raw(
                status,
                "Content-Type: text/html\r\n",
                "<html>hunter2</html>",
            )),
        }
    }
}
