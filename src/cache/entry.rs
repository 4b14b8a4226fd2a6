//! The format of a cached token, version 3, and the rules for how long it is valid.
//!
//! ```text
//! beta9-token 3\n                          format and version
//! minted, boot clock, expires              three u64 of seconds, big-endian
//! sealed: the origin's six lines, user name \n secret
//! ```
//!
//! The times are in clear text, and are bound with the file's name as associated data. A hit skips the origin, which is
//! for `status` and `refresh`. A token of an older version is a miss.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use zeroize::Zeroizing;

use super::TokenId;
use super::clock::{Moment, numbers};
use super::origin::{self, Origin};
use crate::credential::Credential;
use crate::seal::SealKey;
use crate::token::Minted;

/// A cached token.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) credential: Credential,
    pub(super) minted: Moment,
    expires: u64,
    /// A hash of the file's name. The name depends on the node's key, so it differs between nodes.
    seed: u64,
}

/// Whether a token is still valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Valid, and not yet due for renewal on this node.
    Fresh,
    /// Valid, and due for renewal by a process that can do it without waiting.
    Due,
    /// No longer to be used, or from the future, so that the clock must have been set back.
    Over,
}

impl State {
    /// The result of a cache look-up, for the debug log.
    pub(super) fn said(cached: Option<Self>) -> &'static str {
        match cached {
            Some(Self::Fresh) => "hit",
            Some(Self::Due) => "hit, and it is due to be renewed",
            Some(Self::Over) => "miss: what there is has ended",
            None => "miss",
        }
    }
}

impl Entry {
    /// A token minted now; `None` if its life is too short to be worth caching.
    pub(super) fn new(credential: Credential, now: Moment, expires: u64) -> Option<Self> {
        (expires > now.wall + MARGIN).then_some(Self {
            credential,
            minted: now,
            expires,
            seed: 0,
        })
    }

    pub(super) fn state(&self, now: Moment) -> State {
        let life = self.expires.saturating_sub(self.minted.wall);
        match now.since(self.minted).map(|age| age.as_secs()) {
            Some(age) if age + MARGIN >= life => State::Over,
            Some(age) if age >= self.renewed_after() => State::Due,
            Some(_) => State::Fresh,
            None => State::Over,
        }
    }

    /// The age at which this node renews the token, in seconds: between 50 % and 70 % of its life, so that nodes that
    /// minted at the same time don't renew at the same time. It is the same for all processes of a node.
    pub(super) fn renewed_after(&self) -> u64 {
        let life = self.expires.saturating_sub(self.minted.wall);
        // The host name is included because machines cloned with their keys still have different names.
        let machine = rustix::system::uname();
        let share = 500 + hash(self.seed, machine.nodename().to_bytes()) % 201;
        life.saturating_mul(share).div_ceil(1000)
    }

    /// `min_life`, but at most half of the token's whole life, for providers whose tokens live shorter.
    pub(super) fn longest(&self, min_life: Duration) -> Duration {
        let life = self.expires.saturating_sub(self.minted.wall + MARGIN);
        asked_life(min_life, Duration::from_secs(life))
    }

    /// How long it may still be used; `None` if it is over.
    pub(super) fn left(&self, now: Moment) -> Option<Duration> {
        let age = now.since(self.minted)?.as_secs();
        let served = self.expires.saturating_sub(self.minted.wall + MARGIN);
        served
            .checked_sub(age)
            .filter(|left| *left > 0)
            .map(Duration::from_secs)
    }

    /// When it stops being used.
    pub(super) fn expires(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }

    /// The minted credential and its expiry.
    pub(super) fn into_minted(self) -> Minted {
        Minted {
            expires: Some(self.expires()),
            credential: self.credential,
        }
    }

    pub(super) fn seal(&self, id: &TokenId, key: &SealKey, name: &str) -> Option<Vec<u8>> {
        let header = header(self.minted, self.expires);
        let secret = self.credential.secret().expose();
        let origin = origin::lines(id);
        let text = [&origin, self.credential.username(), "\n", secret].concat();
        let text = Zeroizing::new(text);
        let sealed = key.seal(&associated(&header, name), text.as_bytes()).ok()?;
        Some([header.as_slice(), &sealed].concat())
    }

    /// `None`, a miss, for anything but a complete entry with this name, key and version.
    pub(super) fn open(bytes: &[u8], key: &SealKey, name: &str) -> Option<Self> {
        Self::open_after(bytes, key, name, |lines| {
            lines.nth(origin::LINES - 1).map(|_| ())
        })
        .map(|(entry, ())| entry)
    }

    /// The same, with the token's origin.
    pub(super) fn open_with_origin(
        bytes: &[u8],
        key: &SealKey,
        name: &str,
    ) -> Option<(Self, Origin)> {
        Self::open_after(bytes, key, name, Origin::read)
    }

    fn open_after<T>(
        bytes: &[u8],
        key: &SealKey,
        name: &str,
        read_origin: impl FnOnce(&mut dyn Iterator<Item = &str>) -> Option<T>,
    ) -> Option<(Self, T)> {
        let ([wall, boot, expires], sealed) = numbers(bytes.strip_prefix(MAGIC)?)?;
        let minted = Moment { wall, boot };
        let header = &bytes[..bytes.len() - sealed.len()];
        let text = key.open(&associated(header, name), sealed).ok()?;
        // The secret is the rest, including any line ends.
        let mut lines = std::str::from_utf8(&text)
            .ok()?
            .splitn(origin::LINES + 2, '\n');
        let origin = read_origin(&mut lines)?;
        let (username, secret) = (lines.next()?, lines.next()?);
        let credential = Credential::new(username.to_owned(), secret.into()).ok()?;
        Some((
            Self {
                credential,
                minted,
                expires,
                seed: hash(FNV, name.as_bytes()),
            },
            origin,
        ))
    }
}

/// `min_life`, but at most half of a token's whole life that is no longer than that.
pub(crate) fn asked_life(min_life: Duration, life: Duration) -> Duration {
    if min_life < life {
        min_life
    } else {
        min_life.min(life / 2)
    }
}

/// FNV-1a (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>): it only needs to distribute well.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn header(minted: Moment, expires: u64) -> Vec<u8> {
    let times = [minted.wall, minted.boot, expires];
    MAGIC
        .iter()
        .copied()
        .chain(times.iter().flat_map(|time| time.to_be_bytes()))
        .collect()
}

fn associated(header: &[u8], name: &str) -> Vec<u8> {
    [header, name.as_bytes()].concat()
}

const MAGIC: &[u8] = b"beta9-token 3\n";
const FNV: u64 = 0xcbf2_9ce4_8422_2325;
/// In seconds. A token isn't used in its last minute, because the pull takes time.
const MARGIN: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Scope;

    fn sealed(entry: &Entry, key: &SealKey) -> Vec<u8> {
        let scope = Scope::new("key AKIA", Vec::new());
        let (host, path, store) = ("gcr.io", "team/app", "node");
        let id = TokenId {
            workspace: "w",
            host,
            path,
            real: host,
            backend: "gcp",
            store,
            scope: &scope,
        };
        entry.seal(&id, key, "name").unwrap()
    }

    fn entry(life: u64) -> Entry {
        let credential = Credential::new("AWS".into(), "token".into()).unwrap();
        Entry::new(
            credential,
            Moment {
                wall: 1_000_000,
                boot: 500,
            },
            1_000_000 + life,
        )
        .unwrap()
    }

    #[test]
    fn a_token_is_fresh_then_due_then_over_a_minute_before_its_end() {
        let entry = entry(3600);
        let after = |seconds: u64| {
            entry.state(Moment {
                wall: 1_000_000 + seconds,
                boot: 500 + seconds,
            })
        };
        assert_eq!((after(0), after(1799)), (State::Fresh, State::Fresh));
        assert_eq!((after(2520), after(3539)), (State::Due, State::Due));
        assert_eq!((after(3540), after(9_999)), (State::Over, State::Over));
        let left = |seconds: u64| {
            entry.left(Moment {
                wall: 1_000_000 + seconds,
                boot: 500 + seconds,
            })
        };
        let seconds = |left: Option<Duration>| left.map(|left| left.as_secs());
        assert_eq!(
            [left(0), left(1800), left(3539)].map(seconds),
            [Some(3540), Some(1740), Some(1)]
        );
        assert_eq!([left(3540), left(9_999)].map(seconds), [None, None]);
    }

    #[test]
    fn each_node_renews_at_its_own_point_between_half_and_seven_tenths_of_a_life() {
        let points: Vec<u64> = (0..200_u8)
            .map(|node| {
                let key = SealKey::new(&[node; 32]).unwrap();
                let name = key.fingerprint(["token"]);
                let bytes = {
                    let scope = Scope::new("", Vec::new());
                    let id = TokenId {
                        workspace: "w",
                        host: "gcr.io",
                        path: "",
                        real: "gcr.io",
                        backend: "gcp",
                        store: "file",
                        scope: &scope,
                    };
                    entry(36_000).seal(&id, &key, &name).unwrap()
                };
                let point = || Entry::open(&bytes, &key, &name).unwrap().renewed_after();
                assert_eq!(point(), point());
                point()
            })
            .collect();
        assert!(points.iter().all(|point| (18_000..=25_200).contains(point)));
        // With an even spread, each tenth of the range would have 20 of them.
        for tenth in 0..10 {
            let (from, to) = (18_000 + tenth * 720, 18_000 + (tenth + 1) * 720);
            let count = points.iter().filter(|at| (from..to).contains(*at)).count();
            assert!((4..60).contains(&count), "{tenth}: {count}");
        }
    }

    #[test]
    fn no_jump_of_the_clock_revives_a_token() {
        let entry = entry(3600);
        let state = |wall, boot| entry.state(Moment { wall, boot });
        assert_eq!(
            state(1_000_100, 500 + 3600),
            State::Over,
            "set back after an hour"
        );
        assert_eq!(state(900_000, 600), State::Over, "set back before the mint");
        assert_eq!(state(2_000_000, 600), State::Over, "set ahead");
        assert_eq!(state(1_000_100, 5), State::Fresh, "restarted");
    }

    #[test]
    fn only_the_same_name_key_and_version_open_and_damage_is_a_miss() {
        let key = SealKey::new(&[1; 32]).unwrap();
        let bytes = sealed(&entry(3600), &key);
        let opened = Entry::open(&bytes, &key, "name").unwrap();
        assert_eq!(
            (
                opened.credential.username(),
                opened.credential.secret().expose()
            ),
            ("AWS", "token")
        );
        let origin = Entry::open_with_origin(&bytes, &key, "name").unwrap().1;
        assert_eq!(
            (
                origin.workspace.as_str(),
                origin.registry.as_str(),
                origin.path.as_str()
            ),
            ("w", "gcr.io", "team/app")
        );
        assert_eq!(
            (origin.backend.as_str(), origin.store.as_str()),
            ("gcp", "node")
        );
        assert_eq!(origin.identity, "key AKIA");
        assert!(Entry::open(&bytes, &key, "other").is_none());
        assert!(Entry::open(&bytes, &SealKey::new(&[2; 32]).unwrap(), "name").is_none());
        for index in 0..bytes.len() {
            assert!(
                Entry::open(&bytes[..index], &key, "name").is_none(),
                "cut at {index}"
            );
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert!(
                Entry::open(&damaged, &key, "name").is_none(),
                "damaged at {index}"
            );
        }
        for version in [b'0', b'2', b'4'] {
            let mut other = bytes.clone();
            other[MAGIC.len() - 2] = version;
            assert!(Entry::open(&other, &key, "name").is_none());
        }
    }

    #[test]
    fn a_life_of_a_minute_is_not_worth_keeping() {
        let credential = Credential::new("AWS".into(), "token".into()).unwrap();
        assert!(Entry::new(credential, Moment { wall: 100, boot: 0 }, 160).is_none());
    }
}
