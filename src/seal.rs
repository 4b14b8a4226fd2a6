//! AES-256-GCM sealing: nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes), as Beta9 seals workspace secrets.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

mod key_file;
pub(crate) mod keyring;

pub use key_file::KeyFile;

/// A 256-bit sealing key. Its expanded keys are on the heap: moves would leave a kilobyte of them on the stack each time.
pub struct SealKey {
    aead: Box<LessSafeKey>,
    bytes: Zeroizing<Vec<u8>>,
    /// A separate key for fingerprints, so that no key is used with two algorithms. Made on first use.
    fingerprint: OnceLock<Box<hmac::Key>>,
}

/// The data did not open: wrong key, wrong associated data or damage. It can't tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SealError(&'static str);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl SealKey {
    /// A key of exactly 32 bytes; any other length is an error.
    pub fn new(bytes: &[u8]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, bytes)
            .map_err(|_| SealError("the key is not 32 bytes long"))?;
        Ok(Self {
            aead: Box::new(LessSafeKey::new(key)),
            bytes: Zeroizing::new(bytes.to_vec()),
            fingerprint: OnceLock::new(),
        })
    }

    /// A key written as standard base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, SealError> {
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| SealError("the key is not base64"))?;
        Self::new(&Zeroizing::new(bytes))
    }

    /// A workspace's `signing_key`: `sk_` and standard base64 of 32 bytes.
    pub fn from_signing_key(text: &str) -> Result<Self, SealError> {
        Self::from_base64(
            text.strip_prefix("sk_")
                .ok_or(SealError("the signing key does not begin with sk_"))?,
        )
    }

    /// Seals with a fresh random nonce. The same `associated` bytes are needed to open the result.
    pub fn seal(&self, associated: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce)
            .map_err(|_| SealError("no random bytes are available"))?;
        self.seal_with(nonce, associated, plaintext)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut out = Vec::with_capacity(NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .aead
            .seal_in_place_separate_tag(nonce, Aad::from(associated), &mut out[NONCE_LEN..])
            .map_err(|_| SealError("the text is too long to seal"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Opens the result of [`SealKey::seal`].
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, rest) = sealed
            .split_at_checked(NONCE_LEN)
            .ok_or(SealError("it is too short to be sealed"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)
            .map_err(|_| SealError("it is too short to be sealed"))?;
        let mut text = Zeroizing::new(rest.to_vec());
        let length = self
            .aead
            .open_in_place(nonce, Aad::from(associated), &mut text)
            .map_err(|_| SealError("it was sealed with another key, or is damaged"))?
            .len();
        text.truncate(length);
        Ok(text)
    }

    /// A name for the key that reveals nothing about it: [`SealKey::ID_LENGTH`] hex digits.
    pub fn id(&self) -> String {
        let mut id = self.fingerprint(["beta9 sealing key"]);
        id.truncate(Self::ID_LENGTH);
        id
    }

    /// The length of [`SealKey::id`], in hex digits.
    pub const ID_LENGTH: usize = 16;

    /// A name for these texts that reveals nothing about them without the key: HMAC-SHA256 in hex. Each text's length
    /// is included, so no two different lists have the same name.
    pub fn fingerprint<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> String {
        self.authenticate(&mut texts.into_iter())
    }

    /// The hash has four kilobytes on the stack: once, and not in the frame of each caller.
    #[inline(never)]
    fn authenticate(&self, texts: &mut dyn Iterator<Item = &str>) -> String {
        let key = self.fingerprint.get_or_init(|| {
            let derived = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, &self.bytes),
                b"beta9 fingerprint 1",
            );
            Box::new(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
        });
        let mut context = hmac::Context::with_key(key);
        for text in texts {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        hex(context.sign().as_ref())
    }

    /// Derives a key for the purpose that `label` names: HKDF-SHA256 of this key
    /// (<https://datatracker.ietf.org/doc/html/rfc5869>).
    pub fn derived(&self, label: &str) -> Result<Self, SealError> {
        let (label, mut bytes) = ([label.as_bytes()], Zeroizing::new([0; 32]));
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.bytes);
        extracted
            .expand(&label, hkdf::HKDF_SHA256)
            .and_then(|derived| derived.fill(bytes.as_mut()))
            .map_err(|_| SealError("no key can be derived"))?;
        Self::new(bytes.as_ref())
    }

    /// Opens standard base64 of sealed UTF-8 text: Beta9's database has workspace secrets like that, without associated
    /// data.
    pub fn open_base64(
        &self,
        associated: &[u8],
        sealed: &str,
    ) -> Result<Zeroizing<String>, SealError> {
        let sealed = STANDARD
            .decode(sealed)
            .map_err(|_| SealError("it is not base64"))?;
        let text = self.open(associated, &sealed)?;
        let text =
            std::str::from_utf8(&text).map_err(|_| SealError("what it holds is not UTF-8"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// Seals a text into standard base64.
    pub fn seal_base64(&self, associated: &[u8], text: &str) -> Result<String, SealError> {
        Ok(STANDARD.encode(self.seal(associated, text.as_bytes())?))
    }
}

/// The SHA-256 of a text in lower-case hex digits.
pub fn sha256_hex(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 0xf)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Object, Value};

    fn vectors(part: &str) -> Vec<Object> {
        let all = json::parse_object(include_bytes!("../tests/fixtures/beta9-seal.json")).unwrap();
        let Some(Value::Array(cases)) = all.get(part) else {
            panic!("no {part}")
        };
        cases
            .iter()
            .map(|case| {
                if let Value::Object(case) = case {
                    case.clone()
                } else {
                    panic!("{case:?}")
                }
            })
            .collect()
    }

    fn text<'a>(case: &'a Object, key: &str) -> &'a str {
        case.text(key)
            .unwrap_or_else(|| panic!("no {key}"))
            .expose()
    }

    #[test]
    fn what_beta9_sealed_opens_and_is_sealed_to_the_same_bytes() {
        let cases = vectors("good");
        assert!(cases.len() >= 6);
        for case in &cases {
            let key = SealKey::from_signing_key(text(case, "signing_key")).unwrap();
            assert_eq!(
                *key.open_base64(&[], text(case, "sealed")).unwrap(),
                text(case, "plaintext")
            );
            let digits = text(case, "nonce_hex").as_bytes();
            let nonce: Vec<u8> = digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            let sealed = key
                .seal_with(
                    nonce.try_into().unwrap(),
                    &[],
                    text(case, "plaintext").as_bytes(),
                )
                .unwrap();
            assert_eq!(STANDARD.encode(sealed), text(case, "sealed"));
        }
    }

    #[test]
    fn what_is_damaged_foreign_or_no_key_does_not_open() {
        let cases = vectors("bad");
        assert!(cases.len() >= 8);
        for case in &cases {
            let opened = SealKey::from_signing_key(text(case, "signing_key"))
                .and_then(|key| key.open_base64(&[], text(case, "sealed")));
            assert!(opened.is_err(), "{}", text(case, "why"));
        }
    }

    #[test]
    fn a_derived_key_is_another_one_for_each_purpose_and_always_the_same() {
        let key = SealKey::new(&[7; 32]).unwrap();
        let (one, other) = (key.derived("one").unwrap(), key.derived("other").unwrap());
        let sealed = one.seal_base64(b"slot", "token").unwrap();
        let opened = |key: &SealKey, associated: &[u8]| {
            let text = key.open_base64(associated, &sealed);
            text.ok().map(|text| text.as_str().to_owned())
        };
        let again = key.derived("one").unwrap();
        assert_eq!(opened(&again, b"slot").as_deref(), Some("token"));
        assert_eq!(opened(&again, b"other slot"), None);
        assert_eq!(
            [opened(&key, b"slot"), opened(&other, b"slot")],
            [None, None]
        );
    }

    #[test]
    fn associated_data_must_be_the_same_and_no_two_seals_are() {
        let key = SealKey::new(&[7; 32]).unwrap();
        let sealed = key.seal(b"workspace a", b"text").unwrap();
        assert_eq!(**key.open(b"workspace a", &sealed).unwrap(), *b"text");
        assert!(key.open(b"workspace b", &sealed).is_err());
        assert_ne!(
            key.seal(b"", b"text").unwrap(),
            key.seal(b"", b"text").unwrap()
        );
        assert_eq!(
            key.open_base64(&[], &key.seal_base64(&[], "pässwörd").unwrap())
                .unwrap()
                .as_str(),
            "pässwörd"
        );
    }
}
