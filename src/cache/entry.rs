//! The format of one cached token, version 3, and the rule by which it is still good.
//!
//! ```text
//! beta9-token 3\n                          format and version
//! minted, boot clock, expires              three u64 of seconds, big-endian
//! sealed: the origin's six lines, user name \n secret
//! ```
//!
//! The times stand in clear and are bound, with the file's name, as associated data. A hit skips the origin, which is for
//! `status` and `refresh`. A token of an older version is a miss.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use zeroize::Zeroizing;

use super::TokenId;
use super::clock::Moment;
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
    /// Of the file's name, which follows from the node's key: no other node has it.
    seed: u64,
}

/// Whether a token is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Good, and before the point of its life at which this node renews it.
    Fresh,
    /// Good, and due to be renewed by a process that can without waiting.
    Due,
    /// Not to be served any more, or so young that the clock must have been set back.
    Over,
}

impl State {
    /// What a look into the cache came to, as a debug line says it.
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
    /// A token minted now; `None` when its life is too short to be worth keeping.
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
        let Some(age) = now.since(self.minted).map(|age| age.as_secs()) else {
            return State::Over;
        };
        if age + MARGIN >= life {
            State::Over
        } else if age >= self.renewed_after() {
            State::Due
        } else {
            State::Fresh
        }
    }

    /// At which age this node renews it, in seconds: at a point between half and seven tenths of its life, so that nodes which
    /// minted at once do not renew at once. It is known before it is reached, and the same for all processes of the node.
    pub(super) fn renewed_after(&self) -> u64 {
        let life = self.expires.saturating_sub(self.minted.wall);
        // Machines that were cloned with their keys still have names of their own.
        let machine = rustix::system::uname();
        let share = 500 + hash(self.seed, machine.nodename().to_bytes()) % 201;
        life.saturating_mul(share).div_ceil(1000)
    }

    /// As much of this as can be asked of a token that has its life: where the provider's tokens live shorter, half of theirs.
    pub(super) fn longest(&self, min_life: Duration) -> Duration {
        let life = Duration::from_secs(self.expires.saturating_sub(self.minted.wall + MARGIN));
        if min_life < life {
            min_life
        } else {
            min_life.min(life / 2)
        }
    }

    /// How long it is still served; `None` when it is over.
    pub(super) fn left(&self, now: Moment) -> Option<Duration> {
        let age = now.since(self.minted)?.as_secs();
        let served = self
            .expires
            .saturating_sub(self.minted.wall)
            .saturating_sub(MARGIN);
        served
            .checked_sub(age)
            .filter(|left| *left > 0)
            .map(Duration::from_secs)
    }

    /// When it is not to be served any more.
    pub(super) fn expires(&self) -> Duration {
        Duration::from_secs(self.expires)
    }

    /// What was minted once, with its end.
    pub(super) fn into_minted(self) -> Minted {
        let expires = SystemTime::UNIX_EPOCH.checked_add(self.expires());
        Minted {
            credential: self.credential,
            expires,
        }
    }

    pub(super) fn seal(&self, id: &TokenId, key: &SealKey, name: &str) -> Option<Vec<u8>> {
        let header = header(self.minted, self.expires);
        let secret = self.credential.secret().expose();
        let origin = origin::lines(id);
        let length = origin.len() + self.credential.username().len() + 1 + secret.len();
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(&origin);
        text.push_str(self.credential.username());
        text.push('\n');
        text.push_str(secret);
        let sealed = key.seal(&associated(&header, name), text.as_bytes()).ok()?;
        Some([header.as_slice(), &sealed].concat())
    }

    /// `None` for whatever is not a whole entry of this name, key and version: a miss.
    pub(super) fn open(bytes: &[u8], key: &SealKey, name: &str) -> Option<Self> {
        Self::open_after(bytes, key, name, |lines| {
            lines.nth(origin::LINES - 1).map(|_| ())
        })
        .map(|(entry, ())| entry)
    }

    /// The same, and what the token is for.
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
        let (header, sealed) = bytes.split_at_checked(HEADER_LEN)?;
        let times = header.strip_prefix(MAGIC)?;
        let mut times = times
            .chunks_exact(8)
            .filter_map(|bytes| bytes.try_into().ok())
            .map(u64::from_be_bytes);
        let minted = Moment {
            wall: times.next()?,
            boot: times.next()?,
        };
        let expires = times.next()?;
        let text = key.open(&associated(header, name), sealed).ok()?;
        // The secret is the rest, whatever line ends it may have.
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

/// FNV-1a (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>): it only has to spread.
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
const HEADER_LEN: usize = MAGIC.len() + 3 * 8;
const FNV: u64 = 0xcbf2_9ce4_8422_2325;
/// No token is served in the last minute of its life: it has a pull before it.
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
    fn nodes_renew_between_half_and_seven_tenths_of_a_life_and_each_always_at_its_own_point() {
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
        // A twentieth of them in each tenth of the range would be 20: none is empty or has a third.
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
