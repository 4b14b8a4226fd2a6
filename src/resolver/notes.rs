//! Cached answers of remote stores: misses, last answers and lists. A change to the store, or its refusal, invalidates
//! earlier ones.

use std::time::{Duration, Instant};

use super::Resolver;
use crate::cache::{Asked, Memory, Recalled};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::{Host, ImageRef};
use crate::json;
use crate::keys::Blob;
use crate::registry::detect;
use crate::store::{Found, Keep, Lookup, Store};

/// The cached answers about one subject in one store.
struct Answers<'a> {
    memory: &'a Memory<'a>,
    stale_if_error: Duration,
    /// What invalidates them when it changes, besides the store.
    changeable: [&'a str; 2],
    /// The store, with the account that this process uses.
    store: Vec<&'a str>,
    /// The host or the image, and how this process asks for it.
    subject: Vec<&'a str>,
}

/// The cached answers for one host in one store.
pub(super) struct Notes<'a> {
    host: &'a Host,
    answers: Answers<'a>,
}

/// The cached answers for one image in the workspace store.
pub(super) struct ImageNotes<'a>(Answers<'a>);

/// The last payloads of an image.
pub(super) struct LastPayloads {
    pub(super) payloads: Vec<(Redacted, Keep)>,
    noted: Recalled,
}

impl Resolver {
    /// The cached answers for a look-up in a store.
    pub(super) fn notes<'a>(
        &'a self,
        memory: &'a Memory<'a>,
        store: &'a Store,
        lookup: &Lookup<'a>,
    ) -> Notes<'a> {
        let host = [
            lookup.host.as_str(),
            lookup.secret.unwrap_or_default(),
            lookup.singles.name(),
        ];
        let store = self.store_subject(store);
        let subject = store
            .iter()
            .copied()
            .chain(host)
            .chain(lookup.named.iter().map(String::as_str))
            .collect();
        Notes {
            host: lookup.host,
            answers: Answers {
                memory,
                stale_if_error: self.config.cache.stale_if_error,
                changeable: [HOST, lookup.host.as_str()],
                store,
                subject,
            },
        }
    }

    /// The notes about an image, as this process asks for it.
    pub(super) fn image_notes<'a>(
        &'a self,
        memory: &'a Memory<'a>,
        image_id: &'a str,
        image: Option<&'a ImageRef>,
    ) -> ImageNotes<'a> {
        let reference = image.map_or(["", ""], |image| [image.host.as_str(), &image.repository]);
        let store = self.store_subject(&self.workspace);
        let subject = store.iter().copied().chain([image_id]).chain(reference);
        ImageNotes(Answers {
            memory,
            stale_if_error: self.config.cache.stale_if_error,
            changeable: EVERY_IMAGE,
            subject: subject.collect(),
            store,
        })
    }

    /// A store, identified by workspace, address and account.
    fn store_subject<'a>(&'a self, store: &'a Store) -> Vec<&'a str> {
        [store.name(), &self.config.workspace]
            .into_iter()
            .chain(store.identity())
            .collect()
    }

    /// A store's last list, as serialized.
    pub(super) fn last_list(&self, memory: &Memory, store: &Store) -> Option<Recalled> {
        let subject = self.store_subject(store);
        memory.recall_unchanged(LIST, &subject, &[&EVERY_HOST, &subject])
    }

    /// Caches a list of a store that was asked at `asked`.
    pub(super) fn keep_list(&self, memory: &Memory, store: &Store, text: &str, asked: Asked) {
        memory.note_answer(LIST, &self.store_subject(store), text, asked, Duration::MAX);
    }

    /// If the store refused this process, earlier answers are no longer for it, so they are discarded.
    pub(super) fn refused_by(&self, memory: &Memory, store: &Store, error: &Error) {
        if error.is_refusal() {
            memory.mark(&self.store_subject(store), None);
        }
    }

    /// Records a change to the workspace store that may affect any host.
    pub(super) fn changed_somewhere(&self) {
        if let Some(cache) = self
            .workspace
            .is_remote()
            .then(|| self.cache_that_exists())
            .flatten()
        {
            cache
                .memory()
                .mark(&self.store_subject(&self.workspace), None);
        }
    }
}

impl Answers<'_> {
    fn recall(&self, kind: &str) -> Option<Recalled> {
        self.memory
            .recall_unchanged(kind, &self.subject, &[&self.changeable, &self.store])
    }

    /// The last answer, if it is recent enough.
    fn last(&self, kind: &str) -> Option<Recalled> {
        self.recall(kind)
            .filter(|last| last.age < self.stale_if_error)
    }

    /// Caches an answer for when the store can't be reached. An equal answer is rewritten only after half of its life.
    fn keep(&self, kind: &str, text: &str, last: Option<&Recalled>, asked: Asked) {
        let is_noted =
            |last: &Recalled| last.text.expose() == text && last.age < self.stale_if_error / 2;
        if !last.is_some_and(is_noted) {
            self.memory
                .note_answer(kind, &self.subject, text, asked, self.stale_if_error);
        }
    }

    /// The store failed although it can be reached, so its last answer must not be used. If it refused this process,
    /// none of its answers may be.
    fn refused(&self, kind: &str, error: &Error) {
        self.memory.forget(kind, &self.subject);
        if error.is_refusal() {
            self.memory.mark(&self.store, None);
        }
    }
}

impl ImageNotes<'_> {
    /// The last payloads, if they are recent enough.
    pub(super) fn last(&self) -> Option<LastPayloads> {
        let noted = self.0.last(IMAGE)?;
        let texts: Vec<Redacted> = json::parse(noted.text.expose().as_bytes()).ok()?;
        let payloads = texts.into_iter().map(|text| (text, Keep::Disk)).collect();
        Some(LastPayloads { payloads, noted })
    }

    /// Caches the payloads, as [`Notes::keep`] does, unless one of them must not be on a disk.
    pub(super) fn keep(
        &self,
        payloads: &[(Redacted, Keep)],
        last: Option<&LastPayloads>,
        asked: Asked,
    ) {
        if payloads.iter().all(|(_, keep)| *keep == Keep::Disk) {
            let texts: Vec<&str> = payloads.iter().map(|(text, _)| text.expose()).collect();
            let last = last.map(|last| &last.noted);
            self.0.keep(IMAGE, &json::text(&texts), last, asked);
        }
    }

    /// See [`Notes::refused`].
    pub(super) fn refused(&self, error: &Error) {
        self.0.refused(IMAGE, error);
    }
}

impl Notes<'_> {
    /// Whether a miss is cached.
    pub(super) fn is_missed(&self) -> bool {
        self.answers.recall(MISS).is_some()
    }

    /// Caches a miss.
    pub(super) fn miss(&self, asked: Asked) {
        self.answers
            .memory
            .note_answer(MISS, &self.answers.subject, "", asked, MISS_LIFE);
        self.answers.memory.forget(ANSWER, &self.answers.subject);
    }

    /// Caches an answer for when the store can't be reached. An equal answer is rewritten only after half of its life.
    pub(super) fn keep(&self, found: &Found, asked: Asked) {
        if self.answers.stale_if_error.is_zero() {
            return;
        }
        let blob = Blob::marshal_until(
            self.host.as_reference(),
            detect(self.host, &found.keys),
            &found.keys,
            found.times.expires_at,
        );
        let last = self.answers.recall(ANSWER);
        self.answers
            .keep(ANSWER, blob.expose(), last.as_ref(), asked);
    }

    /// The store's last answer, if it is recent enough.
    pub(super) fn last_answer(&self) -> Option<Found> {
        let last = self.answers.last(ANSWER)?;
        let blob = Blob::parse(last.text.expose())
            .ok()
            .filter(|blob| blob.registry.as_ref() == Some(self.host))?;
        Some(Found::of(blob, Keep::Disk))
    }

    /// The store failed although it can be reached, so its last answer must not be used. If it refused this process,
    /// none of its answers may be.
    pub(super) fn refused(&self, error: &Error) {
        self.answers.refused(ANSWER, error);
    }

    /// Marks that the host's entry is about to change, by `deadline` at the latest. Which images it is in isn't known.
    pub(super) fn changing(&self, deadline: Instant) {
        self.mark(Some(deadline));
    }

    /// Marks that the host's entry has changed. If `done` is false, it may have: the request may have been executed
    /// although it was not answered in time. The cached list is then kept, because it has no secrets.
    pub(super) fn changed(&self, done: bool) {
        self.mark(None);
        let Answers {
            memory,
            store,
            subject,
            ..
        } = &self.answers;
        for kind in [MISS, ANSWER] {
            memory.forget(kind, subject);
        }
        if done {
            memory.mark(&EVERY_HOST, None);
            memory.forget(LIST, store);
        }
    }

    fn mark(&self, until: Option<Instant>) {
        for what in [self.answers.changeable, EVERY_IMAGE] {
            self.answers.memory.mark(&what, until);
        }
    }
}

const MISS: &str = "miss";
const ANSWER: &str = "answer";
const LIST: &str = "list";
const IMAGE: &str = "image";
/// Marks are per host, regardless of the account and the way that the store is asked.
const HOST: &str = "host";
const EVERY_HOST: [&str; 1] = ["hosts"];
const EVERY_IMAGE: [&str; 2] = ["images", "all"];
pub(super) const MISS_LIFE: Duration = Duration::from_secs(5);
