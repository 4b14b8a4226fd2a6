//! `Ambient`: for which clouds' registries the node's own identity may be used.

use toml::de::DeValue;

use super::layer::parse_flag;

/// The clouds whose registries the node may log in to as itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ambient([bool; CLOUDS.len()]);

impl Ambient {
    /// No cloud.
    pub const NONE: Self = Self([false; CLOUDS.len()]);
    /// Every cloud.
    pub const ALL: Self = Self([true; CLOUDS.len()]);

    /// Whether the node may log in as itself to this cloud's registries; the cloud is called as its backend is.
    #[must_use]
    pub fn allows(self, cloud: &str) -> bool {
        CLOUDS
            .iter()
            .zip(self.0)
            .any(|(name, allowed)| allowed && *name == cloud)
    }

    /// Whether it may to none.
    #[must_use]
    pub fn is_off(self) -> bool {
        self == Self::NONE
    }

    /// `true`, `false` or an array of names.
    pub(super) fn from_toml(value: DeValue) -> Option<Self> {
        match value {
            DeValue::Boolean(all) => Some(if all { Self::ALL } else { Self::NONE }),
            DeValue::Array(names) => {
                let names: Option<Vec<_>> =
                    names.iter().map(|name| name.get_ref().as_str()).collect();
                Self::of(names?)
            }
            _ => None,
        }
    }

    /// `true`, `false` or names with commas between them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match parse_flag(text) {
            Some(all) => Some(if all { Self::ALL } else { Self::NONE }),
            None => Self::of(text.split(',').map(str::trim)),
        }
    }

    fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        names.into_iter().try_fold(Self::NONE, |mut clouds, name| {
            clouds.0[CLOUDS.iter().position(|cloud| *cloud == name)?] = true;
            Some(clouds)
        })
    }
}

const CLOUDS: [&str; 3] = ["aws", "gcp", "azure"];
/// What a setting that is none of this is not.
pub(super) const AMBIENT: &str = "true, false or a list of \"aws\", \"gcp\" and \"azure\"";
/// The same of an environment variable.
pub(super) const AMBIENT_VARIABLE: &str = "true, false or a list such as aws,gcp,azure";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_allowed_by_name_all_at_once_or_not_at_all() {
        let allowed = |text: &str| {
            Ambient::parse(text).map(|ambient| CLOUDS.map(|cloud| ambient.allows(cloud)))
        };
        assert_eq!(allowed("true"), Some([true; 3]));
        assert_eq!(allowed("off"), Some([false; 3]));
        assert_eq!(allowed("aws"), Some([true, false, false]));
        assert_eq!(allowed("azure, gcp"), Some([false, true, true]));
        for wrong in ["aws,", "google", "AWS;gcp", ""] {
            assert_eq!(allowed(wrong), None, "{wrong}");
        }
        assert!(!Ambient::ALL.allows("fixed") && Ambient::default().is_off());
    }
}
