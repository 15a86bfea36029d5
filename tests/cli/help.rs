//! The help of every command is what was reviewed: a change shows itself as a change of a snapshot.

use super::shell::Shell;

#[test]
fn the_help_of_every_command_is_as_reviewed() {
    let shell = Shell::open();
    let mut waiting = vec![Vec::new()];
    let mut seen = 0;
    while let Some(command) = waiting.pop() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = shell.run(&arguments).expect(0).out;
        let name = if command.is_empty() { "aaasp".to_owned() } else { format!("aaasp_{}", command.join("_")) };
        insta::assert_snapshot!(name.clone(), help);
        // The commands below a command are shown in its own examples.
        let shows = command.len() > 1 || help.contains("\nExample") || help.contains("\n  aaasp new ");
        assert!(shows, "{name} shows no example");
        seen += 1;
        for below in subcommands(&help) {
            waiting.push([command.clone(), vec![below]].concat());
        }
    }
    assert!(seen > 30, "only {seen} commands were found; the check reads their list wrongly");
}

#[test]
fn a_mistake_in_the_arguments_is_status_2() {
    let shell = Shell::open();
    for wrong in [
        &["rnu"][..],
        &["run"],
        &["run", "a.wasm", "--input", "1", "--from", "run_x"],
        &["run", "a.wasm", "--input", "1", "--limit", "feul=1"],
        &["runs", "--status", "asleep"],
        &["new", "--lang", "cobol", "a"],
        &["admin", "grant", "acc_x", "--credits", "1e9"],
    ] {
        let ended = shell.run(wrong).expect(2);
        assert!(ended.err.starts_with("error: "), "{wrong:?}: {}", ended.err);
    }
}

/// The names in the list of commands, but for `help` itself.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    list.lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}
