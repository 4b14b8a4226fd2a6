//! `--undo`: what earlier runs changed is taken back, and said file by file.

use super::Report;
use super::plan::Plan;
use super::request::Request;
use crate::client::Undo;
use crate::config::Env;
use crate::error::Error;

pub(super) fn undo(request: &Request, env: &Env) -> Result<Report, Error> {
    let mut report = Report::default();
    for path in Plan::files(request, env)? {
        let Some(undo) = Undo::of(&path)? else {
            continue;
        };
        report.diff += &if undo.is_nothing() {
            String::new()
        } else {
            undo.diff()
        };
        if !request.dry_run {
            undo.make()?;
        }
        report.changed |= !undo.is_nothing();
        report.lines.extend(told(&undo, request.dry_run));
        report.path = path;
    }
    if report.lines.is_empty() {
        report.lines.push(format!(
            "nothing to undo: no configuration of {} was changed",
            request.client
        ));
    } else if request.dry_run {
        report
            .lines
            .push("nothing was changed (--dry-run)".to_owned());
    }
    Ok(report)
}

fn told(undo: &Undo, dry_run: bool) -> Vec<String> {
    let file = undo.path.display();
    let [is, was] = if dry_run {
        ["would be", "would be"]
    } else {
        ["is", "was"]
    };
    let first = match (undo.is_nothing(), undo.exact, undo.removes()) {
        _ if undo.is_gone() => {
            format!(
                "{file} is gone;\n  nothing {was} put back, and the note of what was changed in it {is} removed"
            )
        }
        (true, ..) => format!("{file} is what it was already"),
        (_, true, false) => format!("{file} {is} what it was, to the byte"),
        (_, true, true) => format!("{file} {is} removed: there was none"),
        (_, false, _) => {
            format!("{file} was changed since;\n  only what names this helper {was} taken out")
        }
    };
    let left = undo
        .left
        .iter()
        .map(|left| format!("{file}:\n  {left} is not this helper's any more, and {was} left"));
    [first].into_iter().chain(left).collect()
}
