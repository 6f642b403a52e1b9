//! The dependencies: what `deny.toml` says of their licences, versions and sources holds without cargo-deny, too. They build with
//! the minimal Rust version.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const RULES: &str = include_str!("../../deny.toml");

/// What cargo prints on standard output.
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let output = Command::new(cargo).args(arguments).output().expect("cargo runs");
    String::from_utf8(output.stdout).expect("cargo prints text")
}

/// All crates that are built on this machine but those of the workspace: `name version`, and the licence.
fn dependencies() -> BTreeMap<String, String> {
    let tree = cargo(&["tree", "--workspace", "--locked", "--prefix=none", "--format={p}|{l}|"]);
    let fields = |line: &str| Some((line.split('|').next()?.to_owned(), line.split('|').nth(1)?.to_owned()));
    let here = |name: &str| name.starts_with("dyno-restarter v") || name.starts_with("simulator v");
    let dependencies: BTreeMap<String, String> =
        tree.lines().filter_map(fields).filter(|(name, _)| !here(name)).collect();
    assert!(dependencies.len() > 100, "{tree}");
    dependencies
}

/// The texts in quotation marks in the list of this name in `deny.toml`.
fn listed(name: &str) -> Vec<&'static str> {
    let (_, list) = RULES.split_once(&format!("\n{name} = [\n")).expect("the list is there");
    let (list, _) = list.split_once("\n]").expect("the list ends");
    list.lines().filter_map(|line| line.split('"').nth(1)).collect()
}

/// The parts of a licence expression between the operators outside of parentheses.
fn parts<'a>(expression: &'a str, operator: &str) -> Vec<&'a str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for (at, _) in expression.match_indices(operator) {
        let before = &expression[..at];
        if before.matches('(').count() == before.matches(')').count() {
            parts.push(&expression[start..at]);
            start = at + operator.len();
        }
    }
    parts.push(&expression[start..]);
    parts
}

fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let (alternatives, all) = (parts(expression, " OR "), parts(expression, " AND "));
    let inner = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    match inner {
        _ if alternatives.len() > 1 => alternatives.iter().any(|part| is_allowed(part, allowed)),
        _ if all.len() > 1 => all.iter().all(|part| is_allowed(part, allowed)),
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(&expression),
    }
}

#[test]
fn a_licence_expression_is_allowed_by_its_alternatives_and_needs_all_its_parts() {
    let allowed = ["MIT", "ISC"];
    for expression in ["MIT", "GPL-3.0 OR MIT", "ISC AND (MIT OR GPL-3.0)", "(MIT)", "GPL-3.0 OR (MIT AND ISC)"] {
        assert!(is_allowed(expression, &allowed), "{expression}");
    }
    for expression in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "MIT WITH exception"] {
        assert!(!is_allowed(expression, &allowed), "{expression}");
    }
}

#[test]
fn each_dependency_has_an_allowed_licence_and_comes_from_the_registry() {
    let allowed = listed("allow");
    for (dependency, licence) in dependencies() {
        assert!(is_allowed(&licence.replace('/', " OR "), &allowed), "{dependency}: {licence:?}");
        // The address or the path of any other source follows in parentheses.
        let source = dependency.split_once(" (").map(|(_, source)| source).filter(|source| *source != "proc-macro)");
        assert_eq!(source, None, "{dependency}");
    }
}

#[test]
fn no_dependency_is_there_in_two_versions_but_those_that_deny_toml_names() {
    let mut names = BTreeSet::new();
    let twice: BTreeSet<String> = dependencies()
        .into_keys()
        .filter_map(|dependency| Some(dependency.split_once(' ')?.0.to_owned()))
        .filter(|name| !names.insert(name.clone()))
        .collect();
    let skipped = listed("skip").iter().filter_map(|skip| Some(skip.split_once('@')?.0.to_owned())).collect();
    assert_eq!(twice, skipped);
}

/// Cargo builds nothing with a Rust that is older than a dependency asks for.
#[test]
fn no_dependency_asks_for_a_newer_rust_than_cargo_toml_names() {
    let version = |text: &str| {
        let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().expect("a number")).collect();
        parts.resize(3, 0);
        parts
    };
    let about = cargo(&["--version", "--verbose"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names the platform");
    let metadata = cargo(&["metadata", "--format-version=1", "--locked", "--filter-platform", host]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let newer = packages.iter().filter(|package| {
        package["rust_version"].as_str().is_some_and(|asked| version(asked) > version(env!("CARGO_PKG_RUST_VERSION")))
    });
    assert_eq!(newer.map(|package| &package["name"]).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(packages.len() > 100);
}
