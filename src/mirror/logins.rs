//! `Logins`: the login for each registry and repository, cached in memory while valid. For each repository, one request
//! looks it up, and the others wait for the result.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::errors::Refusal;
use crate::credential::Redacted;

/// A login for a registry.
pub(super) struct Login {
    /// Scheme and host of the registry.
    pub(super) base: String,
    /// The `Authorization` header's value.
    pub(super) shown: Option<Redacted>,
    /// Whether it is based on a credential.
    pub(super) known: bool,
}

/// The result of a login, and how long it is valid.
pub(super) type Outcome = (Result<Arc<Login>, Refusal>, Duration);

/// A registry's name and a repository.
type Key = (String, String);
type Slot = Arc<tokio::sync::Mutex<Option<(Result<Arc<Login>, Refusal>, Instant)>>>;

/// The cached logins.
#[derive(Default)]
pub(super) struct Logins(Mutex<HashMap<Key, Slot>>);

impl Logins {
    /// The cached login for a repository, or the result of `log_in`.
    pub(super) async fn of(
        &self,
        key: &Key,
        log_in: impl Future<Output = Outcome>,
    ) -> Result<Arc<Login>, Refusal> {
        let slot = self.slot(key);
        let mut known = slot.lock().await;
        if let Some((outcome, end)) = &*known
            && Instant::now() < *end
        {
            return outcome.clone();
        }
        let (outcome, life) = log_in.await;
        *known = Some((outcome.clone(), Instant::now() + life));
        outcome
    }

    /// Removes a login that the registry refused, unless it has been replaced.
    pub(super) async fn forget(&self, key: &Key, refused: &Arc<Login>) {
        let slot = self.slot(key);
        let mut known = slot.lock().await;
        if matches!(&*known, Some((Ok(login), _)) if Arc::ptr_eq(login, refused)) {
            *known = None;
        }
    }

    fn slot(&self, key: &Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(key) {
            let now = Instant::now();
            // Keep entries that requests are waiting for.
            let is_good = |slot: &Slot| {
                let known = slot.try_lock();
                known.is_ok_and(|known| known.as_ref().is_some_and(|(_, end)| now < *end))
            };
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || is_good(slot));
            if slots.len() >= MOST {
                slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

/// More repositories than a node pulls from during a token's life.
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn login() -> Arc<Login> {
        Arc::new(Login {
            base: "https://r.example".into(),
            shown: Some("Bearer t".into()),
            known: true,
        })
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    fn key(repository: &str) -> Key {
        ("r.example".into(), repository.into())
    }

    #[test]
    fn a_thousand_at_once_log_in_once_and_again_after_the_end_or_a_refusal() {
        let (logins, count) = (Arc::new(Logins::default()), Arc::new(AtomicUsize::new(0)));
        let ask = |life: Duration| {
            let (logins, count) = (Arc::clone(&logins), Arc::clone(&count));
            async move {
                let log_in = async {
                    tokio::task::yield_now().await;
                    count.fetch_add(1, Ordering::Relaxed);
                    (Ok(login()), life)
                };
                logins.of(&key("a"), log_in).await.ok().unwrap()
            }
        };
        run(async {
            let hour = Duration::from_hours(1);
            let mut all: Vec<_> = (0..1000).map(|_| tokio::spawn(ask(hour))).collect();
            let first = all.pop().unwrap().await.unwrap();
            for one in all {
                assert!(Arc::ptr_eq(&one.await.unwrap(), &first));
            }
            assert_eq!(count.load(Ordering::Relaxed), 1);
            logins.forget(&key("a"), &login()).await;
            ask(hour).await;
            assert_eq!(
                count.load(Ordering::Relaxed),
                1,
                "another login was refused"
            );
            logins.forget(&key("a"), &first).await;
            ask(Duration::ZERO).await;
            assert_eq!(count.load(Ordering::Relaxed), 2);
            ask(hour).await;
            assert_eq!(count.load(Ordering::Relaxed), 3, "the second had ended");
        });
    }

    #[test]
    fn memory_is_bounded_whatever_is_asked_for() {
        let logins = Logins::default();
        run(async {
            for at in 0..MOST * 2 {
                let known = async { (Ok(login()), Duration::from_hours(1)) };
                logins.of(&key(&at.to_string()), known).await.ok().unwrap();
            }
        });
        assert!(logins.0.lock().unwrap().len() <= MOST);
    }
}
