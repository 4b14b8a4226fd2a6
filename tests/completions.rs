//! `completions` and `man`: what they print; packaging/test has it read by the shells and by man.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

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
    let verbs = listed(node, "write to standard input:\n");
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
fn the_manual_has_a_page_for_every_command_in_help() {
    let node = Node::new();
    let page = node.run(&["man"], "").out;
    assert!(
        page.contains(".TH docker-credential-beta9 1 \"\" "),
        "{page}"
    );
    for name in commands(&node) {
        let (entry, title) = (
            format!("\ndocker\\-credential\\-beta9\\-{name}(1)\n"),
            format!(".TH docker-credential-beta9-{name} 1 \"\" "),
        );
        assert!(page.contains(&entry), "{name}: {page}");
        let own = node.run(&["man", &name], "");
        assert!(
            own.out.contains(&title) && own.out.contains("Exit status: "),
            "{name}: {}",
            own.out
        );
    }
    // What clients call, which the help tells of below the commands.
    for verb in verbs(&node) {
        assert!(page.contains(&format!("\n  {verb} ")), "{verb}");
    }
    let refused = node.run(&["man", "nosuch"], "");
    assert!(refused.refusal().contains("there is no command \"nosuch\""));
}

#[test]
fn the_book_tells_of_every_command() {
    let page = include_str!("../docs/commands.md");
    let headings: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .flat_map(|heading| heading.split(", "))
        .collect();
    for name in commands(&Node::new()) {
        assert!(
            headings.contains(&name.as_str()),
            "docs/commands.md has no heading for {name}"
        );
    }
}

#[test]
fn packages_and_install_sh_know_every_command() {
    let node = Node::new();
    let mut names: Vec<_> = commands(&node)
        .into_iter()
        .filter(|name| name != "help")
        .collect();
    names.sort();
    let script = include_str!("../install.sh");
    let (_, list) = script.split_once("COMMANDS=\"").unwrap();
    let listed: Vec<_> = list.split('"').next().unwrap().split_whitespace().collect();
    assert_eq!(
        listed, names,
        "COMMANDS of install.sh should be these, in this order"
    );
}
