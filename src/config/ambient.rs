//! `Ambient`: the clouds for which the node's own identity may be used.

use super::value::{Setting, Written};

/// The clouds whose registries the node may log in to as itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ambient([bool; CLOUDS.len()]);

impl Ambient {
    /// No cloud.
    pub const NONE: Self = Self([false; CLOUDS.len()]);
    /// Every cloud.
    pub const ALL: Self = Self([true; CLOUDS.len()]);

    /// Whether the node may log in as itself to the registries of this cloud, which is named like its backend.
    pub fn allows(self, cloud: &str) -> bool {
        CLOUDS
            .iter()
            .zip(self.0)
            .any(|(name, allowed)| allowed && *name == cloud)
    }

    /// Whether no cloud is allowed.
    pub fn is_off(self) -> bool {
        self == Self::NONE
    }

    fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        names.into_iter().try_fold(Self::NONE, |mut clouds, name| {
            clouds.0[CLOUDS.iter().position(|cloud| *cloud == name)?] = true;
            Some(clouds)
        })
    }
}

impl Setting for Ambient {
    const WHAT: &'static str = "true, false or a list of \"aws\", \"gcp\" and \"azure\"";

    fn parse(written: Written) -> Option<Self> {
        match written {
            Written::Flag(true) => Some(Self::ALL),
            Written::Flag(false) => Some(Self::NONE),
            Written::List(names) => Self::of(names.iter().map(String::as_str)),
            Written::Variable(text) => match bool::parse(Written::Variable(text.clone())) {
                Some(flag) => Self::parse(Written::Flag(flag)),
                None => Self::of(text.split(',').map(str::trim)),
            },
            _ => None,
        }
    }
}

const CLOUDS: [&str; 3] = ["aws", "gcp", "azure"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_allowed_by_name_all_at_once_or_not_at_all() {
        let allowed = |text: &str| {
            Ambient::parse(Written::Variable(text.to_owned()))
                .map(|ambient| CLOUDS.map(|cloud| ambient.allows(cloud)))
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
