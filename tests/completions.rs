//! `completions` and `man`: what they print; packaging/test has it read by the shells and by man.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod common;

use common::Node;

/// What the help lists below this line: the operator's commands, or what clients call.
fn listed(node: &Node, title: &str) -> Vec<String> {
    let help = node.run(&["--help"], "").out;
    let list = help
        .split(title)
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn commands(node: &Node) -> Vec<String> {
    let commands: Vec<_> = listed(node, "Commands:\n")
        .into_iter()
        .filter(|name| name != "help")
        .collect();
    assert!(
        commands.len() > 10
            && ["doctor", "man"]
                .iter()
                .all(|known| commands.iter().any(|name| name == known))
    );
    commands
}

fn verbs(node: &Node) -> Vec<String> {
    let verbs = listed(node, "which write to standard input:\n");
    assert!(
        ["get", "store", "erase", "list"]
            .iter()
            .all(|known| verbs.iter().any(|name| name == known)),
        "{verbs:?}"
    );
    verbs
}

#[test]
fn each_shells_script_knows_every_command_and_no_other_shell_is_taken() {
    let node = Node::new();
    for shell in ["bash", "zsh", "fish"] {
        let answer = node.run(&["completions", shell], "");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""));
        assert!(answer.out.contains("docker-credential-beta9"), "{shell}");
        for command in commands(&node).into_iter().chain(verbs(&node)) {
            let offered = match shell {
                "bash" => format!("cmd=\"docker_credential_beta9__subcmd__{command}\""),
                "zsh" => format!("\n'{command}:"),
                _ => format!(" -a \"{command}\""),
            };
            assert!(answer.out.contains(&offered), "{shell} {command}");
        }
    }
    let refused = node.run(&["completions", "tcsh"], "");
    assert!(
        refused.status == 2 && refused.err.contains("[possible values: bash, fish, zsh]"),
        "{refused:?}"
    );
}

#[test]
fn bashs_script_is_registered_under_the_real_name_and_its_subcommands_are_found() {
    let script = Node::new().run(&["completions", "bash"], "").out;
    assert!(script.contains(" docker-credential-beta9\n"));
    let (set, found) = (
        "cmd=\"docker_credential_beta9__subcmd__explain\"\n",
        "docker_credential_beta9__subcmd__explain)\n",
    );
    assert!(script.contains(set) && script.contains(found), "{script}");
}

#[test]
fn the_manual_page_describes_every_command_in_help() {
    let node = Node::new();
    let page = node.run(&["man"], "").out;
    assert!(
        page.starts_with(".TH \"DOCKER\\-CREDENTIAL\\-BETA9\" 1 "),
        "{page}"
    );
    for name in commands(&node) {
        assert!(page.contains(&format!("\n.SS \"{name}\"\n")), "{name}");
    }
    assert!(page.contains("Exit status: "));
    // What clients call, which the help tells of below the commands.
    for verb in verbs(&node) {
        assert!(page.contains(&format!("\n  {verb} ")), "{verb}");
    }
}
