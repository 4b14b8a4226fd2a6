//! Reads secrets by name, with certain misses. The gateway also says "not found" if its database is down or a value
//! can't be decrypted, so a secret counts as missing only if the list of names, requested at the same time or later,
//! lacks it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::task::JoinHandle;

use super::PART;
use super::api::Api;
use super::errors::GatewayError;
use super::names::Names;
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::{HttpError, Response};
use crate::json::{self, Loose};

/// The API's answer: a secret or an error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    name: Loose<String>,
    value: Loose<Redacted>,
    hosts: Loose<Option<Vec<String>>>,
    error: Loose<IgnoredAny>,
}

/// A secret from the API.
pub(super) struct Shown {
    /// Empty if it is missing.
    pub(super) value: Redacted,
    /// `None` if they have an unknown form.
    pub(super) hosts: Option<Vec<String>>,
}

impl Shown {
    fn of(written: Written) -> Option<Self> {
        let value = match written.value {
            Loose::Is(value) => value,
            // The API omits an empty value, but never a secret's name.
            Loose::Missing => written.name.take().map(|_| Redacted::default())?,
            Loose::Other => return None,
        };
        let hosts = written.hosts.or_default();
        Some(Self { value, hosts })
    }

    /// The hosts that it may be sent to; empty for no restriction.
    pub(super) fn hosts(self, name: &str) -> Result<Vec<String>, Error> {
        self.hosts
            .ok_or_else(|| GatewayError::UnknownHosts(name.to_owned()).into())
    }
}

/// A secret that is being read.
pub(super) struct Reading<'a> {
    api: &'a Api<'a>,
    task: JoinHandle<Result<Response, HttpError>>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(api: &'a Api<'a>, name: &str) -> Result<Self, Error> {
        let (http, request) = (api.http(), api.secret(name)?);
        Ok(Self {
            api,
            task: tokio::spawn(async move { http.send(&request).await }),
        })
    }

    /// The secret; `None` if the gateway says "not found", which may also mean that it could not read it.
    pub(super) async fn shown(self) -> Result<Option<Shown>, Error> {
        let api = self.api;
        let answer = self
            .task
            .await
            .map_err(GatewayError::GivenUp)?
            .map_err(|fault| fault.error(PART))?;
        if !answer.is_success() && !matches!(answer.status, 400 | 404) {
            return Err(api.refused(&answer, "give its secrets"));
        }
        let written: Written = json::object(&answer.body).map_err(|_| api.stranger())?;
        if answer.is_success() {
            return Shown::of(written).map(Some).ok_or_else(|| api.stranger());
        }
        // A 404 of a proxy, or for a path that the gateway does not have, is not about the secret.
        match written.error {
            Loose::Missing => Err(api.stranger()),
            _ => Ok(None),
        }
    }
}

/// A list that is being read.
pub(super) struct Naming<'a> {
    api: &'a Api<'a>,
    task: JoinHandle<(Result<Response, HttpError>, Names)>,
}

impl<'a> Naming<'a> {
    pub(super) fn of(api: &'a Api<'a>, wanted: impl Fn(&str) -> bool + Send + 'static) -> Self {
        let (http, request, mut names) = (api.http(), api.secrets(), Names::of(wanted));
        Self {
            api,
            task: tokio::spawn(async move { (http.stream(&request, &mut names).await, names) }),
        }
    }

    /// The number of secrets, and the wanted names that exist.
    pub(super) async fn names(self) -> Result<(usize, BTreeSet<String>), Error> {
        let (answer, names) = self.task.await.map_err(GatewayError::GivenUp)?;
        let answer = answer.map_err(|fault| fault.error(PART))?;
        if !answer.is_success() {
            return Err(self.api.refused(&answer, "list its secrets"));
        }
        names.finish().ok_or_else(|| self.api.stranger())
    }
}

/// Reads the existing ones of some names: the likely ones together with the list, then all other listed ones in
/// parallel.
pub(super) struct Reader<'a> {
    api: &'a Api<'a>,
    names: BTreeSet<String>,
    wanted: Vec<String>,
    naming: Option<Naming<'a>>,
    listed: Option<BTreeSet<String>>,
    /// Reads in progress, and whether they began after the name was known to be listed.
    readings: BTreeMap<String, (Reading<'a>, bool)>,
}

impl<'a> Reader<'a> {
    /// Begins to read the likely names and the list.
    pub(super) fn begin(
        api: &'a Api<'a>,
        likely: &[String],
        wanted: &[String],
    ) -> Result<Self, Error> {
        let begin = |name: &String| Ok((name.clone(), (Reading::of(api, name)?, false)));
        let readings = likely.iter().map(begin).collect::<Result<_, Error>>()?;
        let names = wanted.iter().cloned().collect();
        let mut reader = Self {
            api,
            names,
            wanted: wanted.to_vec(),
            naming: None,
            listed: None,
            readings,
        };
        reader.naming = Some(reader.naming());
        Ok(reader)
    }

    /// A likely name's secret, before the list has arrived. `None` is only certain with the list.
    pub(super) async fn early(&mut self, name: &str) -> Result<Option<Shown>, Error> {
        let Some((reading, _)) = self.readings.remove(name) else {
            return Ok(None);
        };
        let shown = reading.shown().await;
        if let Ok(Some(_)) = shown {
            self.wanted.retain(|wanted| wanted != name);
        }
        shown
    }

    /// Restricts the wanted names to these.
    pub(super) fn narrow(&mut self, wanted: &[String]) {
        self.wanted.retain(|name| wanted.contains(name));
    }

    /// The secret under a name; `None` if there certainly is none.
    pub(super) async fn shown(&mut self, name: &str) -> Result<Option<Shown>, Error> {
        let after_the_list = self.readings.get(name).is_some_and(|(_, listed)| *listed);
        let early = self.early(name).await;
        if let Ok(Some(_)) = early {
            return early;
        }
        if !self.listed().await?.contains(name) {
            return Ok(None);
        }
        early?;
        if !after_the_list {
            self.read_listed().await?;
            if let Some(shown) = self.early(name).await? {
                return Ok(Some(shown));
            }
        }
        // It may have just been deleted.
        let reading = Reading::of(self.api, name)?;
        (self.naming, self.listed) = (Some(self.naming()), None);
        if let Some(shown) = reading.shown().await? {
            return Ok(Some(shown));
        }
        if self.listed().await?.contains(name) {
            Err(self.api.unreadable(name))
        } else {
            Ok(None)
        }
    }

    async fn read_listed(&mut self) -> Result<(), Error> {
        let listed = self.listed().await?.clone();
        for name in std::mem::take(&mut self.wanted) {
            if listed.contains(&name) && !self.readings.contains_key(&name) {
                let reading = Reading::of(self.api, &name)?;
                self.readings.insert(name, (reading, true));
            }
        }
        Ok(())
    }

    async fn listed(&mut self) -> Result<&BTreeSet<String>, Error> {
        if self.listed.is_none() {
            let naming = self.naming.take().unwrap_or_else(|| self.naming());
            self.listed = Some(naming.names().await?.1);
        }
        Ok(self.listed.get_or_insert_default())
    }

    fn naming(&self) -> Naming<'a> {
        let names = self.names.clone();
        Naming::of(self.api, move |name| names.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_name_is_a_secret_without_a_value() {
        let value =
            |text: &str| Shown::of(json::object(text.as_bytes()).unwrap()).map(|shown| shown.value);
        assert_eq!(value(r#"{"name":"A","value":"x"}"#), Some("x".into()));
        assert_eq!(value(r#"{"name":"A"}"#), Some(Redacted::default()));
        for stranger in ["{}", r#"{"status":"ok"}"#, r#"{"name":"A","value":1}"#] {
            assert_eq!(value(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn no_error_quotes_a_secret() {
        let sound = r#"{"name":"A","value":"hunter2","hosts":["hunter2"],"error":"hunter2"}"#;
        json::tests::no_error_quotes_a_value(sound, json::object::<Written>);
    }
}
