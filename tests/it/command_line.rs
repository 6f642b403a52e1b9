//! The arguments of the binary.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dyno-restarter")).args(arguments).env_clear().output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn unknown_arguments_exit_with_64_and_are_not_repeated() {
    for arguments in
        [&["a-secret-argument"][..], &["--version", "a-secret-argument"], &["--key=a-secret"], &["serve", "x"], &[""]]
    {
        let output = run(arguments);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{arguments:?}");
        assert!(told.starts_with("usage: dyno-restarter") && !told.contains("secret"), "{told}");
    }
}

#[test]
fn version_prints_name_and_version() {
    let output = run(&["--version"]);
    let expected = concat!("dyno-restarter ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), expected));
}

#[test]
fn help_names_every_variable_every_url_and_every_exit_code() {
    let output = run(&["--help"]);
    let told = text(&output.stdout);
    let table = include_str!("../../README.md").lines().skip_while(|line| !line.starts_with("| variable | default |"));
    let names: Vec<_> = table.skip(2).map_while(|row| row.strip_prefix("| `")?.split('`').next()).collect();
    for word in
        names.iter().chain(&["/restart_web_dynos", "/drain", "/health", "/ready", "/status", "/metrics", "64", "78"])
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(names.len() > 10 && output.status.success());
}
