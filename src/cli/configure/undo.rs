//! `--undo`: removes what names this helper and restores what `--force` replaced, file by file.

use std::path::PathBuf;

use super::kubelet::{self, restart};
use super::request::Request;
use super::{Plan, Report, UNCHANGED};
use crate::client::{Change, Form, remove_program};
use crate::config::Env;
use crate::error::Error;

pub(super) fn undo(request: &Request, env: &Env) -> Result<Report, Error> {
    let mut report = Report::default();
    let is_named = report.undo(Plan::files(request, env)?, request.dry_run)?;
    if let Some(rancher) = kubelet::rancher(request).filter(|_| request.client == "kubelet") {
        // The file comes first, because kubelet does not start if it names a missing program.
        if !is_named && let Some(program) = remove_program(&rancher.bin, request.dry_run)? {
            let is = if request.dry_run { "would be" } else { "is" };
            report.say(format!("{} {is} removed", program.display()));
            report.changed = true;
        }
        if report.changed && !request.dry_run {
            rancher.remove_dirs();
            report.lines.extend(restart(&rancher));
        }
    }
    let client = &request.client;
    if report.lines.is_empty() {
        report.say(format!(
            "nothing to undo: no configuration of {client} names this helper"
        ));
    } else if request.dry_run {
        report.say(UNCHANGED);
    }
    Ok(report)
}

impl Report {
    /// Undoes the changes of files; returns whether one still names this helper.
    pub(super) fn undo(
        &mut self,
        files: impl IntoIterator<Item = (PathBuf, Form)>,
        dry_run: bool,
    ) -> Result<bool, Error> {
        let mut is_named = false;
        for (path, form) in files {
            let Some(change) = Change::undo(&path, form)? else {
                continue;
            };
            self.add(&change);
            if !dry_run {
                change.make_undone()?;
            }
            is_named |= change.leaves_own_provider();
            self.lines.extend(told(&change, dry_run));
            self.path = path.display().to_string();
        }
        Ok(is_named)
    }
}

fn told(change: &Change, dry_run: bool) -> Vec<String> {
    let file = change.path.display();
    let [is, was, names] = if dry_run {
        ["would be", "would be", "would no longer name"]
    } else {
        ["is", "was", "no longer names"]
    };
    let first = if change.is_gone() {
        format!(
            "{file} is gone;\n  nothing {was} put back, and the note of what was changed in it {is} removed"
        )
    } else if change.is_nothing() {
        format!("{file} is what it was already")
    } else if change.leaves_own_provider() {
        format!("{file} {is} as it was, with another entry of this helper")
    } else if change.removes() {
        format!("{file} {is} removed: there was none")
    } else {
        format!("{file} {names} this helper")
    };
    let left = change
        .left
        .iter()
        .map(|left| format!("{file}:\n  {left} is not this helper's any more, and {was} left"));
    let empty = change.leaves_no_provider().then(|| {
        format!("note: {file} names no provider, and kubelet does not start with it:\n  remove it and kubelet's flags that name it")
    });
    [first].into_iter().chain(left).chain(empty).collect()
}
