//! The debug lines and the audit log line of each request.

use super::Resolver;
use crate::audit::{self, Line};
use crate::error::Error;

impl Resolver {
    /// Runs one request (`verb`, for `host` if it names one) and logs its outcome, if configured. A fault of the audit
    /// log is a warning and never fails the request.
    pub fn audited<T>(
        &self,
        verb: &'static str,
        host: Option<&str>,
        work: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let step = self.log.step();
        let done = work(self);
        let outcome = match &done {
            Ok(_) => succeeded(verb),
            Err(Error::NotFound) => "not_found",
            Err(_) => "error",
        };
        self.log.done(
            step,
            format_args!("{verb} {}: {outcome}", host.unwrap_or_default()),
        );
        self.audit(verb, host, outcome);
        done
    }

    /// Writes a line into the audit log, if one is configured.
    pub fn audit(&self, verb: &str, host: Option<&str>, outcome: &str) {
        let Some(config) = &self.config.audit else {
            return;
        };
        let answered = self.answered_by.get();
        let store = answered.store.unwrap_or_else(|| self.workspace_store());
        let line = Line {
            verb,
            host,
            workspace: &self.config.workspace,
            outcome,
            source: if answered.cached { "cache" } else { store },
            store,
            took: self.started.get().elapsed(),
        };
        if let Err(fault) = audit::write(config, &line) {
            self.warnings.add(format_args!("audit log: {fault}"));
        }
    }
}

fn succeeded(verb: &str) -> &'static str {
    match verb {
        "store" | "provision" => "stored",
        "erase" | "prune" => "erased",
        "list" => "listed",
        _ => "answered",
    }
}
