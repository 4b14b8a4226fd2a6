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

/// The cached answers for one host in one store.
pub(super) struct Notes<'a> {
    memory: &'a Memory<'a>,
    host: &'a Host,
    stale_if_error: Duration,
    /// The store, with the account that this process uses.
    store: Vec<&'a str>,
    /// The host, and how this process looks for it.
    subject: Vec<&'a str>,
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
            memory,
            host: lookup.host,
            stale_if_error: self.config.cache.stale_if_error,
            store,
            subject,
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
        ImageNotes {
            memory,
            stale_if_error: self.config.cache.stale_if_error,
            subject: subject.collect(),
            store,
        }
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

/// What is remembered of one image in the workspace store.
pub(super) struct ImageNotes<'a> {
    memory: &'a Memory<'a>,
    stale_if_error: Duration,
    store: Vec<&'a str>,
    subject: Vec<&'a str>,
}

/// The payloads of an image, as they were last.
pub(super) struct LastPayloads {
    pub(super) payloads: Vec<(Redacted, Keep)>,
    noted: Recalled,
}

impl ImageNotes<'_> {
    /// What was answered last, if that is not too long ago.
    pub(super) fn last(&self) -> Option<LastPayloads> {
        let changeable: [&[&str]; 2] = [&EVERY_HOST, &self.store];
        let noted = self
            .memory
            .recall_unchanged(IMAGE, &self.subject, &changeable)
            .filter(|noted| noted.age < self.stale_if_error)?;
        let texts: Vec<Redacted> = json::parse(noted.text.expose().as_bytes()).ok()?;
        let payloads = texts.into_iter().map(|text| (text, Keep::Disk)).collect();
        Some(LastPayloads { payloads, noted })
    }

    /// Notes an answer, as [`Notes::keep`] does.
    pub(super) fn keep(
        &self,
        payloads: &[(Redacted, Keep)],
        last: Option<&LastPayloads>,
        asked: Asked,
    ) {
        let texts: Vec<&str> = payloads.iter().map(|(text, _)| text.expose()).collect();
        let text = json::text(&texts);
        let is_noted = |last: &LastPayloads| {
            last.noted.text.expose() == text.as_str() && last.noted.age < self.stale_if_error / 2
        };
        if payloads.iter().all(|(_, keep)| *keep == Keep::Disk) && !last.is_some_and(is_noted) {
            self.memory
                .note_answer(IMAGE, &self.subject, &text, asked, self.stale_if_error);
        }
    }

    /// As [`Notes::refused`].
    pub(super) fn refused(&self, error: &Error) {
        self.memory.forget(IMAGE, &self.subject);
        if error.is_refusal() {
            self.memory.mark(&self.store, None);
        }
    }
}

impl Notes<'_> {
    /// Whether a miss is cached.
    pub(super) fn is_missed(&self) -> bool {
        self.recall(MISS).is_some()
    }

    /// Caches a miss.
    pub(super) fn miss(&self, asked: Asked) {
        self.memory
            .note_answer(MISS, &self.subject, "", asked, MISS_LIFE);
        self.memory.forget(ANSWER, &self.subject);
    }

    /// Caches an answer for when the store can't be reached. An equal answer is rewritten only after half of its life.
    pub(super) fn keep(&self, found: &Found, asked: Asked) {
        if self.stale_if_error.is_zero() {
            return;
        }
        let blob = Blob::marshal_until(
            self.host.as_reference(),
            detect(self.host, &found.keys),
            &found.keys,
            found.times.expires_at,
        );
        let noted = self.recall(ANSWER);
        if !noted.is_some_and(|noted| noted.text == blob && noted.age < self.stale_if_error / 2) {
            self.memory.note_answer(
                ANSWER,
                &self.subject,
                blob.expose(),
                asked,
                self.stale_if_error,
            );
        }
    }

    /// The store's last answer, if it is recent enough.
    pub(super) fn last_answer(&self) -> Option<Found> {
        let last = self
            .recall(ANSWER)
            .filter(|last| last.age < self.stale_if_error)?;
        let blob = Blob::parse(last.text.expose())
            .ok()
            .filter(|blob| blob.registry.as_ref() == Some(self.host))?;
        Some(Found::of(blob, Keep::Disk))
    }

    /// The store failed although it can be reached, so its last answer must not be used. If it refused this process,
    /// none of its answers may be.
    pub(super) fn refused(&self, error: &Error) {
        self.memory.forget(ANSWER, &self.subject);
        if error.is_refusal() {
            self.memory.mark(&self.store, None);
        }
    }

    /// Marks that the host's entry is about to change, by `deadline` at the latest.
    pub(super) fn changing(&self, deadline: Instant) {
        self.memory.mark(&self.changed_host(), Some(deadline));
    }

    /// Marks that the host's entry has changed. If `done` is false, it may have: the request may have been executed
    /// although it was not answered in time. The cached list is then kept, because it has no secrets.
    pub(super) fn changed(&self, done: bool) {
        self.memory.mark(&self.changed_host(), None);
        for kind in [MISS, ANSWER] {
            self.memory.forget(kind, &self.subject);
        }
        if done {
            self.memory.mark(&EVERY_HOST, None);
            self.memory.forget(LIST, &self.store);
        }
    }

    fn changed_host(&self) -> [&str; 2] {
        [HOST, self.host.as_str()]
    }

    fn recall(&self, kind: &str) -> Option<Recalled> {
        self.memory
            .recall_unchanged(kind, &self.subject, &[&self.changed_host(), &self.store])
    }
}

const MISS: &str = "miss";
const ANSWER: &str = "answer";
const LIST: &str = "list";
const IMAGE: &str = "image";
/// Marks are per host, regardless of the account and the way that the store is asked.
const HOST: &str = "host";
const EVERY_HOST: [&str; 1] = ["hosts"];
pub(super) const MISS_LIFE: Duration = Duration::from_secs(5);
