//! `completions` and `man`: what they print; packaging/test has it read by the shells and by man.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod common;

use common::Node;

const COMMANDS: [&str; 9] = ["explain", "provision", "resolve", "completions", "man", "get", "store", "erase", "list"];

#[test]
fn each_shells_script_knows_every_command_and_no_other_shell_is_taken() {
    let node = Node::new();
    for shell in ["bash", "zsh", "fish"] {
        let answer = node.run(&["completions", shell], "");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""));
        assert!(answer.out.contains("docker-credential-beta9"), "{shell}");
        for command in COMMANDS {
            assert!(answer.out.contains(command), "{shell} {command}");
        }
    }
    let refused = node.run(&["completions", "tcsh"], "");
    assert!(refused.status == 1 && refused.out.contains("[possible values: bash, fish, zsh]"), "{refused:?}");
}

#[test]
fn bashs_script_is_registered_under_the_real_name_and_its_subcommands_are_found() {
    let script = Node::new().run(&["completions", "bash"], "").out;
    assert!(script.contains(" docker-credential-beta9\n"));
    let (set, found) =
        ("cmd=\"docker_credential_beta9__subcmd__explain\"\n", "docker_credential_beta9__subcmd__explain)\n");
    assert!(script.contains(set) && script.contains(found), "{script}");
}

#[test]
fn the_manual_page_describes_every_command_in_help() {
    let node = Node::new();
    let page = node.run(&["man"], "").out;
    assert!(page.starts_with(".TH \"DOCKER\\-CREDENTIAL\\-BETA9\" 1 "), "{page}");
    let help = node.run(&["--help"], "").out;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 6, "{help}");
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(page.contains(&format!("\n.SS \"{name}\"\n")), "{name}");
    }
    assert!(page.contains("Exit status: "));
    // What clients call, which the help tells of below the commands.
    let verbs = help.split("which write to standard input:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for verb in verbs.lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(
            page.contains(verb) && node.run(&["completions", "fish"], "").out.contains(&format!("-a \"{verb}\"")),
            "{verb}"
        );
    }
}
