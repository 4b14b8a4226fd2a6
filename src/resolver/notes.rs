//! Cached answers of remote stores: misses, last answers and lists. A change to the store, or its refusal, invalidates
//! earlier ones.

use std::time::{Duration, Instant};

use super::Resolver;
use crate::cache::{Asked, Memory, Recalled};
use crate::error::Error;
use crate::host::{Host, ImageRef};
use crate::keys::Blob;
use crate::registry::detect;
use crate::store::{Found, Keep, Lookup, Store};

/// The cached answers about one subject, a host or an image, in one store.
pub(super) struct Notes<'a> {
    memory: &'a Memory<'a>,
    stale_if_error: Duration,
    /// The kind of its last answer.
    kind: &'static str,
    /// What invalidates them when it changes, besides the store.
    changeable: [&'a str; 2],
    /// The store, with the account that this process uses.
    store: Vec<&'a str>,
    /// The host or the image, and how this process asks for it.
    subject: Vec<&'a str>,
}

impl Resolver {
    /// The cached answers for a look-up of a host in a store.
    pub(super) fn notes<'a>(
        &'a self,
        memory: &'a Memory<'a>,
        store: &'a Store,
        lookup: &Lookup<'a>,
    ) -> Notes<'a> {
        let (host, secret) = (lookup.host.as_str(), lookup.secret.unwrap_or_default());
        let subject = [host, secret, lookup.singles.name()].into_iter();
        let named = lookup.named.iter().map(String::as_str);
        self.notes_about(memory, store, [HOST, host], subject.chain(named))
    }

    /// The notes about an image in the workspace store, as this process asks for it.
    pub(super) fn image_notes<'a>(
        &'a self,
        memory: &'a Memory<'a>,
        image_id: &'a str,
        image: Option<&'a ImageRef>,
    ) -> Notes<'a> {
        let reference = image.map_or(["", ""], |image| [image.host.as_str(), &image.repository]);
        let subject = [image_id].into_iter().chain(reference);
        let kind = IMAGE;
        Notes {
            kind,
            ..self.notes_about(memory, &self.workspace, EVERY_IMAGE, subject)
        }
    }

    fn notes_about<'a>(
        &'a self,
        memory: &'a Memory<'a>,
        store: &'a Store,
        changeable: [&'a str; 2],
        subject: impl Iterator<Item = &'a str>,
    ) -> Notes<'a> {
        let store = self.store_subject(store);
        Notes {
            memory,
            stale_if_error: self.config.cache.stale_if_error,
            kind: ANSWER,
            changeable,
            subject: store.iter().copied().chain(subject).collect(),
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

impl Notes<'_> {
    fn recall(&self, kind: &str) -> Option<Recalled> {
        let changeable: [&[&str]; 2] = [&self.changeable, &self.store];
        self.memory
            .recall_unchanged(kind, &self.subject, &changeable)
    }

    /// The last answer, if it is recent enough.
    pub(super) fn last(&self) -> Option<Recalled> {
        let last = self.recall(self.kind)?;
        (last.age < self.stale_if_error).then_some(last)
    }

    /// The last answer about a host, if it is recent enough.
    pub(super) fn last_found(&self, host: &Host) -> Option<Found> {
        let blob = Blob::parse(self.last()?.text.expose()).ok()?;
        (blob.registry.as_ref() == Some(host)).then(|| Found::of(blob, Keep::Disk))
    }

    /// Caches an answer for when the store can't be reached. An equal answer is rewritten only after half of its life.
    pub(super) fn keep(&self, text: &str, last: Option<&Recalled>, asked: Asked) {
        let is_noted =
            |last: &Recalled| last.text.expose() == text && last.age < self.stale_if_error / 2;
        if !last.is_some_and(is_noted) {
            self.memory
                .note_answer(self.kind, &self.subject, text, asked, self.stale_if_error);
        }
    }

    /// The same for an answer about a host.
    pub(super) fn keep_found(&self, host: &Host, found: &Found, asked: Asked) {
        if self.stale_if_error.is_zero() {
            return;
        }
        let (keys, end) = (&found.keys, found.times.expires_at);
        let blob = Blob::marshal_until(host.as_reference(), detect(host, keys), keys, end);
        self.keep(blob.expose(), self.recall(self.kind).as_ref(), asked);
    }

    /// The store failed although it can be reached, so its last answer must not be used. If it refused this process,
    /// none of its answers may be.
    pub(super) fn refused(&self, error: &Error) {
        self.memory.forget(self.kind, &self.subject);
        if error.is_refusal() {
            self.memory.mark(&self.store, None);
        }
    }

    /// Whether a miss is cached.
    pub(super) fn is_missed(&self) -> bool {
        self.recall(MISS).is_some()
    }

    /// Caches a miss.
    pub(super) fn miss(&self, asked: Asked) {
        self.memory
            .note_answer(MISS, &self.subject, "", asked, MISS_LIFE);
        self.memory.forget(self.kind, &self.subject);
    }

    /// Marks that the host's entry changes, by the deadline `until` at the latest, or has changed. Which images it is in
    /// isn't known.
    pub(super) fn mark(&self, until: Option<Instant>) {
        for what in [self.changeable, EVERY_IMAGE] {
            self.memory.mark(&what, until);
        }
    }

    /// Marks that the host's entry has changed. If `done` is false, it may have: the request may have been executed
    /// although it was not answered in time. The cached list is then kept, because it has no secrets.
    pub(super) fn changed(&self, done: bool) {
        self.mark(None);
        for kind in [MISS, self.kind] {
            self.memory.forget(kind, &self.subject);
        }
        if done {
            self.memory.mark(&EVERY_HOST, None);
            self.memory.forget(LIST, &self.store);
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
